"""Lane against the golden affine map, residual and neuron, in the cycles its docstring states."""

import dataclasses
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
    STATE_BITS,
    STATE_MAX,
    STATE_SHIFTS,
    state_cell,
    state_levels,
)
from hw.arch.isa import Keep, Res
from hw.core.lane import CODE, PICKED, Lane
from sw.golden import ops
from tests.unit.bench import Bench
from tests.unit.states import entries, thresholds_of

CONFIG = Config(rows=4, cols=8, width=32)
INPUTS = [
    "mode",
    "acc",
    "side",
    "col",
    "par_we",
    "par_index",
    "par_half",
    "use",
    "swap",
    "first",
    "mean_a",
    "mean_b",
    "load",
    "res_a",
    "res_b",
    "fire",
    "row",
    "start",
    "sc",
    "entry",
    "code_at",
    "forget",
    "pick",
    "pick_row",
    "code_into",
    "code_keep",
]
CORNERS = [MEMBRANE_MIN, MEMBRANE_MIN + 1, -1, 0, 1, MEMBRANE_MAX - 1, MEMBRANE_MAX]
X, Y, SPIKE = (t - timing.S_READY for t in (timing.X, timing.Y, timing.SPIKE))
NOISE = {
    "mode",
    "col",
    "par_index",
    "par_half",
    "row",
    "start",
    "acc",
    "side",
    "use",
    "sc",
    "entry",
    "code_at",
    "forget",
    "pick",
    "pick_row",
    "code_into",
    "code_keep",
}
#: These may stand anywhere.
PLAIN = 16  # a factor that with the first shift gives x = S


def test_docstring_states_the_timing_file():
    assert (X, Y, SPIKE) == (4, 5, 6)
    assert timing.PRODUCT - timing.S_READY == 3
    assert (PICKED, CODE) == (4, 9)


@pytest.fixture(scope="module")
def benches():
    return {
        bits: Bench(
            Lane(dataclasses.replace(CONFIG, state_bits=bits)),
            INPUTS,
            ["x", "y", "spike", "kept", "code", "cell"],
        )
        for bits in (0, 2, 4, 8)
    }


@pytest.fixture(params=[8, 0], ids=["codes", "plain"])
def bench(benches, request):
    """A lane that can store codes, but here is not asked to, and one that cannot."""
    return benches[request.param]


