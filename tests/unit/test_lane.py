"""Lane against the golden affine map, residual and neuron, in the cycles its docstring states."""

import itertools

import numpy as np
import pytest

from hw.arch import Config, timing
from hw.arch.formats import (
    BIAS_MAX,
    FACTOR_MAX,
    MEMBRANE_MAX,
    MEMBRANE_MIN,
    PRODUCT_BITS,
    SHIFTS,
)
from hw.arch.isa import Res
from hw.core.lane import Lane
from sw.golden import ops
from tests.unit.bench import Bench

CONFIG = Config(rows=4, cols=8, width=32)
INPUTS = ["mode", "acc", "side", "col", "par_we", "par_index", "par_half", "use", "swap", "first",
          "mean_a", "mean_b", "load", "res_a", "res_b", "fire", "row", "start"]
CORNERS = [MEMBRANE_MIN, MEMBRANE_MIN + 1, -1, 0, 1, MEMBRANE_MAX - 1, MEMBRANE_MAX]
X, Y, SPIKE = (t - timing.S_READY for t in (timing.X, timing.Y, timing.SPIKE))
PLAIN = 16  # a factor that with the first shift gives x = S


def test_docstring_states_the_timing_file():
    assert (X, Y, SPIKE) == (4, 5, 6)
    assert timing.PRODUCT - timing.S_READY == 3


@pytest.fixture(scope="module")
def bench():
    return Bench(Lane(CONFIG), INPUTS, ["x", "y", "spike"])


class Script:
    """Stimulus of one lane; ports not named in a cycle carry noise wherever that is harmless."""

    def __init__(self, seed=0, **mode):
        self.rng, self.mode = np.random.default_rng(seed), {"gemm": 1, **mode}
        self.rows, self.at = [], 0

    def put(self, cycle, **values):
        while len(self.rows) <= cycle:
            r = self.rng.integers(1 << 32, size=10).tolist()
            self.rows.append({
                "mode": self.mode, "col": r[0], "par_index": r[1] & 31, "par_half": r[2] & 1,
                "row": r[3] & 3, "start": r[4] & 1})
            if self.mode["gemm"]:  # P is opened by every event: what is between does not matter
                self.rows[-1] |= {"acc": r[5], "side": r[6], "use": r[7] & 31}
        taken = values.keys() & self.rows[cycle].keys() - {
            "mode", "col", "par_index", "par_half", "row", "start", "acc", "side", "use"}
        assert not taken, taken
        self.rows[cycle] |= values

    def parameters(self, words, half=0, at=None):
        """Bias, then factors, on consecutive cycles."""
        at = self.at if at is None else at
        for n, v in enumerate(words):
            self.put(at + n, col=int(v), par_we=1, par_index=n, par_half=half)
        self.at = max(self.at, at + len(words))

    def event(self, at=None, *, acc=0, side=0, use=0, swap=0, res_a=0, res_b=0, row=0, start=0,
              fire=1):
        """One row of a GEMM; returns its cycle."""
        at = self.at if at is None else at
        self.put(at, acc=acc, side=side, use=use, swap=swap)
        self.put(at + 1, first=1)
        self.put(at + 3, load=1, res_a=res_a, res_b=res_b)
        self.put(at + 5, fire=fire, row=row, start=start)
        self.put(at + 7)
        self.at = max(self.at, at + 1)
        return at

    def play(self, bench):
        return bench.play(self.rows)


def numbers(rng, low, high, n):
    """Random integers with many corners."""
    out = rng.integers(low, high + 1, size=n)
    pick = rng.random(n) < 0.3
    out[pick] = rng.choice([low, low + 1, -1, 0, 1, high - 1, high], size=pick.sum())
    return out.tolist()


@pytest.mark.parametrize("double", [0, 1])
@pytest.mark.parametrize("shift", range(len(SHIFTS)))
def test_affine(bench, shift, double):
    """x of back-to-back rows; new bias and factors before each group."""
    rng, s = np.random.default_rng(shift), Script(shift, shift=shift, double=double)
    want, top = {}, 1 << (CONFIG.acc_bits - 1)
    for group in range(8):
        bias = numbers(rng, -BIAS_MAX - 1, BIAS_MAX, 1)[0]
        factors = numbers(rng, -FACTOR_MAX - 1, FACTOR_MAX, 4)
        if group == 0:
            bias, factors[0] = BIAS_MAX, FACTOR_MAX
        s.parameters([bias, *factors], half=group & 1)
        for n in range(8):
            acc = numbers(rng, -top, top - 1, 1)[0]
            side = -int(rng.integers(top)) if rng.random() < 0.8 else 0
            total = (acc << double) + side
            entry = n & 3
            at = s.event(acc=acc, side=side, use=entry | (group & 1) << 4, swap=n == 0)
            assert abs(total * factors[entry] + bias) < 1 << (PRODUCT_BITS - 1)
            want[at + X] = int(ops.affine(total, factors[entry], bias, SHIFTS[shift]))
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want
    if shift == 0:
        assert MEMBRANE_MAX in want.values()
        assert MEMBRANE_MIN in want.values()


