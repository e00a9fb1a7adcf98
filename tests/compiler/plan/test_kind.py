"""Planning facts of a layer kind that asks for nothing, and of those that are there."""

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Dest
from sw.compiler.emit import emissions
from sw.compiler.plan.kind import Kind
from sw.compiler.plan.numbering import Numbering
from sw.network import (
    Affine,
    AttentionApply,
    AttentionMap,
    Neuron,
    Residual,
    Shortcut,
    SpikePool,
)
from tests.compiler.nets import conv, mean, network, pixel

AFFINE = Affine(factor=np.ones(1, np.int64), bias=np.zeros(1, np.int64), shift=4)


def attention(order):
    """Map of 'l' and 'r', and what is applied to 'v'; two heads."""
    neuron = Neuron(name="n", theta=1)
    left = AttentionMap(
        name="map",
        left="l",
        right="r",
        heads=2,
        order=order,
        similarity="and",
        affine=AFFINE,
        neuron=neuron,
    )
    apply = AttentionApply(
        name="apply", source="v", map="n", heads=2, order=order, affine=AFFINE, neuron=neuron
    )
    return left, apply


def test_defaults():
    kind, layer = Kind(), pixel()
    facts = ("keeps_spikes", "sums_residuals", "writes_image", "in_pieces")
    assert [getattr(kind, fact) for fact in facts] == [False, False, True, False]
    assert not kind.writes_windows
    assert not kind.sums
    assert not kind.windows
    assert tuple(kind.wants(layer, "p")) == ()
    assert kind.follows(layer, True) is None
    assert list(kind.roles(layer, "p")) == [()]
    assert kind.taps(layer, "p") is False
    assert kind.makes_operand(layer) is False
    assert kind.layout(layer, Config(), 1, (1, 1, 1), Numbering.FLAT) is None


def test_facts_of_the_layer_kinds():
    """Kept spikes, sums, images, pieces, windows of spikes and their maxima, summed on the way."""
    facts = ("keeps_spikes", "sums_residuals", "writes_image", "in_pieces")
    facts += ("writes_windows", "windows", "sums")
    assert {
        layer.__name__: "".join("-+"[getattr(kind, fact)] for fact in facts)
        for layer, kind in emissions().items()
    } == {
        "PixelConv": "+-+----",
        "BinaryLayer": "+-+++-+",
        "SpikePool": "--+--+-",
        "AttentionMap": "-------",
        "AttentionApply": "--+----",
        "Mean": "-++----",
        "Head": "--+----",
    }


@pytest.mark.parametrize(
    ("options", "name", "wanted"),
    [
        ({}, "p", [Numbering.GRID]),
        ({"size": 1}, "p", [Numbering.FLAT]),
        ({"stride": 2}, "p", [Numbering.PAIR]),
        ({"pool": 2, "size": 1}, "p", [Numbering.PAIR]),
        ({}, "other", []),
        ({"shortcut": Shortcut(source="s", value=1)}, "s", [Numbering.GRID]),
        ({"size": 1, "shortcut": Shortcut(source="p", value=1)}, "p", [0, Numbering.GRID]),
    ],
)
def test_wants_of_binary_layers(options, name, wanted):
    layer = conv("a", "p", **options)
    assert list(emissions()[type(layer)].wants(layer, name)) == wanted


def test_wants_of_pools():
    pool = SpikePool(name="pool", source="p")
    assert list(emissions()[SpikePool].wants(pool, "p")) == [Numbering.GRID]
    assert emissions()[SpikePool].taps(pool, "p") is False


def test_follows():
    plain, short = conv("a", "p"), conv("a", "p", shortcut=Shortcut(source="s", value=1))
    kind = emissions()[type(plain)]
    assert [kind.follows(plain, gridded) for gridded in (False, True)] == [None, "p"]
    assert [kind.follows(short, gridded) for gridded in (False, True)] == ["p", "p"]


def test_taps_and_operands_of_binary_layers():
    short = conv("a", "p", shortcut=Shortcut(source="s", value=1))
    kind = emissions()[type(short)]
    assert kind.taps(short, "p") is True
    assert kind.taps(short, "s") is None
    assert kind.taps(conv("a", "p", size=1), "p") is False
    assert kind.makes_operand(conv("a", "p"))
    assert not kind.makes_operand(short)
    assert not kind.makes_operand(conv("a", "p", residual=Residual(output="r")))
    assert emissions()[type(mean("p"))].taps(mean("p"), "p") is None


def test_roles_of_attention():
    """Rows of the array come from row memory, columns from column memory."""
    kinds = emissions()
    similar, apply = attention("qk")
    assert list(kinds[AttentionMap].roles(similar, "l")) == [(Dest.ROW, 2)]
    assert list(kinds[AttentionMap].roles(similar, "r")) == [(Dest.COL_TOKEN, 2)]
    assert list(kinds[AttentionApply].roles(apply, "v")) == [(Dest.COL_CHANNEL, 2)]
    assert list(kinds[AttentionApply].roles(apply, "n")) == []
    similar, apply = attention("kv")
    assert list(kinds[AttentionMap].roles(similar, "l")) == [(Dest.COL_CHANNEL, 2)]
    assert list(kinds[AttentionMap].roles(similar, "r")) == [(Dest.ROW_CHANNEL, 2)]
    assert list(kinds[AttentionApply].roles(apply, "v")) == [(Dest.ROW, 2)]


def test_every_layer_of_a_network_has_a_kind():
    net = network(pixel(), conv("a", "p"), mean("a.s"))
    assert {type(layer) for layer in net.layers} <= set(emissions())
