"""Instructions of attention maps."""

import dataclasses

import numpy as np
import pytest

from hw.arch.isa import Dest
from sim.interpreter.addresses import offsets
from sw.compiler import compile_network
from sw.network import Affine, AttentionApply, AttentionMap, Neuron
from tests.compiler.emit.made import code, fields, mapped, number
from tests.compiler.nets import STATE, attention, conv, mean, network, pixel, refused

LEVELS = ("k", "dx", "dy", "t", "x", "y", "j", "h")


def test_attention_in_a_stream():
    one = Affine(factor=np.ones(1, np.int64), bias=np.zeros(1, np.int64), shift=4)
    each = Affine(factor=np.ones((1, 2), np.int64), bias=np.zeros((1, 2), np.int64), shift=4)
    neuron = Neuron(name="m", theta=1, state=STATE)
    layers = [
        pixel(state=STATE),
        *(conv(c, "p", size=1, state=STATE) for c in "qkv"),
        AttentionMap(
            name="map",
            left="q.s",
            right="k.s",
            heads=2,
            order="qk",
            similarity="and",
            affine=one,
            neuron=neuron,
        ),
        AttentionApply(
            name="apply",
            map="m",
            source="v.s",
            heads=2,
            order="qk",
            affine=each,
            neuron=dataclasses.replace(neuron, name="o"),
        ),
        conv("z", "o", size=1, state=STATE),
        mean("z.s"),
    ]
    net = network(*layers, steps=1, stream=True)
    refused(net, "attention keeps no membranes in memory; run the network image by image")
    compile_network(network(*layers, steps=1))  # in the lanes they may be


@pytest.mark.parametrize("order", ["qk", "kv"])
@pytest.mark.parametrize("pair", ["left right", "left source", "right source"])
def test_one_tensor_in_two_roles(order, pair):
    layers = attention(order=order)
    at = next(n for n, layer in enumerate(layers) if isinstance(layer, AttentionMap))
    one, other = pair.split()
    name = getattr(layers[at], one)
    place = at if other == "right" else at + 1  # the map, or what it is applied to
    layers[place] = dataclasses.replace(layers[place], **{other: name})
    read = {layers[at].left, layers[at].right, layers[at + 1].source}
    layers = [la for la in layers if la.name not in "qkv" or la.spikes() in read]
    several = "is read in several ways that need different memory layouts"
    refused(network(*layers), f"layer '{name}': {several}")


def test_queries_meet_keys():
    """20 tokens, two heads of 4 channels, a word each; 2 steps: rows are queries."""
    mapper = mapped(network(*attention(), side=(4, 5)))
    label, i = code(mapper)["map"]
    assert (label.tensor, label.kind, label.shape) == ("m", "map", (2, 20, 20))
    assert (label.head_width, label.transposed) == (20, False)
    assert [i.count(level) for level in LEVELS] == [1, 1, 1, 2, 5, 1, 2, 2]
    row, col = offsets(i, "row"), offsets(i, "col")
    assert {level: int(row[level][-1]) for level in LEVELS} == {
        **dict.fromkeys(LEVELS, 0),
        "t": 2,  # two heads of a word
        "x": 4 * 4,
        "h": 1,
    }
    assert {level: int(col[level][-1]) for level in LEVELS} == {
        **dict.fromkeys(LEVELS, 0),
        "t": 2,
        "j": 4,
        "h": 1,
    }
    assert (i.row_base, i.col_base) == (mapper.place.base["q.s"], mapper.place.base["k.s"])
    assert fields(i, "xnor", "rowpop", "flat", "img_w", "row_gs", "lanes", "n_par", "par_j") == {
        "xnor": 0,
        "rowpop": 0,
        "flat": 1,
        "img_w": 20,
        "row_gs": 4,
        "lanes": 4,
        "n_par": 2,
        "par_j": 0,
    }
    assert ("map", 2 * 20 * 20 * 4 * 2) in mapper.ops
    assert (i.dest, i.w_base) == (Dest.ROW, mapper.place.base["m"])


def test_values_meet_keys():
    """KV order: rows are channels of v, columns those of k, words hold 20 tokens."""
    mapper = mapped(network(*attention(order="kv"), side=(4, 5)))
    label, i = code(mapper)["map"]
    assert (label.shape, label.head_width, label.transposed) == ((2, 4, 4), 4, True)
    assert [i.count(level) for level in LEVELS] == [1, 1, 1, 2, 1, 1, 1, 2]
    row, col = offsets(i, "row"), offsets(i, "col")
    assert (row["t"][1], row["h"][1]) == (1, 4 * 2)  # a head is padded to 16 channels
    assert (col["t"][1], col["h"][1]) == (1, 2)
    assert (i.row_base, i.col_base) == (mapper.place.base["v.s"], mapper.place.base["k.s"])
    assert (i.img_w, i.lanes, i.row_gs) == (4, 4, 2)
    assert (i.dest, i.w_base) == (Dest.COL_TOKEN, mapper.place.base["m"])
    assert ("map", 2 * 4 * 4 * 20 * 2) in mapper.ops


@pytest.mark.parametrize(("similarity", "bias"), [("and", -9), ("xnor", -9 + 5 * 4)])
def test_bias(similarity, bias):
    """XNOR counts equal bits: what the array gives, and a head's width of 4."""
    layers = attention()
    affine = Affine(factor=np.array([5]), bias=np.array([-9]), shift=4)
    layers[4] = dataclasses.replace(layers[4], similarity=similarity, affine=affine)
    mapper = mapped(network(*layers, side=(4, 5)))
    _, i = code(mapper)["map"]
    assert (i.xnor, i.rowpop) == (int(similarity == "xnor"),) * 2
    for lane in range(16):
        assert number(mapper, lane, i.par_base, 32) == bias
        assert number(mapper, lane, i.par_base + 1, 18) == 5