def test_rounding_is_down_and_saturation_sharp(bench):
    """Products one below and above the last that fits, and -1 >> shift = -1."""
    for shift, bits in enumerate(SHIFTS):
        s, want = Script(shift=shift), {}
        for value in (-1, 0, 1, -(1 << bits), (1 << bits) - 1,
                      MEMBRANE_MAX << bits, (MEMBRANE_MAX + 1 << bits) - 1,
                      MEMBRANE_MAX + 1 << bits, MEMBRANE_MIN << bits, (MEMBRANE_MIN << bits) - 1):
            if not -BIAS_MAX <= value <= BIAS_MAX:
                continue
            s.parameters([value, PLAIN])
            want[s.event(swap=1) + X] = int(np.clip(value >> bits, MEMBRANE_MIN, MEMBRANE_MAX))
        seen = s.play(bench)
        assert {t: seen[t]["x"] for t in want} == want


@pytest.mark.parametrize("res", Res)
def test_residual(bench, res):
    """y for all pairs of corners and random values; NONE and SET ignore what the memories hold."""
    rng, s, want = np.random.default_rng(4), Script(res=int(res)), {}
    s.parameters([0, PLAIN])
    s.event(swap=1)
    cases = list(itertools.product(CORNERS, CORNERS)) + [
        tuple(v) for v in rng.integers(MEMBRANE_MIN, MEMBRANE_MAX + 1, size=(40, 2)).tolist()]
    for n, (x, b) in enumerate(cases):
        a = CORNERS[n % len(CORNERS)] if n % 3 else -b - 1
        at = s.event(side=x, res_a=a, res_b=b)
        streams = {Res.ADD: (b,), Res.AVERAGE: (a, b)}.get(res, ())
        want[at + Y] = int(ops.residual_add(x, *streams))
    seen = s.play(bench)
    assert {t: seen[t]["y"] for t in want} == want


@pytest.mark.parametrize("soft", [0, 1], ids=["hard", "soft"])
@pytest.mark.parametrize("theta", [1, 2, 1000, MEMBRANE_MAX >> 1])
def test_neuron(bench, theta, soft):
    """Several steps of each row's own membrane, driven to theta and to one on either side."""
    rng, s, want = np.random.default_rng(theta), Script(soft=soft, theta=theta), {}
    s.parameters([0, PLAIN])
    s.event(swap=1, fire=0)
    v = np.zeros(CONFIG.rows, np.int64)
    aimed = set()
    for n in range(60):
        start = n % 5 == 0
        for row in range(CONFIG.rows):
            old = 0 if start else v[row]
            aim = [theta - 1, theta, theta + 1][int(rng.integers(3))]
            y = int(rng.choice([*CORNERS, theta, 2 * aim - old, 2 * aim - old + 1,
                                2 * aim - old + 1]))
            y = int(ops.saturate(y))
            aimed.add(int((old + y) >> 1) - theta)
            at = s.event(side=y, row=row, start=int(start))
            after, spike = ops.lif_step(old, y, theta, bool(soft))
            v[row] = after
            want[at + SPIKE] = int(spike)
    seen = s.play(bench)
    assert {t: seen[t]["spike"] for t in want} == want
    assert {0, 1} == set(want.values())
    assert aimed >= {-1, 0, 1}


@pytest.mark.parametrize("theta", [0, MEMBRANE_MAX])
def test_never_spikes(bench, theta):
    """0 switches the neuron off; the largest threshold is out of reach of a mean of two."""
    s = Script(theta=theta)
    s.parameters([0, PLAIN])
    events = [s.event(side=v, swap=1, start=1) for v in CORNERS]
    seen = s.play(bench)
    assert [seen[t + SPIKE]["spike"] for t in events] == [0] * len(CORNERS)


