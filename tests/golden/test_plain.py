"""The numpy kernels: words bit by bit, sums and lanes by loops in python."""

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, STATE_MAX
from sw.golden import plain
from sw.network import State
from tests.golden.lanes import CASES, by_loops, case

RNG = np.random.default_rng(21)


@pytest.mark.parametrize("count", [1, 7, 8, 63, 64, 65, 128, 130])
def test_words_have_the_first_bit_lowest(count):
    bits = RNG.integers(0, 2, (3, count))
    words = plain.pack_rows(bits)
    assert (words.dtype, words.shape) == (np.uint64, (3, -(-count // 64)))
    for row, got in zip(bits.tolist(), words.tolist(), strict=True):
        whole = sum(bit << k for k, bit in enumerate(row))
        assert got == [(whole >> 64 * n) & (2**64 - 1) for n in range(len(got))]


def test_weights_are_packed_tap_by_tap():
    """Bit (i * kw + j) * C + c is the weight of channel c at tap (i, j)."""
    weight = RNG.random((2, 5, 3, 3)) < 0.5
    words = plain.tap_major(weight)
    assert words.shape == (2, 1)
    for o, c, i, j in np.ndindex(weight.shape):
        assert int(words[o, 0]) >> ((i * 3 + j) * 5 + c) & 1 == weight[o, c, i, j]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(5, 6, 3), (4, 7, 1), (1, 1, 3)])
@pytest.mark.parametrize("channels", [3, 70])
def test_binary_sums(channels, shape, stride):
    height, width, size = shape
    spikes = RNG.integers(0, 2, (2, channels, height, width)).astype(np.uint8)
    weight = RNG.random((4, channels, size, size)) < 0.5
    got = plain.binary_sums(spikes, plain.tap_major(weight), size, size, stride)
    assert (got.dtype, got.shape) == (np.int32, (2, 4, -(-height // stride), -(-width // stride)))
    for (m, o, y, x), total in np.ndenumerate(got):
        want = 0
        for i, j in np.ndindex(size, size):
            row, column = y * stride + i - size // 2, x * stride + j - size // 2
            if 0 <= row < height and 0 <= column < width:
                sign = np.where(weight[o, :, i, j], 1, -1)
                want += int(spikes[m, :, row, column].astype(int) @ sign)
        assert total == want


@pytest.mark.parametrize("count", [5, 64, 100])
@pytest.mark.parametrize("differing", [False, True])
def test_row_counts(count, differing):
    left, right = RNG.integers(0, 2, (2, 3, count)), RNG.integers(0, 2, (2, 4, count))
    got = plain.row_counts(plain.pack_rows(left), plain.pack_rows(right), differing)
    assert (got.dtype, got.shape) == (np.int32, (2, 3, 4))
    for (g, n, m), total in np.ndenumerate(got):
        one, other = left[g, n], right[g, m]
        assert total == ((one != other) if differing else (one & other)).sum()


@pytest.mark.parametrize(
    ("size", "padding", "stride"), [(3, 1, 1), (3, 1, 2), (5, 2, 2), (2, 0, 1)]
)
def test_pixel_sums(size, padding, stride):
    p, weight = RNG.integers(-2000, 2000, (2, 3, 6, 7)), RNG.integers(-99, 99, (4, 3, size, size))
    got = plain.pixel_sums(p.astype(float), weight.astype(float), padding, stride)
    assert got.dtype == np.int64
    assert got.shape[2:] == tuple((n + 2 * padding - size) // stride + 1 for n in (6, 7))
    for (m, o, y, x), total in np.ndenumerate(got):
        want = 0
        for c, i, j in np.ndindex(3, size, size):
            row, column = y * stride + i - padding, x * stride + j - padding
            if 0 <= row < 6 and 0 <= column < 7:
                want += int(weight[o, c, i, j]) * int(p[m, c, row, column])
        assert total == want


def test_pixel_sums_are_exact_at_the_accumulators_end():
    p, weight = np.full((1, 1, 1, 1), 131_071.0), np.full((1, 1, 1, 1), -131_071.0)
    assert plain.pixel_sums(p, weight, 0, 1).tolist() == [[[[-(131_071**2)]]]]


def test_codes_of_every_magnitude():
    state = State(bits=4, thresholds=np.array([1, 5, 5, 9, STATE_MAX, 16383, 16383]), shift=4)
    table = plain.code_table(state)
    assert (table.dtype, len(table)) == (np.int32, STATE_MAX + 1)
    want = [0] + [1] * 4 + [3] * 4 + [4] * (STATE_MAX - 9) + [5]
    assert table.tolist() == want


@pytest.mark.parametrize("name", CASES)
def test_lanes(name):
    given = case(name)
    wanted = by_loops(**case(name))
    plain.lane(**given)
    for what, values in wanted.items():
        assert given[what].tolist() == values.tolist(), what
    if given["y"].size:
        assert (given["y"].max(), given["y"].min()) == (MEMBRANE_MAX, MEMBRANE_MIN)
    if given["spikes"].size:
        assert 0 < given["spikes"].mean() < 1
