"""Stored membranes and heads of counts: the integers against torch and exact arithmetic."""

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, PRODUCT_BITS, STATE_MAX, state_levels
from hw.common.errors import SpikeloomError
from sw.golden import head_sum, state_code
from sw.golden.ops import token_mean
from sw.lower import quantise
from sw.lower.units import STATE_ONE, state_shifts, state_unit

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


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_half_a_stored_membrane_is_a_shifted_code(bits, alpha):
    shift = state_shifts(bits, alpha)[0]
    one = state_unit(bits, alpha, shift)
    codes = np.arange(state_levels(bits) + 1)
    half = 0.5 * codes * alpha / state_levels(bits)
    np.testing.assert_allclose(half * one, codes << shift, rtol=1e-12)
    assert one <= STATE_ONE or shift == 1


def test_units_are_about_twelve_bits_at_alpha_one():
    found = {bits: state_unit(bits, 1.0, state_shifts(bits, 1.0)[0]) for bits in (2, 4, 8)}
    assert found == {2: 4096, 4: 3584, 8: 4064}


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