class Script:
    """Stimulus of one lane; ports not named in a cycle carry noise wherever that is harmless."""

    def __init__(self, seed=0, **mode):
        self.rng, self.mode = np.random.default_rng(seed), {"gemm": 1, **mode}
        self.rows, self.at, self.table = [], 0, None

    def put(self, cycle, **values):
        while len(self.rows) <= cycle:
            r = self.rng.integers(1 << 32, size=17).tolist()
            self.rows.append(
                {
                    "mode": self.mode,
                    "col": r[0],
                    "par_index": r[1] & 31,
                    "par_half": r[2] & 1,
                    "row": r[3] & 3,
                    "start": r[4] & 1,
                    "sc": r[8] & 1,
                    "code_at": r[9] & 7,
                    "forget": r[10] & 1,
                    "code_into": r[11] & 3,
                    "pick_row": r[12] & 3,
                }
            )
            if not self.mode.get("leak"):
                self.rows[-1] |= {"code_keep": r[13] & 1, "entry": r[14] & 0x1FFF}
            if not self.mode.get("persist"):
                self.rows[-1] |= {"pick": r[15] & 1}
            if self.mode["gemm"]:  # P is opened by every event: what is between does not matter
                self.rows[-1] |= {"acc": r[5], "side": r[6], "use": r[7] & 31}
        taken = values.keys() & self.rows[cycle].keys() - NOISE
        assert not taken, taken
        self.rows[cycle] |= values

    def parameters(self, words, half=0, at=None):
        """Bias, then factors, on consecutive cycles."""
        at = self.at if at is None else at
        for n, v in enumerate(words):
            self.put(at + n, col=int(v), par_we=1, par_index=n, par_half=half)
        self.at = max(self.at, at + len(words))

    def event(
        self,
        at=None,
        *,
        acc=0,
        side=0,
        use=0,
        swap=0,
        res_a=0,
        res_b=0,
        row=0,
        start=0,
        fire=1,
        **at_load,
    ):
        """One row of a GEMM; returns its cycle. ``at_load``: ports with the residual's words."""
        at = self.at if at is None else at
        self.put(at, acc=acc, side=side, use=use, swap=swap)
        self.put(at + 1, first=1)
        self.put(at + 3, load=1, res_a=res_a, res_b=res_b, **at_load)
        if self.mode.get("persist"):
            assert not start
            self.put(at + PICKED, pick=fire, pick_row=row)
        self.put(at + 5, fire=fire, row=row, start=start)
        self.put(at + 7)
        self.at = max(self.at, at + 1)
        return at

    def play(self, bench):
        """The table, where there is one, answers a cycle later."""
        if self.table is None:
            return bench.play(self.rows)
        return bench.play(self.rows, lambda _, out: {"entry": self.table[out["cell"]]})


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
        for value in (
            -1,
            0,
            1,
            -(1 << bits),
            (1 << bits) - 1,
            MEMBRANE_MAX << bits,
            (MEMBRANE_MAX + 1 << bits) - 1,
            MEMBRANE_MAX + 1 << bits,
            MEMBRANE_MIN << bits,
            (MEMBRANE_MIN << bits) - 1,
        ):
            if not -BIAS_MAX <= value <= BIAS_MAX:
                continue
            s.parameters([value, PLAIN])
            want[s.event(swap=1) + X] = int(np.clip(value >> bits, MEMBRANE_MIN, MEMBRANE_MAX))
        seen = s.play(bench)
        assert {t: seen[t]["x"] for t in want} == want


@pytest.mark.parametrize("res", Res)
def test_residual(bench, res):
    """y for all pairs of corners and random values; NONE and SPIKE ignore what the memories hold.

    SPIKE adds its value where the shortcut spikes; the others ignore it.
    """
    rng, want, value = np.random.default_rng(4), {}, -77777
    s = Script(res=int(res), sc_value=value)
    s.parameters([0, PLAIN])
    s.event(swap=1)
    cases = list(itertools.product(CORNERS, CORNERS)) + [
        tuple(v) for v in rng.integers(MEMBRANE_MIN, MEMBRANE_MAX + 1, size=(40, 2)).tolist()
    ]
    for n, (x, b) in enumerate(cases):
        a = CORNERS[n % len(CORNERS)] if n % 3 else -b - 1
        sc = int(rng.integers(2))
        at = s.event(side=x, res_a=a, res_b=b, sc=sc)
        streams = {Res.ADD: (b,), Res.AVERAGE: (a, b), Res.SPIKE: (value * sc,)}.get(res, ())
        want[at + Y] = int(ops.residual_add(x, *streams))
    seen = s.play(bench)
    assert {t: seen[t]["y"] for t in want} == want


@pytest.mark.parametrize("value", [MEMBRANE_MIN + 1, -1, 0, 5, MEMBRANE_MAX])
def test_shortcut(bench, value):
    """Rows back to back with a spike each or none; sums that saturate on either side."""
    rng, s, want = np.random.default_rng(5), Script(res=int(Res.SPIKE), sc_value=value), {}
    s.parameters([0, PLAIN])
    s.event(swap=1, sc=1)
    for x, sc in itertools.product([*CORNERS, *rng.integers(-999, 999, size=20).tolist()], (0, 1)):
        at = s.event(side=x, sc=sc)
        want[at + Y] = int(ops.shortcut_add(x, sc, value))
    seen = s.play(bench)
    assert {t: seen[t]["y"] for t in want} == want


