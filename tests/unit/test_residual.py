"""Residual alone against the golden sums, in the cycles its docstring states."""

import itertools

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from hw.arch.isa import Keep, Res
from hw.core.mixer import Source
from hw.core.residual import Residual
from tests.unit.bench import Bench
from tests.unit.lanes import CONFIG, CORNERS, SOURCES, numbers

N = 200


@pytest.fixture(scope="module")
def bench():
    ports = ["mode", "x", "res_a", "res_b", "sc", "source", "adds"]
    return Bench(Residual(CONFIG), ports, ["r", "y", "kept"])


@pytest.mark.parametrize("keep", [Keep.Y, Keep.SPIKE])
@pytest.mark.parametrize("res", Res)
def test_equals_golden(bench, res, keep):
    """Back to back: residual words a cycle before x, y a cycle after it; all pairs of corners."""
    rng = np.random.default_rng(int(res))
    x, a, b = ([*CORNERS, *numbers(rng, MEMBRANE_MIN, MEMBRANE_MAX, N - 7)] for _ in range(3))
    pairs = [*itertools.product(CORNERS, CORNERS)]
    x += [first for first, _ in pairs]
    b += [second for _, second in pairs]
    a += [CORNERS[n % len(CORNERS)] for n in range(len(pairs))]
    sc = rng.integers(2, size=len(x)).tolist()
    spike = int(keep == Keep.SPIKE)
    mode = {"average": int(res == Res.AVERAGE), "sc_value": -4321, "keeps_spike": spike}
    told = {"source": SOURCES[res], "adds": int(res in (Res.ADD, Res.AVERAGE))}
    rows = [{"mode": mode, **told} for _ in range(len(x) + 2)]
    for n in range(len(x)):
        rows[n] |= {"res_a": a[n], "res_b": b[n], "sc": sc[n]}
        rows[n + 1] |= {"x": x[n]}
    seen = bench.play(rows)
    for n in range(len(x)):
        r = {
            Res.NONE: 0,
            Res.SPIKE: -4321 * sc[n],
            Res.ADD: b[n],
            Res.AVERAGE: (a[n] + b[n]) >> 1,
        }[res]
        if res != Res.AVERAGE:
            assert seen[n + 1]["r"] == r, n
        y = min(max(x[n] + r, MEMBRANE_MIN), MEMBRANE_MAX)
        out = seen[n + 1 + Residual.latency]
        assert (out["y"], out["kept"]) == (y, 0 if spike else x[n] + r), n


def test_a_mean_takes_a_word_of_either_buffer_or_none(bench):
    rng = np.random.default_rng(9)
    a, b = ([*CORNERS, *numbers(rng, MEMBRANE_MIN, MEMBRANE_MAX, N - 7)] for _ in range(2))
    takes = rng.integers(3, size=N).tolist()
    rows = [
        {"res_a": a[n], "res_b": b[n], "adds": int(take > 0)}
        | {"source": Source.B if take == 2 else Source.A}
        for n, take in enumerate(takes)
    ]
    seen = bench.play([*rows, {}])
    assert [s["r"] for s in seen[1:]] == [(0, a[n], b[n])[take] for n, take in enumerate(takes)]
