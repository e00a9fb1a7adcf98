"""Attention maps: shapes, bounds and counts of both orders and similarities."""

import dataclasses

import numpy as np
import pytest

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError
from sw.network import AttentionMap, Neuron
from tests.network.handmade import Naive, affine, ranges, shapes, written

RNG = np.random.default_rng(2)
READ = {"q": (6, 2, 5), "k": (6, 2, 5)}


def layer(order="qk", similarity="and", **changes):
    fields = {"heads": 3, "affine": affine(1), "neuron": Neuron(name="m", theta=9, soft=True)}
    return AttentionMap(
        name="map", left="q", right="k", order=order, similarity=similarity, **fields | changes
    )


def test_names():
    assert layer().reads() == ("q", "k")
    assert layer().writes() == ("m",)
    assert layer().tokens() == ("q", "k")


def test_a_map_is_of_tokens_or_of_channels():
    assert written(layer(), READ) == {"m": (3, 10, 10)}
    assert written(layer("kv"), READ) == {"m": (3, 2, 2)}
    assert layer().largest_sum(shapes(READ)) == 2
    assert layer("kv").largest_sum(shapes(READ)) == 10


@pytest.mark.parametrize(
    ("made", "read", "message"),
    [
        (layer(), {**READ, "k": (6, 5, 2)}, r"k has shape \(6, 5, 2\), wanted \(6, 2, 5\)"),
        (layer(), {**READ, "q": (6,)}, r"reads 'q' of shape \(6,\), wanted 3 axes"),
        (layer(heads=4), READ, "6 channels do not divide into 4 heads"),
        (layer(heads=0), READ, "6 channels do not divide into 0 heads"),
        (layer("vq"), READ, "order must be qk or kv, not 'vq'"),
        (layer("kv", "xnor"), READ, "similarity 'xnor' does not exist in order kv"),
        (layer("qk", "or"), READ, "similarity 'or' does not exist in order qk"),
        (layer(affine=affine(3)), READ, r"factor has shape \(3,\), wanted \(1,\)"),
        (
            layer(affine=dataclasses.replace(affine(1), bias=np.zeros(2, int))),
            READ,
            r"bias has shape \(2,\), wanted \(1,\)",
        ),
    ],
)
def test_wrong_shapes(made, read, message):
    with pytest.raises(SpikeloomError, match=f"layer here: {message}"):
        made.shapes(shapes(read))


def test_the_bias_of_xnor_holds_the_head_width():
    """The array counts equal bits less d: the bias then has factor * d in it."""
    most = formats.BIAS_MAX
    for sign in (1, -1):
        fits = affine(1, factor=5 * sign, bias=(most - 10) * sign)
        made = layer("qk", "xnor", affine=fits)
        made.bounds(ranges(made, READ))
        over = dataclasses.replace(fits, bias=fits.bias + sign)
        made = layer("qk", "xnor", affine=over)
        with pytest.raises(SpikeloomError, match="bias with the head width in it"):
            made.bounds(ranges(made, READ))
        made = layer("qk", "and", affine=over)
        made.bounds(ranges(made, READ))


def test_tokens_lie_on_one_line():
    most = isa.BY_NAME["img_w"].most
    wide = {"q": (6, 1, most), "k": (6, 1, most)}
    layer().bounds(ranges(layer(), wide))
    over = {"q": (6, 1, most + 1), "k": (6, 1, most + 1)}
    with pytest.raises(SpikeloomError, match=f"tokens is {most + 1} to {most + 1}"):
        layer().bounds(ranges(layer(), over))


@pytest.mark.parametrize(("order", "similarity"), [("qk", "and"), ("qk", "xnor"), ("kv", "and")])
def test_counts(order, similarity):
    q, k = RNG.integers(0, 2, (2, 2, 2, 6, 2, 5))
    made = layer(order, similarity)
    run = Naive()
    sums = made.sums(run, {"q": q, "k": k})
    assert sums.shape == ((2, 2, 3, 10, 10) if order == "qk" else (2, 2, 3, 2, 2))
    for (t, b, h, i, j), count in np.ndenumerate(sums):
        left, right = (x[t, b, 2 * h : 2 * h + 2].reshape(2, 10) for x in (q, k))
        one, other = (left[:, i], right[:, j]) if order == "qk" else (left[i], right[j])
        alike = (one == other) if similarity == "xnor" else (one & other)
        assert count == alike.sum()
    fired = made.golden(run, {"q": q, "k": k})
    assert list(fired) == ["m"]
    assert fired["m"].shape == sums.shape
