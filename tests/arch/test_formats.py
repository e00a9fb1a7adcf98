"""Fixed-point formats, against numbers written out."""

import numpy as np
import pytest

from hw.arch import formats
from hw.arch.formats import saturate, state_cell, state_levels


def test_limits():
    assert (formats.MEMBRANE_MIN, formats.MEMBRANE_MAX) == (-131072, 131071)
    assert (formats.FACTOR_MAX, formats.BIAS_MAX) == (131071, 2147483647)
    assert formats.STATE_MAX == 512 * 32 - 2 == 16382


@pytest.mark.parametrize(("bits", "levels"), [(2, 1), (4, 7), (8, 127)])
def test_codes_per_side(bits, levels):
    assert state_levels(bits) == levels
    assert bits in formats.STATE_BITS


def test_only_the_smallest_shift_has_fine_cells():
    assert [state_cell(shift) for shift in formats.STATE_SHIFTS] == [4, 32, 32, 32]


@pytest.mark.parametrize(
    ("acc_bits", "field", "plain", "both"),
    [
        (8, 12, 127, 127),
        (12, 12, 2047, 2047),
        (13, 12, 4095, 2047),  # the field's upper half is below 0
        (14, 24, 8191, 8191),
        (16, 24, 32767, 32767),
    ],
)
def test_counts_of_an_accumulator(acc_bits, field, plain, both):
    assert formats.field_bits(acc_bits) == field
    assert formats.most_count(acc_bits) == plain
    assert formats.most_count(acc_bits, both_signs=True) == both


def test_fields_fill_an_adder():
    assert [formats.ADDER_BITS % bits for bits in formats.FIELD_BITS] == [0, 0]


def test_saturate():
    given = [-(1 << 40), -131073, -131072, -1, 0, 131071, 131072, 1 << 40]
    wanted = [-131072, -131072, -131072, -1, 0, 131071, 131071, 131071]
    got = saturate(np.array(given, dtype=object))
    assert (got.tolist(), got.dtype) == (wanted, np.int64)
    assert saturate(np.array([200], np.uint8)).dtype == np.int64


def test_every_sum_of_a_lane_fits():
    """A factor times the largest count, doubled, and a bias stay below the accumulator's sign."""
    _, widest = formats.ACC_BITS
    most = formats.FACTOR_MAX * 2 * (1 << (widest - 1)) + formats.BIAS_MAX
    assert most < 1 << (formats.PRODUCT_BITS - 1)
