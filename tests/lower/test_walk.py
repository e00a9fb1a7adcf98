"""One pass over a graph: what no layer does, signs of zero, and what is noted."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.walk import walk
from tests.lower.small import context, conv, identity, neuron

TAIL = (
    g.Flatten(name="f", source="s"),
    g.Linear(
        name="l", source="f", weight=np.ones((1, 24), np.float32), bias=np.zeros(1, np.float32)
    ),
    g.MeanSteps(name="logits", source="l"),
)
FIRST = (conv("c", "image", binary=False), identity("b", "c"), neuron("s", "b"))


def middle(zeros):
    """A binary convolution of spikes with two output channels, one of them with zeros."""
    node = conv("d", "s", 1, 1, 3)
    weight = node.weight.copy()
    weight[:] = np.array([1, -1, 1, -1, 1, -1, 1, -1, 0]).reshape(1, 1, 3, 3)
    if not zeros:
        weight = node.weight
    return dataclasses.replace(node, weight=weight), identity("e", "d"), neuron("t", "e")


def test_notes_of_a_network():
    made = context(*FIRST, *TAIL, meta={"mine": 1})
    network = walk(made, {"why": "given"})
    assert [layer.name for layer in network.layers] == ["c", "f", "logits"]
    assert (network.steps, network.channels, network.classes) == (2, 1, 1)
    assert (network.height, network.width) == (4, 6)
    assert (network.frac_bits, network.stream, network.per_step_input) == (12, False, False)
    assert network.meta["mine"] == 1
    assert network.meta["frac_bits"] == {"bits": 12, "why": "given"}
    assert network.meta["pixel_weight_bits"] == network.layers[0].weight_bits
    assert network.meta["pixel_shift"] == network.layers[0].pixel_shift
    assert network.meta["head_weight_bits"] == network.head.weight_bits
    assert network.meta["attention_maps"] == {}
    assert not {"units", "dead_channels", "zero_weights"} & network.meta.keys()


@pytest.mark.parametrize(("choice", "signs"), [("plus", True), ("minus", False)])
def test_signs_of_zero(choice, signs):
    tail = (dataclasses.replace(TAIL[0], source="t"), *TAIL[1:])
    made = context(*FIRST, *middle(zeros=True), *tail)
    with pytest.raises(SpikeloomError, match=r"have sign 0.*: d has 1 of 9; lower with"):
        walk(made, {})
    made = context(*FIRST, *middle(zeros=True), *tail)
    made.options = dataclasses.replace(made.options, zero_weights=choice)
    network = walk(made, {})
    assert network.meta["zero_weights"] == f"{choice}: d has 1 of 9"
    assert network.layers[1].weight.ravel().tolist() == [True, False] * 4 + [signs]
    made = context(*FIRST, *middle(zeros=False), *tail)
    assert "zero_weights" not in walk(made, {}).meta


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((*FIRST, identity("x", "s"), *TAIL), "x cannot be lowered: no layer of the hardware does"),
        (FIRST, "s cannot be lowered: a network ends in its logits"),
    ],
)
def test_what_no_layer_does(nodes, message):
    with pytest.raises(SpikeloomError, match=message):
        walk(context(*nodes), {})


def test_units_other_than_the_fraction_bits_are_noted():
    """Of tensors that are stored."""
    node, norm, spikes = middle(zeros=False)
    add = g.Add(name="sum", branch="e", stream="s")
    mean = g.MeanTokens(name="m", source="sum")
    linear = dataclasses.replace(TAIL[1], source="m", weight=np.ones((1, 1), np.float32))
    tail = (mean, linear, g.HeadAverage(name="logits", sources=("l",)))
    last = dataclasses.replace(spikes, source="sum")
    network = walk(context(*FIRST, node, norm, add, last, *tail), {})
    assert network.meta["units"] == {"sum": 4064}
    usual = g.LIF(name="t", source="sum")
    network = walk(context(*FIRST, node, norm, add, usual, *tail), {})
    assert network.layers[1].residual is not None
    assert "units" not in network.meta
