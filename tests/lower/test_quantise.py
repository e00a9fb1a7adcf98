"""Choice of integers, layer by layer."""

import numpy as np
import pytest

from hw.arch.formats import FACTOR_MAX, MEMBRANE_MAX, PRODUCT_BITS, STATE_MAX, state_levels
from hw.common.errors import SpikeloomError
from sw.golden import affine as apply_affine
from sw.golden import head_sum, state_code, token_mean
from sw.lower import quantise
from sw.lower.units import state_shifts, state_unit


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


ALPHAS = (1.0, 0.9997, 0.988, 0.9, 0.75, 0.5, 0.1, 1.2, 2.0, 14 / 3)


def grid(bits, alpha):
    """Units per 1.0, thresholds, and all magnitudes that they tell apart."""
    one = state_unit(bits, alpha, state_shifts(bits, alpha)[0])
    return one, quantise.state_thresholds(bits, alpha, one), np.arange(STATE_MAX + 1)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_thresholds_give_the_codes_of_torch(bits, alpha):
    """Every membrane of the grid, both signs; float32 may differ by an ulp beside a tie only."""
    torch = pytest.importorskip("torch")
    from sw.families.qsnn.neurons import store

    levels = state_levels(bits)
    one, thresholds, w = grid(bits, alpha)
    for sign in (1, -1):
        v = torch.from_numpy((sign * w / one).astype(np.float32))
        want = torch.round(store(v, bits, alpha).double() * levels / alpha).numpy()
        got = state_code(sign * w, thresholds)
        exact = np.minimum(np.tanh(w / one) / alpha, 1) * levels
        beside = np.abs(exact % 1 - 0.5) < 4 * np.spacing(np.float32(levels))
        assert (got == want)[~beside].all()
        assert beside.mean() < 0.01 or alpha > 1  # tanh itself ends on a tie at alpha 2 and 14/3
        assert np.abs(got - want).max() <= 1


@pytest.mark.parametrize(("bits", "top"), [(2, 0), (4, 4)])
def test_ties_to_even(bits, top):
    """At alpha 2 the largest |v| lies half way: 0.5 goes to code 0, 3.5 to code 4."""
    torch = pytest.importorskip("torch")
    from sw.families.qsnn.neurons import store

    one = 1792.0  # STATE_MAX is |v| = 9.14, whose tanh is 1 in float32
    levels = state_levels(bits)
    thresholds = quantise.state_thresholds(bits, 2.0, one)
    v = torch.tensor([STATE_MAX / one])
    assert round(float(store(v, bits, 2.0)) * levels / 2) == top
    assert state_code(np.array([STATE_MAX, -STATE_MAX]), thresholds).tolist() == [top, -top]
    beyond = STATE_MAX + 1
    assert thresholds[top:].tolist() == [beyond] * (levels - top)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_thresholds_are_atanh_at_the_half_steps(bits):
    one, thresholds, _ = grid(bits, 1.0)
    levels = state_levels(bits)
    j = np.arange(1, levels + 1)
    np.testing.assert_array_equal(thresholds, np.ceil(np.arctanh((j - 0.5) / levels) * one))


@pytest.mark.parametrize("seed", range(12))
def test_logits_of_counts_are_exact_and_cannot_saturate(seed):
    """The head is the rounded-down sum; its ends are those of the worst counts."""
    rng = np.random.default_rng(seed)
    inputs, count = int(rng.integers(1, 600)), int(rng.choice([1, 2, 16, 98, 784, 16 * 56 * 56]))
    weight = rng.integers(-230, 128, (10, inputs))
    unit = 0.01 * float(rng.choice([1, -1]))
    bias = rng.normal(size=10) * abs(unit) * float(rng.choice([0, 10, 1000])) * count
    mean, fields = quantise.count_head("h", weight, unit, bias, count)
    assert fields["weight_bits"] == int(np.abs(weight).max()).bit_length() + 1
    counts = rng.integers(0, count + 1, (20, inputs))
    counts[0], counts[1] = 0, count
    for o in range(10):  # the most and the least of every class
        sign = 1 if o % 2 else -1
        counts[2 + o] = np.where(sign * fields["weight"][o] > 0, count, 0)
    x = token_mean(counts[None, :, :, None, None], mean["factor"], mean["bias"], mean["shift"])
    scale = int(x[1, 0]) / count
    np.testing.assert_array_equal(x, counts * scale)  # exact
    got = head_sum(x, fields["weight"], fields["bias"], fields["shift"])
    assert np.abs(got).max() < MEMBRANE_MAX
    assert fields["scale"] > 0
    real = unit * counts @ weight.T + bias
    assert np.abs(got * fields["scale"] - real).max() <= fields["scale"] * 1.001
    finer = np.abs(real).max() / (fields["scale"] / 2)
    assert finer > MEMBRANE_MAX / 2 or fields["scale"] <= abs(unit) / 256


def test_a_head_beyond_the_accumulator_takes_coarser_weights():
    weight = np.full((3, 8192), 100)
    weight[1] = -100
    mean, fields = quantise.count_head("h", weight, 0.5, np.zeros(3), 4)
    assert 20 <= fields["weight"].max() < 100
    worst = np.abs(fields["weight"]).sum(axis=1).max() * (MEMBRANE_MAX + 1)
    assert worst + np.abs(fields["bias"]).max() < 1 << (PRODUCT_BITS - 1)
    x = np.full((1, 8192), 4 * mean["factor"] >> mean["shift"])
    got = head_sum(x, fields["weight"], fields["bias"], fields["shift"]) * fields["scale"]
    np.testing.assert_allclose(got[0], 0.5 * 4 * weight.sum(axis=1), rtol=0.05)


def test_biases_that_do_not_fit_are_refused():
    with pytest.raises(SpikeloomError, match="biases up to 1e"):
        quantise.count_head("h", np.ones((2, 3), dtype=int), 1e-9, np.full(2, 1e9), 4)
