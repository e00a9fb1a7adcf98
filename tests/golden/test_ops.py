"""The reference functions against the words they stand for, value by value."""

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, STATE_MAX
from sw.golden import (
    affine,
    and_count,
    head_sum,
    lif_step,
    pixel_centre,
    pixel_sum,
    pool3x3,
    pool_counts,
    popcount_dot,
    residual_add,
    saturate,
    shortcut_add,
    state_code,
    state_step,
    token_mean,
    xnor_count,
)
from sw.golden.ops import windows

RNG = np.random.default_rng(0)


def test_saturate():
    got = saturate([MEMBRANE_MIN - 1, MEMBRANE_MIN, 0, MEMBRANE_MAX, MEMBRANE_MAX + 1])
    assert got.tolist() == [MEMBRANE_MIN, MEMBRANE_MIN, 0, MEMBRANE_MAX, MEMBRANE_MAX]


def test_popcount_dot_is_the_signed_dot_product():
    spikes = RNG.integers(0, 2, (5, 37))
    weight = RNG.random((4, 37)) < 0.5
    signed = spikes @ np.where(weight, 1, -1).T
    np.testing.assert_array_equal(popcount_dot(spikes, weight), signed)


def test_popcount_dot_corners():
    ones = np.ones(9, dtype=int)
    weight = np.array([[True] * 9, [False] * 9])
    assert popcount_dot(ones, weight).tolist() == [9, -9]
    assert popcount_dot(ones * 0, weight).tolist() == [0, 0]


def test_counts():
    left, right = np.array([[1, 1, 0, 0]]), np.array([[1, 0, 1, 0], [0, 0, 0, 0]])
    assert and_count(left, right).tolist() == [[1, 0]]
    assert xnor_count(left, right).tolist() == [[2, 2]]


def test_affine_rounds_by_its_bias_and_floors():
    assert affine(np.array([1, -1]), 24, 0, 4).tolist() == [1, -2]
    assert affine(np.array([1, -1]), 24, 8, 4).tolist() == [2, -1]  # halves go up
    assert affine(np.array([1000, -1000]), 131071, 0, 4).tolist() == [MEMBRANE_MAX, MEMBRANE_MIN]


def test_residual_add_halves_the_sum_of_two_with_floor():
    x = np.array([10])
    assert residual_add(x).tolist() == [10]
    assert residual_add(x, np.array([5])).tolist() == [15]
    assert residual_add(x, np.array([-4]), np.array([1])).tolist() == [8]
    assert residual_add(np.array([MEMBRANE_MAX]), np.array([1])).tolist() == [MEMBRANE_MAX]


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_lif_fires_at_the_threshold_itself(soft):
    v, spike = lif_step(np.array([0, 0, 1]), np.array([15, 16, 15]), 8, soft)
    assert spike.tolist() == [0, 1, 1]
    assert v.tolist() == [7, 0, 0]


