"""Residual alone against the golden sums, in the cycles its docstring states."""

import dataclasses

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from hw.arch.isa import Res
from hw.core.residual import Residual
from tests.unit.bench import Bench
from tests.unit.lanes import CONFIG, CORNERS, numbers

N = 200


@pytest.fixture(scope="module")
def benches():
    return {
        bits: Bench(
            Residual(dataclasses.replace(CONFIG, state_bits=bits)),
            ["mode", "x", "res_a", "res_b", "sc"],
            ["y", "drive"],
        )
        for bits in (0, 8)
    }


@pytest.mark.parametrize("bits", [0, 8])
@pytest.mark.parametrize("leak", [0, 1])
@pytest.mark.parametrize("res", Res)
def test_equals_golden(benches, res, leak, bits):
    """Back to back: residual words a cycle before x, y a cycle after it."""
    rng = np.random.default_rng(int(res))
    x, a, b = ([*CORNERS, *numbers(rng, MEMBRANE_MIN, MEMBRANE_MAX, N - 7)] for _ in range(3))
    sc = rng.integers(2, size=N).tolist()
    mode = {"res": int(res), "sc_value": -4321, "leak": leak}
    rows = [{"mode": mode} for _ in range(N + 2)]
    for n in range(N):
        rows[n] |= {"res_a": a[n], "res_b": b[n], "sc": sc[n]}
        rows[n + 1] |= {"x": x[n]}
    seen = benches[bits].play(rows)
    for n in range(N):
        r = {
            Res.NONE: 0,
            Res.SPIKE: -4321 * sc[n],
            Res.ADD: b[n],
            Res.AVERAGE: (a[n] + b[n]) >> 1,
        }[res]
        r -= (r + (1 << 17) >> 18) << 18
        y = min(max(x[n] + r, MEMBRANE_MIN), MEMBRANE_MAX)
        out = seen[n + 1 + Residual.latency]
        assert (out["y"], out["drive"]) == (y, 2 * y if leak and bits else y), n
