"""Lane against the golden affine map, residual and neuron, in the cycles its docstring states."""

import dataclasses
import itertools

import numpy as np
import pytest

from hw.arch import timing
from hw.arch.formats import (
    MEMBRANE_MAX,
    MEMBRANE_MIN,
    STATE_BITS,
    STATE_MAX,
    STATE_SHIFTS,
    state_cell,
    state_levels,
)
from hw.arch.isa import Keep, Res
from hw.core.lane import Lane
from sw.golden import ops
from tests.unit.bench import Bench, unbuilt
from tests.unit.lanes import (
    CODE,
    CONFIG,
    CORNERS,
    INPUTS,
    PICKED,
    PLAIN,
    SPIKE,
    FlatLane,
    Script,
    X,
    Y,
    code_place,
)
from tests.unit.states import entries, thresholds_of


def test_times_are_those_of_the_timing_file():
    assert (X, Y, SPIKE) == (5, 6, 7)
    assert timing.PRODUCT - timing.S_READY == 3
    assert (PICKED, CODE) == (5, 10)
    with unbuilt():
        assert Lane(CONFIG).latency == SPIKE


@pytest.fixture(scope="module")
def benches():
    return {
        bits: Bench(
            FlatLane(dataclasses.replace(CONFIG, state_bits=bits)),
            [name for name in INPUTS if name != "operand_1"],  # which is the lane's own
            ["x", "y", "spike", "kept", "code", "cell"],
        )
        for bits in (0, 2, 4, 8)
    }


@pytest.fixture(params=[8, 0], ids=["codes", "plain"])
def bench(benches, request):
    """A lane that can store codes, but here is not asked to, and one that cannot."""
    return benches[request.param]


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
    s.use(theta=100, soft=1)
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
    s = leaky(bits, bits, thresholds, state_shift=shift, theta=theta, persist=1, forget=forget)
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
            code_at=index * bits % 16 // 2,
        )
        s.put(at + CODE, code_keep=valid)
        for after, told in code_place(index, bits).items():
            s.put(at + CODE + after, **told)
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
