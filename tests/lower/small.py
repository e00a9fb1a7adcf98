"""Float networks of a few nodes, without torch."""

import numpy as np

import sw
from sw import graph as g
from sw.lower.context import Context, Options


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


def graph(*nodes, steps=2, classes=1, **changes):
    """A float network of these nodes."""
    fields = {"channels": 1, "mean": (0.0,), "std": (1.0,), "size": (4, 6)}
    return sw.FloatNetwork(
        name="small", nodes=nodes, steps=steps, classes=classes, **fields | changes
    )


def context(*nodes, tensors=(), frac_bits=12, shifts=(), stream=False, **changes):
    """A context of these nodes; ``tensors`` (name, channels, (H, W)) are written already."""
    options = Options(
        height=4,
        width=6,
        per_step=False,
        stream=stream,
        zero_weights="refuse",
        pixel_weight_bits=None,
        head_weight_bits=8,
    )
    made = Context(graph(*nodes, **changes), options, frac_bits, dict(shifts))
    for name, channels, space in tensors:
        made.put(name, channels, space)
    return made


def conv(name, source, out=1, inputs=1, size=1, *, binary=True, **changes):
    """A convolution whose filters have no weight at their mean."""
    weight = np.ones((out, inputs, size, size), dtype=np.float32)
    weight.reshape(out, -1)[:, ::2] = -1
    weight.reshape(out, -1)[:, 0] = -3
    return g.Conv(
        name=name, source=source, weight=weight, binary=binary, padding=size // 2, **changes
    )
