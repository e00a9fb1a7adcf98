"""Maxima of spikes over 3x3 windows of stride 2."""

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.network import SpikePool
from sw.network.layers.pool import pool3x3
from tests.network.handmade import Naive, ranges, shapes, written

POOL = SpikePool(name="pool", source="p")


def test_names_and_shapes():
    assert (POOL.reads(), POOL.writes(), POOL.spikes()) == (("p",), ("pool",), "pool")
    for side, half in (((5, 8), (3, 4)), ((1, 1), (1, 1)), ((2, 7), (1, 4))):
        assert written(POOL, {"p": (3, *side)}) == {"pool": (3, *half)}
    with pytest.raises(SpikeloomError, match=r"layer here: reads 'p' of shape \(3,\), wanted 3"):
        POOL.shapes(shapes({"p": (3,)}))
    POOL.bounds(ranges(POOL, {"p": (3, 5, 8)}))


@pytest.mark.parametrize("side", [(4, 6), (5, 7), (1, 2)])
def test_one_spike_reaches_every_window_that_holds_it(side):
    """Window (i, j) holds rows 2 i - 1 to 2 i + 1 and columns likewise."""
    for y, x in np.ndindex(side):
        spikes = np.zeros((2, 1, 3, *side), np.uint8)
        spikes[1, 0, 2, y, x] = 1
        got = POOL.golden(Naive(), {"p": spikes})["pool"]
        assert got.dtype == np.uint8
        want = [
            (1, 0, 2, i, j)
            for i, j in np.ndindex(got.shape[3:])
            if abs(y - 2 * i) <= 1 and abs(x - 2 * j) <= 1
        ]
        assert [tuple(at) for at in np.argwhere(got).tolist()] == want


def test_two_spikes_of_a_window_are_one():
    assert pool3x3(np.ones((2, 3), np.uint8)).tolist() == [[1, 1]]
