"""Attention maps, and what follows their products."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.patterns import attention
from tests.lower.small import context

TENSORS = [(name, 6, (2, 5)) for name in "qkv"]
FIRE = g.LIF(name="m", source="map", soft=True)


def similarity(order="qk", **changes):
    fields = {"heads": 3, "similarity": "and"} | changes
    return g.Similarity(name="map", left="q", right="k", order=order, **fields)


def product(order="qk"):
    gain = np.array([[1.0, -0.5, 0.0], [2.0, 0.25, 1.0]], np.float32)
    return (
        g.Apply(name="p", map="m", source="v", heads=3, order=order),
        g.Scale(name="x", source="p", factor=0.5, gain=gain),
        g.LIF(name="o", source="x", theta=0.5),
    )


@pytest.mark.parametrize(
    ("order", "similar", "bits"), [("qk", "and", 12), ("qk", "xnor", 12), ("kv", "and", 12)]
)
def test_a_map(order, similar, bits):
    """Counts up to 2 or 10 keep all the fraction bits that a factor holds; with T it is exact."""
    node = similarity(order, similarity=similar)
    made = context(node, FIRE, tensors=TENSORS)
    assert attention.similarity(made, node)
    (layer,) = made.layers
    assert (layer.name, layer.left, layer.right) == ("map", "q", "k")
    assert (layer.heads, layer.order, layer.similarity) == (3, order, similar)
    assert (layer.neuron.name, layer.neuron.soft) == ("m", True)
    assert layer.neuron.theta == 1 << bits
    counts = np.arange(3 if order == "qk" else 11)
    x = (layer.affine.factor * counts + layer.affine.bias) >> layer.affine.shift
    assert x.tolist() == (counts << bits).tolist()
    assert made.maps == {"m": {"frac_bits": bits, "exact": True}}
    assert {"map", "m"} <= made.done


@pytest.mark.parametrize(("tokens", "order", "bits"), [(64, "kv", 10), (64, "qk", 12)])
def test_largest_counts_settle_the_bits(tokens, order, bits):
    """Tokens of order kv, channels of a head of order qk; below T bits a map is not exact."""
    wide = [(name, 6, (1, tokens)) for name in "qkv"]
    node = similarity(order)
    for steps in (bits, bits + 1):
        made = context(node, FIRE, tensors=wide, steps=steps)
        attention.similarity(made, node)
        assert made.maps["m"] == {"frac_bits": bits, "exact": steps == bits}


@pytest.mark.parametrize(
    "changes", [{"tau": 4.0}, {"decay_input": False}, {"state_bits": 8}, {"source": "other"}]
)
def test_maps_need_a_neuron_of_their_own(changes):
    node = similarity()
    made = context(node, dataclasses.replace(FIRE, **changes), tensors=TENSORS)
    with pytest.raises(SpikeloomError, match="map cannot be lowered: a neuron with tau 2 and deca"):
        attention.similarity(made, node)


def test_streams_have_no_attention():
    node = similarity()
    made = context(node, FIRE, tensors=TENSORS, stream=True)
    with pytest.raises(SpikeloomError, match="map cannot be lowered: a stream has no attention"):
        attention.similarity(made, node)


@pytest.mark.parametrize("order", ["qk", "kv"])
def test_a_product(order):
    nodes = product(order)
    made = context(*nodes, tensors=TENSORS)
    assert attention.apply(made, nodes[0])
    (layer,) = made.layers
    assert (layer.name, layer.map, layer.source) == ("p", "m", "v")
    assert (layer.heads, layer.order) == (3, order)
    assert (layer.neuron.name, layer.neuron.theta) == ("o", 2048)
    unit = 4096 << layer.affine.shift
    want = [[0.5 * unit, -0.25 * unit, 0], [unit, 0.125 * unit, 0.5 * unit]]
    assert layer.affine.factor.tolist() == want
    assert layer.affine.bias.tolist() == [[1 << (layer.affine.shift - 1)] * 3] * 2
    assert (made.widths["o"], made.space["o"]) == (6, (2, 5))
    assert {"p", "x", "o"} <= made.done


@pytest.mark.parametrize("left", [[0], [0, 1], [0, 2]], ids=["bare", "no neuron", "no scale"])
def test_a_product_needs_its_scale_and_neuron(left):
    nodes = [product()[k] for k in left]
    made = context(*nodes, tensors=TENSORS)
    with pytest.raises(SpikeloomError, match="p cannot be lowered: a scale and a neuron must fol"):
        attention.apply(made, nodes[0])