def test_membrane_moves_only_on_fire(bench):
    s = Script(theta=100)
    s.parameters([0, PLAIN])
    s.event(side=180, start=1, row=1, swap=1)  # v = 90
    s.event(side=5000, fire=0, row=1)
    at = s.event(side=110, row=1)  # (90 + 110) >> 1 = 100
    seen = s.play(bench)
    assert seen[at + SPIKE]["spike"] == 1
    assert seen[at + SPIKE - 1]["y"] == 110


def test_parameters_are_double_buffered(bench):
    """Half 1 and the next bias are loaded while every cycle uses half 0 and the old bias."""
    rng, s, want = np.random.default_rng(6), Script(), {}
    sets = [(int(rng.integers(-9999, 9999)), rng.integers(-999, 999, size=16).tolist())
            for _ in range(3)]
    s.parameters([sets[0][0], *sets[0][1]], half=0)
    begin = s.at
    for k, (bias, factors) in enumerate(sets):
        for n in range(20):
            at = s.event(begin + 20 * k + n, side=1000 + n, use=n % 16 | (k & 1) << 4, swap=n == 0)
            want[at + X] = int(ops.affine(1000 + n, factors[n % 16], bias, SHIFTS[0]))
        if k + 1 < len(sets):
            s.parameters([sets[k + 1][0], *sets[k + 1][1]], half=(k + 1) & 1, at=begin + 20 * k + 1)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_factor_table_per_step(bench):
    """All 16 entries of both halves, in any order."""
    rng, s, want = np.random.default_rng(7), Script(shift=1), {}
    tables = rng.integers(-FACTOR_MAX, FACTOR_MAX, size=(2, 16)).tolist()
    for half in (0, 1):
        s.parameters([-5, *tables[half]], half=half)
    for n, use in enumerate(rng.permutation(64) % 32):
        at = s.event(acc=3 * n - 90, use=int(use), swap=1)
        want[at + X] = int(ops.affine(3 * n - 90, tables[use >> 4][use & 15], -5, SHIFTS[1]))
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_mac(bench):
    """Pixels by 18-bit weights of the column words, sums of several lengths back to back."""
    rng, s, want = np.random.default_rng(8), Script(gemm=0, mac=1, shift=2), {}
    bias = 0
    for count in (1, 5, 3, 9, 1, 1, 4):
        if count in (5, 9):
            bias = int(rng.integers(-BIAS_MAX, BIAS_MAX))
            s.parameters([bias])
        p = rng.integers(-1 << 15, 1 << 15, size=count)
        w = rng.integers(-1 << 15, 1 << 15, size=count)
        w[0] = rng.choice([FACTOR_MAX, -FACTOR_MAX - 1])
        garbage = int(rng.integers(1 << 14)) << 18  # bits above the weight
        for n in range(count):
            at = s.at
            s.put(at, side=int(p[n]), col=int(w[n]) & 0x3FFFF | garbage, swap=int(n == 0),
                  acc=int(rng.integers(4096)))
            s.put(at + 1, first=int(n == 0))
            s.at += 1
        s.put(at + 3, load=1)
        total = int(ops.pixel_sum(p[None], w[None])[0, 0])
        want[at + X] = int(ops.saturate((total + bias) >> SHIFTS[2]))
    s.put(s.at + 8)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


@pytest.mark.parametrize("buffer", ["a", "b"])
def test_mean(bench, buffer):
    """Residual words by one factor; words that are not gated in count nothing."""
    rng, s = np.random.default_rng(9), Script(gemm=0, shift=3)
    other = "b" if buffer == "a" else "a"
    bias, factor, want = -12345, 77, {}
    s.parameters([bias, factor])
    for count in (6, 1, 8):
        words = rng.integers(MEMBRANE_MIN, MEMBRANE_MAX + 1, size=count)
        gate = rng.random(count) < 0.7
        for n in range(count):
            at = s.at
            s.put(at, **{f"mean_{buffer}": int(gate[n]), f"res_{buffer}": int(words[n]),
                         f"res_{other}": int(rng.integers(1 << 17)), "swap": int(n == 0)})
            s.put(at + 1, first=int(n == 0))
            s.at += 1
        s.put(at + 3, load=1)
        residual = (words * gate).reshape(1, 1, 1, 1, -1)
        want[at + X] = int(ops.token_mean(residual, factor, bias, SHIFTS[3])[0, 0])
    s.put(s.at + 8)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_x_holds_until_load(bench):
    s = Script()
    s.parameters([0, PLAIN])
    at = s.event(side=321, swap=1)
    s.put(at + 20)
    seen = s.play(bench)
    assert [r["x"] for r in seen[at + X: at + 20]] == [321] * (20 - X)
