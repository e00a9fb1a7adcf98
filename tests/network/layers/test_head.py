"""The last layer: shapes, bounds, and logits that floor and saturate."""

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from hw.common.errors import SpikeloomError
from sw.network import PRODUCT_MAX, Head
from sw.network.layers.head import head_sum
from tests.network.handmade import Naive, ranges, shapes, written

READ = {"a": (2,), "b": (3,)}


def layer(weight=None, bias=(0, 0, 0, 0), **changes):
    weight = np.arange(20).reshape(4, 5) - 9 if weight is None else weight
    fields = {"shift": 4, "weight_bits": 5, "scale": 0.5, "sources": ("a", "b")}
    return Head(name="logits", weight=weight, bias=np.array(bias), **fields | changes)


def test_names():
    assert layer().last
    assert layer().reads() == ("a", "b")
    assert layer().writes() == ("logits",)
    assert written(layer(), READ) == {"logits": (4,)}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (layer(sources=("a",)), r"weight has shape \(4, 5\), wanted \(4, 2\)"),
        (layer(np.ones((3, 5), int)), r"weight has shape \(3, 5\), wanted \(4, 5\)"),
        (layer(bias=(0, 0, 0)), r"bias has shape \(3,\), wanted \(4,\)"),
        (layer(sources=("a", "spikes")), r"reads 'spikes' of shape \(2, 5, 7\), wanted 1 axes"),
    ],
)
def test_wrong_shapes(made, message):
    with pytest.raises(SpikeloomError, match=f"layer here: {message}"):
        made.shapes(shapes({**READ, "spikes": (2, 5, 7)}))


def test_weights_fit_their_bits_with_either_sign():
    for bits, weight, fits in ((5, 15, True), (5, -15, True), (5, 16, False), (5, -16, False)):
        made = layer(np.full((4, 5), weight), weight_bits=bits)
        if fits:
            made.bounds(ranges(made, READ))
            continue
        with pytest.raises(SpikeloomError, match=f"weight is {weight} to .*, wanted -15 to 15"):
            made.bounds(ranges(made, READ))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_accumulator_holds_the_worst_class(sign):
    """|weights| times the most negative mean, and |bias|."""
    weight = np.zeros((4, 5), int)
    weight[2] = [100_000, -100_000, 50_000, -1, 0]
    room = PRODUCT_MAX - 250_001 * -MEMBRANE_MIN
    made = layer(weight, bias=(0, 0, sign * room, 0), weight_bits=18)
    made.bounds(ranges(made, READ))
    made = layer(weight, bias=(0, 0, sign * (room + 1), 0), weight_bits=18)
    with pytest.raises(SpikeloomError, match=f"sums reach {PRODUCT_MAX + 1}, the accumulator"):
        made.bounds(ranges(made, READ))


def test_logits_read_the_sources_in_order():
    a, b = np.array([[1, -2], [3, 0]]), np.array([[5, 7, -11], [0, 0, 1]])
    bias = (8, -8, 0, 3)
    made = layer(bias=bias)
    got = made.golden(Naive(), {"a": a, "b": b})["logits"]
    for row, image in enumerate(([1, -2, 5, 7, -11], [3, 0, 0, 0, 1])):
        for o in range(4):
            total = sum((5 * o + k - 9) * x for k, x in enumerate(image)) + bias[o]
            assert got[row, o] == total // 16


def test_logits_saturate():
    weight, none = np.array([[1]]), np.array([0])
    for x, want in ((MEMBRANE_MAX, MEMBRANE_MAX), (MEMBRANE_MAX + 1, MEMBRANE_MAX)):
        assert head_sum(np.array([[x * 16]]), weight, none, 4).tolist() == [[want]]
    assert head_sum(np.array([[MEMBRANE_MIN * 16 - 1]]), weight, none, 4) == MEMBRANE_MIN
    assert head_sum(np.array([[-1]]), weight, none, 4) == -1  # floor
