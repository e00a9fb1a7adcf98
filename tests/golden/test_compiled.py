"""The kernels of numba give what the numpy kernels give, element by element and in type."""

import numpy as np
import pytest

from sw.golden import plain
from tests.golden.lanes import CASES, by_loops, case

compiled = pytest.importorskip("sw.golden.compiled", exc_type=ImportError)
RNG = np.random.default_rng(22)


def equal(got, want):
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("channels", [1, 8, 63, 64, 65, 130])
def test_binary_sums(channels, size, stride):
    """Taps that begin at any bit of a word; rows without spikes; spikes that are not contiguous."""
    spikes = (RNG.random((3, channels, 5, 6)) < 0.3).astype(np.uint8)
    spikes[1, :, 2:] = 0
    words = plain.tap_major(RNG.random((7, channels, size, size)) < 0.5)
    want = plain.binary_sums(spikes, words, size, size, stride)
    equal(compiled.binary_sums(spikes, words, size, size, stride), want)
    turned = np.asfortranarray(spikes)
    equal(compiled.binary_sums(turned, words, size, size, stride), want)


@pytest.mark.parametrize("differing", [False, True])
@pytest.mark.parametrize("count", [3, 64, 200])
def test_row_counts(count, differing):
    left, right = (plain.pack_rows(RNG.integers(0, 2, (4, n, count))) for n in (5, 6))
    want = plain.row_counts(left, right, differing)
    equal(compiled.row_counts(left, right, differing), want)


@pytest.mark.parametrize(
    ("size", "padding", "stride"), [(3, 1, 1), (3, 1, 2), (7, 3, 2), (2, 0, 1)]
)
def test_pixel_sums(size, padding, stride):
    p = RNG.integers(-131_071, 131_072, (2, 3, 8, 9)).astype(float)
    weight = RNG.integers(-999, 1000, (4, 3, size, size)).astype(float)
    want = plain.pixel_sums(p, weight, padding, stride)
    equal(compiled.pixel_sums(p, weight, padding, stride), want)


@pytest.mark.parametrize("name", CASES)
def test_lanes(name):
    given, wanted = case(name), by_loops(**case(name))
    compiled.lane(**given)
    for what, values in wanted.items():
        equal(given[what], values)


def test_both_modules_have_the_same_kernels():
    kernels = ("binary_sums", "lane", "pack_rows", "pixel_sums", "row_counts", "tap_major")
    assert sorted(compiled.__all__) == sorted(kernels)
    assert all(callable(getattr(plain, name)) for name in kernels)
