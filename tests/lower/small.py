"""Float networks of a few nodes, without torch."""

import numpy as np

import sw
from sw import graph as g


def identity(name, source, channels=1, *, weight=1.0, bias=0.0):
    """A BatchNorm that is weight * x + bias."""
    ones = np.ones(channels, dtype=np.float32)
    return g.BatchNorm(
        name=name,
        source=source,
        weight=weight * ones,
        bias=bias * ones,
        mean=0 * ones,
        var=ones,
        eps=0.0,
    )


def neuron(name, source, **changes):
    """A Q-SNN neuron of 8 bits."""
    fields = {"decay_input": False, "strict": True, "state_bits": 8, **changes}
    return g.LIF(name=name, source=source, **fields)


def single(drive, *, bias=0.0, side=1, steps=3, middle=(), last="s", classes=1, **changes):
    """x = drive * pixel / 255 + bias into one neuron "s", then ``middle``, flattened to logits."""
    weight = np.full((1, 1, 1, 1), drive, dtype=np.float32)
    nodes = (
        g.Conv(name="c", source=g.IMAGE, weight=weight, binary=False),
        identity("b", "c", bias=bias),
        neuron("s", "b", **changes),
        *middle,
        g.Flatten(name="f", source=last),
        g.Linear(
            name="l",
            source="f",
            weight=np.ones((classes, side * side), dtype=np.float32),
            bias=np.zeros(classes, dtype=np.float32),
            weight_bits=8,
        ),
        g.MeanSteps(name="logits", source="l"),
    )
    return sw.FloatNetwork(
        name="single",
        nodes=nodes,
        steps=steps,
        channels=1,
        classes=classes,
        mean=(0.0,),
        std=(1.0,),
        size=(side, side),
    )
