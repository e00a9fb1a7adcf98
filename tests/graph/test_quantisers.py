"""Weights as the authors' quantisers leave them, against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from sw.graph import binarise, integers, power_of_two, quantise

RNG = np.random.default_rng(11)


def test_signs_are_those_around_the_filters_own_mean():
    """Whole weights, whose mean of 16 float32 holds exactly."""
    weight = RNG.integers(-8, 9, (5, 4, 2, 2)).astype(np.float32)
    weight[0].reshape(4, 4)[:] = 7, 9, 8, 8  # all positive, two at the mean
    got = binarise(weight)
    assert got.shape == weight.shape
    for row, signs in zip(weight, got, strict=True):
        whole = [int(w) for w in row.ravel()]
        total = sum(whole)
        want = [(16 * w > total) - (16 * w < total) for w in whole]
        assert signs.ravel().tolist() == want
    assert got[0].ravel().tolist() == [-1, 1, 0, 0] * 4


def test_scales_are_the_nearest_powers_of_two():
    """Of the mean magnitude of a filter whose mean is 0 and unbiased deviation 1."""
    weight = np.zeros((3, 1, 1, 4), np.float32)
    weight[0, 0, 0] = 1, -1, 1, -1  # z = sqrt(3 / 4): nearest 1
    weight[1, 0, 0] = 9, 1, 1, 1  # mean |z| = 6 / 8: log2 -0.415, nearest 1
    weight[2, 0, 0] = 5, 5, 5, 5
    got = power_of_two(weight)
    assert got.dtype == np.float32
    assert got[:2].tolist() == [1, 1]
    assert np.isnan(got[2])
    few = np.zeros((1, 1, 5, 6), np.float32)
    few[0, 0, 0, 0] = 1  # mean |z| = 58 / 30**1.5: 2**-1.502, and 2**-1.478 of the biased one
    assert power_of_two(few).tolist() == [0.25]
    one = np.zeros((1, 1, 8, 8), np.float32)
    one[0, 0, 0, 0] = 1  # mean |z| = 2 * 63 / 64 / 64 * 8: 2**-2.02
    assert power_of_two(one).tolist() == [0.25]


@pytest.mark.parametrize(("bits", "top"), [(2, 1), (4, 7), (8, 127)])
def test_the_signed_maximum_is_the_largest_level(bits, top):
    weight = np.array([[0.5, -1.0], [0.25, 0.0]], np.float32)
    want = [[top, -2 * top], [round(Fraction(top, 2)), 0]]  # ties to even
    assert integers(weight, bits).tolist() == want
    assert integers(weight, bits).dtype == np.int64
    got = quantise(weight, bits)
    assert got.dtype == np.float32
    assert got.tolist() == (np.array(want, np.float32) / np.float32(top) * np.float32(0.5)).tolist()


def test_a_tensor_of_negative_weights_turns_its_integers():
    """max is -0.5: the integers are positive, and times max negative again."""
    weight = np.array([-0.5, -1.0, -2.0], np.float32)
    assert integers(weight, 4).tolist() == [7, 14, 28]
    assert quantise(weight, 4).tolist() == [-0.5, -1.0, -2.0]
