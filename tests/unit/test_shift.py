"""A unit's sum shifted and clipped, against the golden saturation, a cycle later."""

import itertools

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, PRODUCT_BITS, SHIFTS
from hw.core.shift import Shift
from sw.golden import ops
from tests.unit.bench import Bench
from tests.unit.lanes import shut

TOP = 1 << PRODUCT_BITS - 1


@pytest.mark.parametrize("units", [1, 2, 4])
def test_equals_golden(units):
    """Sums on both sides of what fits; the other units, and other shifts before, do not matter."""
    rng, rows, want = np.random.default_rng(units), [], []
    near = [
        (v << s) + d for v in (MEMBRANE_MAX + 1, MEMBRANE_MIN, 0) for s in SHIFTS for d in (-1, 0)
    ]
    sums = [-TOP, TOP - 1, *near, *rng.integers(-TOP, TOP, size=40).tolist()]
    sums += [int(rng.integers(-TOP, TOP)) >> int(rng.integers(PRODUCT_BITS)) for _ in range(200)]
    for value, shift in itertools.product(sums, rng.permutation(len(SHIFTS)).tolist()):
        unit = int(rng.integers(units))
        p = rng.integers(-TOP, TOP, size=units).tolist()
        p[unit] = value
        rows.append({"p": p, "unit": unit, "shut": shut(shift)})
        want.append(int(ops.saturate(value >> SHIFTS[shift])))
    seen = Bench(Shift(units), ["p", "unit", "shut"], ["x"]).play([*rows, {}])
    assert [s["x"] for s in seen[Shift.latency :]] == want
    assert {MEMBRANE_MAX, MEMBRANE_MIN} <= set(want)