def test_lif_resets():
    assert lif_step(20, 20, 8)[0] == 0
    assert lif_step(20, 20, 8, soft=True)[0] == 12
    assert lif_step(-3, 0, 8)[0] == -2  # floor


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 4), (8, 8)])
def test_pool_is_the_or_of_its_window(shape):
    spikes = (RNG.random((2, *shape)) < 0.3).astype(np.uint8)
    got = pool3x3(spikes)
    assert got.shape == (2, -(-shape[0] // 2), -(-shape[1] // 2))
    for (_, y, x), bit in np.ndenumerate(got[:1]):
        window = spikes[0, max(0, 2 * y - 1) : 2 * y + 2, max(0, 2 * x - 1) : 2 * x + 2]
        assert bit == window.max()


def test_pixels():
    pixels = np.array([[[0, 255]], [[1, 2]]], dtype=np.uint8)
    assert pixel_centre(pixels, 2, (10, 0)).tolist() == [[[-10, 1010]], [[4, 8]]]
    assert pixel_sum(np.array([1, -2]), np.array([[3, 4], [0, 1]])).tolist() == [-5, -2]


def test_windows_pad_with_zero_in_weight_order():
    x = np.arange(1, 9).reshape(2, 2, 2)
    taps = windows(x, 3, 3, 1)
    assert taps.shape == (2, 2, 18)
    assert taps[0, 0].tolist() == [0, 0, 0, 0, 1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 7, 8]


def test_mean_and_head():
    residual = np.arange(8).reshape(2, 1, 1, 2, 2)
    assert token_mean(residual, 2048, 1 << 13, 14).tolist() == [[4]]  # 3.5 rounded
    assert head_sum(np.array([[1, 2]]), np.array([[16, 32]]), np.array([8]), 4).tolist() == [[5]]


def test_shortcut_adds_its_value_and_saturates():
    x, spikes = np.array([5, 5, MEMBRANE_MAX, MEMBRANE_MIN]), np.array([0, 1, 1, 1])
    assert shortcut_add(x, spikes, 9).tolist() == [5, 14, MEMBRANE_MAX, MEMBRANE_MIN + 9]
    assert shortcut_add(x, spikes, -9).tolist() == [5, -4, MEMBRANE_MAX - 9, MEMBRANE_MIN]


THRESHOLDS = np.array([1, 4, 4, STATE_MAX, STATE_MAX + 1, STATE_MAX + 1, STATE_MAX + 1])


def test_code_counts_thresholds_that_the_magnitude_reaches():
    """A threshold equal to |w| counts; STATE_MAX + 1 never does."""
    w = np.array([0, 1, 3, 4, STATE_MAX - 1, STATE_MAX, STATE_MAX + 1, MEMBRANE_MAX * 2])
    assert state_code(w, THRESHOLDS).tolist() == [0, 1, 1, 3, 3, 4, 4, 4]
    assert state_code(-w, THRESHOLDS).tolist() == [0, -1, -1, -3, -3, -4, -4, -4]


def test_state_step_leaks_adds_and_resets():
    code, spike = state_step(np.array([3, -3, 0, 7]), 4, 32, THRESHOLDS, 4)
    assert spike.tolist() == [1, 0, 0, 1]
    assert code.tolist() == [0, -3, 3, 0]  # -44 and 4
    fires = state_step(np.array([0, 0]), np.array([31, 32]), 32, THRESHOLDS, 4)[1]
    assert fires.tolist() == [0, 1]  # at the threshold itself


def test_state_step_does_not_saturate():
    """Codes of 8 bits at the largest shift reach past 18 bits and come back."""
    y = np.array([MEMBRANE_MAX, MEMBRANE_MIN])
    code = np.array([-127, 127])
    assert ((code << 11) + y).tolist() == [-129025, 129024]
    assert state_step(code, y, 129_024, np.arange(1, 128), 11)[1].tolist() == [0, 1]
    assert state_step(code, y, 129_025, np.arange(1, 128), 11)[1].tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (4, 7), (2, 3), (9, 2)])
def test_pool_counts_drop_what_is_left_over(shape):
    spikes = (RNG.random((3, 2, *shape)) < 0.5).astype(np.uint8)
    got = pool_counts(spikes)
    assert got.shape == (3, 2, shape[0] // 2, shape[1] // 2)
    for (m, c, y, x), count in np.ndenumerate(got):
        assert count == spikes[m, c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].sum()


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("side", [6, 7])
def test_strided_windows_are_every_second_one(kernel, side):
    x = RNG.integers(0, 9, (2, 3, side, side + 1))
    every = windows(x, kernel, kernel, kernel // 2)
    np.testing.assert_array_equal(windows(x, kernel, kernel, kernel // 2, 2), every[:, ::2, ::2])


def test_mean_of_spikes_without_tokens_is_channel_major():
    spikes = np.arange(24).reshape(2, 1, 3, 2, 2) % 2
    spikes[1, 0, 2, 1, 1] = 5
    got = token_mean(spikes, 16, 8, 4, over_tokens=False)
    assert got.tolist() == [[0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 6]]
