"""Means over tokens and steps: shapes, bounds, and sums that floor and saturate."""

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from hw.common.errors import SpikeloomError
from sw.network import PRODUCT_MAX, Mean
from sw.network.layers.mean import token_mean
from tests.network.handmade import Naive, ranges, shapes, written

RNG = np.random.default_rng(7)
READ = {"r": (3, 2, 5)}


def layer(factor=16, bias=0, shift=4, **changes):
    return Mean(name="m", source="r", factor=factor, bias=bias, shift=shift, **changes)


def test_names_and_shapes():
    assert (layer().reads(), layer().writes()) == (("r",), ("m",))
    assert written(layer(), READ) == {"m": (3,)}
    assert written(layer(over_tokens=False), READ) == {"m": (30,)}
    with pytest.raises(SpikeloomError, match=r"layer here: reads 'r' of shape \(3,\), wanted 3"):
        layer().shapes(shapes({"r": (3,)}))


@pytest.mark.parametrize(("over_tokens", "count"), [(True, 20), (False, 2)])
@pytest.mark.parametrize(("spikes", "largest"), [(("r",), 1), ((), -MEMBRANE_MIN)])
def test_the_accumulator_holds_the_largest_sum(over_tokens, count, spikes, largest):
    """2 steps of 10 tokens, or of one; a spike is 1, a residual the most negative there is."""
    for factor in (3, -3):
        room = PRODUCT_MAX - 3 * count * largest
        for bias in (room, -room):
            made = layer(factor, bias, over_tokens=over_tokens)
            made.bounds(ranges(made, READ, spikes))
        made = layer(factor, -room - 1, over_tokens=over_tokens)
        with pytest.raises(SpikeloomError, match=f"sums reach {PRODUCT_MAX + 1}, the accum"):
            made.bounds(ranges(made, READ, spikes))


@pytest.mark.parametrize("over_tokens", [True, False])
def test_sums(over_tokens):
    source = RNG.integers(-900, 900, (2, 4, 3, 2, 5))
    got = layer(7, -5, 7, over_tokens=over_tokens).golden(Naive(), {"r": source})["m"]
    assert got.shape == (4, 3 if over_tokens else 30)
    for (b, k), value in np.ndenumerate(got):
        if over_tokens:
            total = sum(int(source[t, b, k, y, x]) for t, y, x in np.ndindex(2, 2, 5))
        else:  # channel major
            total = sum(int(source[t, b, k // 10, k % 10 // 5, k % 5]) for t in range(2))
        assert value == (7 * total - 5) // 128


def test_a_stream_is_read_as_one_image():
    class Stream(Naive):
        def whole(self, tensor):
            return tensor.swapaxes(0, 1)

    source = RNG.integers(0, 9, (5, 1, 3, 2, 2))
    got = layer().golden(Stream(), {"r": source})["m"]
    assert got.tolist() == source[:, 0].sum(axis=(2, 3)).tolist()


def test_means_saturate():
    ends = np.array([MEMBRANE_MAX, MEMBRANE_MIN]).reshape(1, 1, 2, 1, 1)
    assert token_mean(ends, 16, 0, 4).tolist() == [[MEMBRANE_MAX, MEMBRANE_MIN]]
    assert token_mean(ends, 17, 0, 4).tolist() == [[MEMBRANE_MAX, MEMBRANE_MIN]]