@pytest.mark.parametrize("theta", [0, 300])
@pytest.mark.parametrize("keep", Keep)
def test_kept(bench, keep, theta):
    """What goes to the residual memory: y, or the spike a cycle before ``spike``."""
    rng, s, want = np.random.default_rng(6), Script(keep=int(keep), theta=theta), {}
    s.parameters([0, PLAIN])
    s.event(swap=1)
    for y in [598, 599, 600, 601, *CORNERS, *rng.integers(0, 1200, size=30).tolist()]:
        at = s.event(side=y, start=1)
        fires = int(theta > 0 and y >> 1 >= theta)
        want[at + Y] = (fires if keep == Keep.SPIKE else y, fires)
    seen = s.play(bench)
    assert {t: (seen[t]["kept"], seen[t + 1]["spike"]) for t in want} == want


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
            y = int(
                rng.choice([*CORNERS, theta, 2 * aim - old, 2 * aim - old + 1, 2 * aim - old + 1])
            )
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
    sets = [
        (int(rng.integers(-9999, 9999)), rng.integers(-999, 999, size=16).tolist())
        for _ in range(3)
    ]
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
            s.put(
                at,
                side=int(p[n]),
                col=int(w[n]) & 0x3FFFF | garbage,
                swap=int(n == 0),
                acc=int(rng.integers(4096)),
            )
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
            s.put(
                at,
                **{
                    f"mean_{buffer}": int(gate[n]),
                    f"res_{buffer}": int(words[n]),
                    f"res_{other}": int(rng.integers(1 << 17)),
                    "swap": int(n == 0),
                },
            )
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
    assert [r["x"] for r in seen[at + X : at + 20]] == [321] * (20 - X)


# ---- membranes that are stored as codes

WIDTHS = [(hard, bits) for hard in STATE_BITS for bits in STATE_BITS if bits <= hard]


def cell_of(shift):
    return state_cell(STATE_SHIFTS[shift])


def leaky(seed, bits, thresholds, *, state_shift, **mode):
    """Script of a lane with a table."""
    s = Script(seed, leak=1, state_bits=STATE_BITS.index(bits), state_shift=state_shift, **mode)
    s.table = entries(np.asarray(thresholds).tolist(), cell_of(state_shift))
    s.parameters([0, PLAIN])
    s.event(swap=1, fire=0)
    return s


def driven(rng, old, theta, thresholds):
    """y that takes u = old + y to theta, to one of the thresholds, beside them, or anywhere."""
    near = int(rng.choice(thresholds))
    aim = int(
        rng.choice(
            [
                theta - 1,
                theta,
                0,
                1,
                -1,
                near,
                near - 1,
                -near,
                1 - near,
                rng.integers(-STATE_MAX, min(theta, STATE_MAX) + 1),
            ]
        )
    )
    return int(ops.saturate(rng.choice([*CORNERS, *[aim - old] * 20])))


@pytest.mark.parametrize(
    ("shift", "theta"),
    [(0, 700), (0, 1), (1, 1), (1, MEMBRANE_MAX), (2, 9000), (3, 1), (3, MEMBRANE_MAX)],
)
@pytest.mark.parametrize(("hard", "bits"), WIDTHS)
def test_leaky_neuron(benches, hard, bits, shift, theta):
    """u = (code << shift) + y; steps of each row STATE_GAP apart, the other rows between."""
    rng, amount = np.random.default_rng(hard + bits + shift), STATE_SHIFTS[shift]
    top = min(theta - 10, STATE_MAX) if theta > 1 else 200 * cell_of(shift)
    thresholds = thresholds_of(rng, state_levels(bits), shift, top)
    s = leaky(shift, bits, thresholds, state_shift=shift, theta=theta, keep=int(Keep.SPIKE))
    codes, want, met, aimed = np.zeros(CONFIG.rows, np.int64), {}, set(), set()
    for step in range(16):
        at = s.at
        for row in range(CONFIG.rows):
            start = step % 8 == 0
            old = 0 if start else int(codes[row]) << amount
            y = driven(rng, old, theta, thresholds) if step else theta - row % 2
            t = s.event(at + row, side=y, row=row, start=int(start))
            code, spike = ops.state_step(old >> amount, y, theta, thresholds, amount)
            codes[row] = code
            met.add(int(code))
            aimed.add(old + y - theta)
            want[t + SPIKE] = int(spike)
        s.at = at + timing.STATE_GAP
    seen = s.play(benches[hard])
    assert {t: seen[t]["spike"] for t in want} == want
    assert {t: seen[t - 1]["kept"] for t in want} == want
    assert min(met) < 0
    assert max(met) > 0 or theta == 1
    assert 0 in met
    assert aimed >= {-1, 0}  # one below fires not, theta does
    assert {0, 1} == set(want.values())


