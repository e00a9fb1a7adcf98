"""Choice of integers, layer by layer."""

import numpy as np
import pytest

from hw.arch.formats import FACTOR_MAX, MEMBRANE_MAX
from sw.golden import affine as apply_affine
from sw.golden import head_sum
from sw.lower import quantise


def test_affine_takes_the_largest_shift_that_fits():
    for top, shift in ((0.001, 14), (0.02, 10), (0.2, 7), (1.9, 4)):
        got = quantise.affine("x", np.array([top, -top / 3]), np.zeros(2), 4096, 64)
        assert got.shift == shift
        assert np.abs(got.factor).max() <= FACTOR_MAX
    with pytest.raises(quantise.DoesNotFitError, match="do not fit with 12"):
        quantise.affine("x", np.array([2.1]), np.zeros(1), 4096, 64)


def test_affine_rounds_to_nearest():
    rng = np.random.default_rng(0)
    a, b, total = rng.normal(size=50) * 0.3, rng.normal(size=50), rng.integers(-60, 60, 50)
    got = quantise.affine("x", a, b, 4096, 64)
    x = apply_affine(total, got.factor, got.bias, got.shift)
    assert np.abs(x - (a * total + b) * 4096).max() <= 0.5 + 65 / 2**got.shift / 2


@pytest.mark.parametrize("largest", [1, 8, 31, 32, 196, 1024, 4096])
def test_counts_never_saturate_and_are_exact(largest):
    got, theta = quantise.counts("map", largest, 1.0, strict=False)
    values = np.arange(largest + 1)
    x = apply_affine(values, got.factor[0], got.bias[0], got.shift)
    np.testing.assert_array_equal(x, values * theta)
    assert x.max() <= MEMBRANE_MAX
    assert theta * largest * 2 > MEMBRANE_MAX or int(got.factor[0]) == 1 << 16


def test_counts_with_half_thresholds():
    """d odd: d/2 + 1 lies between counts."""
    _, theta = quantise.counts("map", 7, 4.5, strict=False)
    assert theta == 4.5 * (1 << 12)


@pytest.mark.parametrize("bits", [2, 8, 11, 16])
def test_mantissas(bits):
    rng = np.random.default_rng(bits)
    weight = rng.normal(size=(9, 2, 3, 3)) * 10.0 ** rng.uniform(-1, 5, (9, 1, 1, 1))
    weight[0] = 0
    got = quantise.mantissas(weight, bits)
    for real, row in zip(weight, got, strict=True):
        top = int(np.abs(row).max())
        unit = 1
        while top // unit >= 1 << (bits - 1):
            unit *= 2
        assert not (row % unit).any()
        assert np.abs(row - real).max() <= max(unit, 1) / 2 * 1.01


def test_pixel_conv_is_close():
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(6, 3, 3, 3)), rng.normal(size=6)
    mean, std = (0.49, 0.48, 0.45), (0.2, 0.24, 0.26)
    got = quantise.pixel_conv("c", weight, bias, mean, std, 4096, 16)
    pixels = rng.integers(0, 256, (20, 3, 3, 3))
    offset = np.array(got["centre"]).reshape(3, 1, 1)
    p = (pixels << got["pixel_shift"]) - offset
    x = (np.einsum("ocij,bcij->bo", got["weight"], p) + got["bias"]) >> got["shift"]
    shape = (3, 1, 1)
    real = (pixels / 255 - np.reshape(mean, shape)) / np.reshape(std, shape)
    want = np.einsum("ocij,bcij->bo", weight, real) + bias
    assert np.abs(x / 4096 - want).max() < 0.004


@pytest.mark.parametrize("inputs", [16, 128, 1024])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_head_cannot_saturate(inputs, bits):
    rng = np.random.default_rng(inputs)
    weight, bias = rng.normal(size=(10, inputs)), rng.normal(size=10) * 3
    got = quantise.head("h", weight, bias, 1 / 4096, bits)
    assert np.abs(got["weight"]).max() < 1 << (bits - 1)
    for sign in (1, -1):  # the worst mean for each class
        worst = np.where(sign * got["weight"] > 0, MEMBRANE_MAX, -MEMBRANE_MAX - 1)
        for row, w, b in zip(worst, got["weight"], got["bias"], strict=True):
            free = (int(row @ w) + int(b)) >> got["shift"]
            assert head_sum(row[None], w[None], b, got["shift"])[0, 0] == free
    x = rng.integers(-8000, 8000, (5, inputs))
    logits = head_sum(x, got["weight"], got["bias"], got["shift"]) * got["scale"]
    want = x / 4096 @ weight.T + bias
    tolerance = 0.04 * np.abs(weight).max() * inputs**0.5 + got["scale"]
    assert np.abs(logits - want).max() < tolerance


@pytest.mark.parametrize("margin", [1e-6, -1e-6, 0.0])
def test_a_sum_just_above_theta_fires(margin):
    """One sum of each channel lies far less than a unit above, at, or below theta."""
    rng, one, sums = np.random.default_rng(0), 4064, np.arange(-100, 101)
    a = rng.uniform(0.001, 0.4, 500) * rng.choice([-1, 1], 500)
    at = rng.integers(-90, 91, 500)
    b = 1 + margin - a * at
    b[:2], a[:2] = (0.5, 1.5), 0.0  # constant channels
    got = quantise.affine("layer", a, b, one, 300, above=1.0)
    x = (got.factor[:, None] * sums + got.bias[:, None]) >> got.shift
    real = a[:, None] * sums + b[:, None]
    np.testing.assert_array_equal(x >= one + 1, real > 1)
    assert np.abs(x - real * one).max() <= 2 + 200 / 2**got.shift / 2
    plain = quantise.affine("layer", a, b, one, 300)
    x = (plain.factor[:, None] * sums + plain.bias[:, None]) >> plain.shift
    assert margin <= 0 or ((x >= one + 1) != (real > 1)).any()