@pytest.mark.parametrize("shift", range(len(STATE_SHIFTS)))
def test_y_of_leaky_neurons(benches, shift):
    """The residual's y and its saturation are those of other neurons, and so is what is kept."""
    s, want = (
        leaky(shift, 8, [2000], state_shift=shift, theta=9, keep=int(Keep.Y), res=int(Res.ADD)),
        {},
    )
    for x, b in itertools.product(CORNERS, CORNERS):
        at = s.event(side=x, res_b=b, start=1)
        want[at + Y] = int(ops.saturate(x + b))
    seen = s.play(benches[8])
    assert {t: seen[t]["y"] for t in want} == want
    assert {t: seen[t]["kept"] for t in want} == want
    assert {t: seen[t + 1]["spike"] for t in want} == {t: int(y >= 9) for t, y in want.items()}


def test_largest_membranes(benches):
    """Code and y at their extremes add up without wrapping round."""
    top, shift = 127, STATE_SHIFTS.index(11)
    s = leaky(
        0, 8, [1 + n * cell_of(shift) for n in range(top)], state_shift=shift, theta=MEMBRANE_MAX
    )
    want = {}
    for first, y in itertools.product((-1, 1), CORNERS):
        s.event(side=5000 * first, start=1)  # its code is +-127
        s.at += timing.STATE_GAP - 1
        at = s.event(side=y)
        want[at + SPIKE] = int((first * top << 11) + y >= MEMBRANE_MAX)
        s.at += timing.STATE_GAP - 1
    seen = s.play(benches[8])
    assert {t: seen[t]["spike"] for t in want} == want
    assert {0, 1} == set(want.values())


@pytest.mark.parametrize("rows", [1, 4])
def test_leak_without_firing_event_keeps_the_code(benches, rows):
    """Idle rows do not step, and pauses of any length do not change a code."""
    s = leaky(1, 8, range(4, 512, 4), state_shift=0, theta=1000)
    for row in range(rows):
        s.event(side=4 * (20 + row), row=row, start=1)  # codes 20 ..
    for row in range(rows):
        s.event(side=9, row=row, fire=0)
    s.at += 9
    events = [(s.event(side=1000 - 2 * (20 + row), row=row), 0) for row in range(rows)]
    s.at += 2 * timing.STATE_GAP
    events += [(s.event(side=999, row=row), 1) for row in range(rows)]  # codes are 0: fired
    seen = s.play(benches[8])
    assert [seen[t + SPIKE]["spike"] for t, _ in events] == [1 - below for _, below in events]


@pytest.mark.parametrize("row", [0, 3])
def test_steps_of_one_row(benches, row):
    """A neuron of one row, as MAC has it, at every possible pace from STATE_GAP on."""
    rng, want, code = np.random.default_rng(3), {}, 0
    thresholds = np.array([3, 9, 20, 31, 32, 50, 55])
    s = leaky(2, 4, thresholds, state_shift=0, theta=60)
    for n in range(60):
        y = int(rng.integers(-90, 90))
        at = s.event(side=y, row=row, start=int(n == 0))
        code, spike = ops.state_step(code, y, 60, thresholds, STATE_SHIFTS[0])
        want[at + SPIKE] = int(spike)
        s.at = at + timing.STATE_GAP + n % 3
    seen = s.play(benches[8])
    assert {t: seen[t]["spike"] for t in want} == want
    assert {0, 1} == set(want.values())


def test_old_neuron_after_codes(benches):
    """The same lane, codes first, then v = (v + y) >> 1 with a reset by subtraction."""
    s = leaky(4, 8, range(4, 512, 4), state_shift=0, theta=100)
    s.event(side=50, start=1)
    s.at += 12
    s.mode = {"gemm": 1, "theta": 100, "soft": 1}
    first = s.event(side=250, start=1)  # u = 125, v = 25
    second = s.event(side=175)  # (25 + 175) >> 1 = 100, v = 0
    third = s.event(side=199)  # 99
    seen = s.play(benches[8])
    assert [seen[t + SPIKE]["spike"] for t in (first, second, third)] == [1, 1, 0]


class Stored:
    """Codes of one lane in memory words of two bytes of 9 bits, as a plain list."""

    def __init__(self, bits, codes):
        self.bits, self.codes = bits, list(codes)

    def word(self, index, ninth):
        """Word of buffer A that holds code ``index``; the ninth bits mean nothing."""
        each = 8 // self.bits
        first = index // (2 * each) * 2 * each
        value = [
            sum(
                (c & (1 << self.bits) - 1) << self.bits * n
                for n, c in enumerate(self.codes[at : at + each])
            )
            for at in (first, first + each)
        ]
        return value[0] | (ninth & 1) << 8 | value[1] << 9 | (ninth >> 1) << 17


def sequence(rng, count, kind):
    """(code index, valid) row by row: whole tiles of R, or flat ones that end anywhere."""
    n = 0
    while n < count:
        rows = CONFIG.rows if kind == "tiles" else int(rng.integers(1, CONFIG.rows + 1))
        yield from ((n + r, int(r < rows)) for r in range(CONFIG.rows))
        n += rows


@pytest.mark.parametrize("kind", ["tiles", "flat"])
@pytest.mark.parametrize("forget", [0, 1])
@pytest.mark.parametrize(("hard", "bits"), WIDTHS)
def test_codes_in_memory(benches, hard, bits, forget, kind):
    """Tiles of R rows in a row: code read with the residual's word, byte out at CODE.

    Codes below as new, above as read; a code that is to be forgotten counts, and stays, 0.
    """
    rng, levels = np.random.default_rng(hard + 10 * bits + forget), state_levels(bits)
    shift, theta = (1, 5000) if kind == "tiles" else (0, 600)
    amount, thresholds = STATE_SHIFTS[shift], thresholds_of(rng, levels, shift, theta)
    s = leaky(bits, bits, thresholds, state_shift=shift, theta=theta, persist=1)
    s.at += 9
    count = 64
    memory = Stored(bits, rng.integers(-levels, levels + 1, size=count + 16).tolist())
    start = Stored(bits, [0] * (count + 16) if forget else memory.codes)
    spikes, bytes_, each, wrong = {}, {}, 8 // bits, rng.integers(-levels, levels + 1, size=count)
    new = list(start.codes)
    for n, (index, valid) in enumerate(sequence(rng, count - 4, kind)):
        old = start.codes[index]
        y = driven(rng, old << amount, theta, thresholds) if valid else int(wrong[n % count])
        at = s.event(
            side=y,
            row=n % CONFIG.rows,
            res_a=memory.word(index, int(rng.integers(4))),
            code_at=index & 7,
            forget=forget,
        )
        s.put(at + CODE, code_into=index % each, code_keep=valid)
        if valid:
            code, spike = ops.state_step(old, y, theta, thresholds, amount)
            new[index], spikes[at + SPIKE] = int(code), int(spike)
            first = index // each * each
            codes = new[first : index + 1] + start.codes[index + 1 : first + each]
            bytes_[at + CODE] = sum((c & (1 << bits) - 1) << bits * k for k, c in enumerate(codes))
    seen = s.play(benches[hard])
    assert {t: seen[t]["spike"] for t in spikes} == spikes
    assert {t: seen[t]["code"] for t in bytes_} == bytes_
    assert {0, 1} == set(spikes.values())
    assert len(set(bytes_.values())) > 4
