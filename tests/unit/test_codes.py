"""Code, table and loader against the definition of a stored membrane; CodeBytes against a list."""

import numpy as np
import pytest
from amaranth import Module, Mux
from amaranth.hdl import signed as signed_bits
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import (
    STATE_BITS,
    STATE_CELL_COARSE,
    STATE_CELLS,
    STATE_MAX,
    STATE_SHIFTS,
    state_cell,
    state_levels,
)
from hw.arch.timing import STATE_GAP
from hw.core.codes import CodeBytes, Left, StateCode
from hw.core.neuron import WIDE
from hw.core.pipe import delay
from hw.core.table import (
    CELL_BITS,
    CODE_BITS,
    SIZE_BITS,
    StateTable,
    TableLoader,
    TableWrite,
)
from tests.unit.bench import Bench
from tests.unit.lanes import code_place, leak_mode
from tests.unit.netlist import cells
from tests.unit.states import code_of, entries, last_cell, thresholds_of, write_of

LATENCY = STATE_GAP - 1  #: From a membrane to the register of its code.
LOW, HIGH = -(1 << WIDE - 1), (1 << WIDE - 1) - 1
CELLS = {0: state_cell(STATE_SHIFTS[1]), 1: state_cell(STATE_SHIFTS[0])}  #: By ``fine``.
EMPTY = (STATE_MAX + 1,)  #: A threshold that is never reached.


class Pair(wiring.Component):
    """A loader, one table, two lanes' StateCode, in a register that is 0 where it fired."""

    def __init__(self):
        super().__init__(
            {
                "run": In(1),
                "load": In(1),
                "fine": In(1),
                "more": In(1),
                "threshold": In(SIZE_BITS),
                "take": Out(1),
                "write": Out(TableWrite),
                "u": In(signed_bits(WIDE)).array(2),
                "fired": In(1).array(2),
                "code": Out(signed_bits(CODE_BITS)).array(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = TableLoader()
        m.submodules.table = table = StateTable()
        m.d.comb += [
            *(
                getattr(loader, name).eq(getattr(self, name))
                for name in ("run", "load", "fine", "more", "threshold")
            ),
            self.take.eq(loader.take),
            self.write.eq(loader.write),
            table.write.eq(loader.write),
        ]
        for n in range(2):
            m.submodules[f"code_{n}"] = code = StateCode(WIDE)
            fired = delay(m, self.fired[n], code.latency, name=f"fired_{n}")
            m.d.sync += self.code[n].eq(Mux(fired, 0, code.code))
            m.d.comb += [
                code.u.eq(self.u[n]),
                code.fine.eq(self.fine),
                table.cell[n].eq(code.cell),
                code.entry.eq(table.entry[n]),
            ]
        return m


@pytest.fixture(scope="module")
def bench():
    return Bench(
        Pair(),
        ["run", "load", "fine", "more", "threshold", "u", "fired"],
        ["take", "write", "code"],
    )


class Play:
    """Loads and searches one after another, and what should come of them.

    The threshold port behaves like program memory, one ahead of the threshold in hand: a cycle
    after ``load`` or ``take`` stands the next one.
    Noise: membranes while a table is loaded, and thresholds where none is left.
    """

    def __init__(self, rng):
        self.rng, self.rows, self.codes, self.writes, self.takes = rng, [], {}, {}, []
        self.loads, self.fine, self.thresholds = {}, 0, EMPTY

    def row(self, **values):
        u = self.rng.integers(LOW, HIGH + 1, size=2).tolist()
        self.rows.append({"fine": self.fine, "u": u, "fired": [u[0] & 1, u[1] & 1], **values})

    def load(self, thresholds, fine):
        """The cycle before, then one for each cell."""
        self.fine, self.thresholds = fine, thresholds
        self.loads[len(self.rows)] = words = [t for t in thresholds if t <= STATE_MAX]
        self.row(load=1, threshold=words[0] if words else 0)
        begin = len(self.rows)
        for n, entry in enumerate(entries(thresholds, CELLS[fine])):
            self.writes[begin + n + 1] = write_of(n, entry)
            self.row(run=1)
        self.takes += [begin + t // CELLS[fine] for t in words]
        self.row()  # the last is written

    def search(self, *membranes):
        """One a cycle for each lane, in any order; one in eight fires, each also comes without."""
        lanes = []
        for us in membranes:
            cases = [(u, 0) for u in us]
            cases += [(u, 1) for u in self.rng.choice(us, size=len(us) // 7).tolist()]
            self.rng.shuffle(cases)
            lanes.append(cases)
        known = {}
        for pair in zip(*lanes, strict=True):
            at = len(self.rows)
            self.row(u=[u for u, _ in pair], fired=[f for _, f in pair])
            for lane, (u, fired) in enumerate(pair):
                w = 0 if fired else u
                if w not in known:
                    known[w] = code_of(w, self.thresholds)
                self.codes[at + LATENCY, lane] = known[w]
        for _ in range(LATENCY):
            self.row()

    def check(self, bench):
        """Play; return the codes that were met."""
        words, at, begin = self.loads.get(0, []), 0, 1

        def react(cycle, out):
            nonlocal words, at, begin
            at += out["take"]
            if cycle + 1 in self.loads:
                words, at, begin = self.loads[cycle + 1], 0, cycle + 2
                return {"threshold": words[0]} if words else {}
            cell = (cycle + 1 - begin) % STATE_CELLS
            noise = cell * CELLS[self.fine_at(cycle)]
            if at < len(words):
                return {"more": 1, "threshold": words[at + 1] if at + 1 < len(words) else noise}
            running = cycle + 1 - begin < STATE_CELLS
            return {"more": int(not running), "threshold": noise}

        seen = bench.play(self.rows, react)
        assert [n for n, s in enumerate(seen) if s["take"]] == self.takes
        written = {n: s["write"].as_bits() for n, s in enumerate(seen) if s["write"].as_bits() & 1}
        assert written == self.writes
        got = {(n, lane): seen[n]["code"][lane] for n, lane in self.codes}
        assert got == self.codes
        return set(got.values())

    def fine_at(self, cycle):
        return self.rows[cycle]["fine"]


def corners(thresholds, fine):
    """Around every threshold, 0, what STATE_MAX clips, the last cells, the ends of the width."""
    near = {s * (t + d) for t in thresholds for s in (-1, 1) for d in (-1, 0, 1)}
    tops = (STATE_MAX, STATE_CELLS * CELLS[fine], (STATE_CELLS - 1) * CELLS[fine], 1 << 17)
    ends = {s * (t + d) for t in tops for s in (-1, 1) for d in range(-3, 5)}
    return sorted(near | ends | {0, 1, -1, 2, -2, LOW, LOW + 1, HIGH, HIGH - 1})


def check(bench, thresholds, fine, rng, count=150):
    """Load a table, then search at full throughput in both lanes; return the codes met."""
    top = STATE_CELLS * CELLS[fine] + 200
    membranes = [
        *corners(thresholds, fine),
        *rng.integers(-top, top, size=count).tolist(),
        *rng.integers(LOW, HIGH + 1, size=20).tolist(),
    ]
    play = Play(rng)
    play.load(thresholds, fine)
    play.search(membranes, membranes)
    return play.check(bench)


def ascending(rng, bits, fine, top=STATE_MAX):
    return thresholds_of(rng, state_levels(bits), 0 if fine else 1, top).tolist()


def test_sizes():
    """What the other tests rely on: 512 cells over the coarse range, one code for each count."""
    assert 1 << CELL_BITS == STATE_CELLS
    assert (STATE_CELLS - 1) * CELLS[0] < STATE_MAX < STATE_CELLS * CELLS[0]
    assert CELLS[1] < CELLS[0] == STATE_CELL_COARSE
    assert state_levels(max(STATE_BITS)) == (1 << CODE_BITS - 1) - 1


@pytest.mark.parametrize("fine", [0, 1])
@pytest.mark.parametrize("bits", STATE_BITS)
def test_random_thresholds(bench, bits, fine):
    """Every code of the width is met, both signs, in both lanes."""
    rng, levels = np.random.default_rng(8 * fine + bits), state_levels(bits)
    for _ in range(2):
        codes = check(bench, ascending(rng, bits, fine), fine, rng)
        assert codes == {*range(-levels, levels + 1)}


@pytest.mark.parametrize("fine", [0, 1])
@pytest.mark.parametrize("kind", ["first", "last", "packed", "top", "some never", "never"])
def test_corner_thresholds(bench, fine, kind):
    """First and last place of cells, neighbouring cells at both ends, the largest threshold.

    Thresholds that are never reached are not loaded.
    """
    rng, size, levels = np.random.default_rng(fine), CELLS[fine], state_levels(8)
    end = last_cell(size)
    thresholds = {
        "first": [n * size for n in range(1, levels + 1)],
        "last": [n * size + size - 1 for n in range(levels)],
        # the last place and the next cell's first by turns, from cell 0 on
        "packed": [n * size + (size - 1) * (n % 2 == 0) for n in range(levels)],
        "top": [min(n * size + size - 1, STATE_MAX) for n in range(end - levels, end)],
        "some never": [1, 3 * size, min(end * size - 1, STATE_MAX), *EMPTY * 4],
        "never": [*EMPTY * levels],
    }[kind]
    codes = check(bench, thresholds, fine, rng, 60)
    reached = sum(t <= STATE_MAX for t in thresholds)
    assert codes >= {-reached, 0, reached}
    assert max(map(abs, codes)) == reached
    if kind == "never":
        assert codes == {0}


@pytest.mark.parametrize("fine", [0, 1])
def test_one_threshold_at_every_place(bench, fine):
    """In cells 0, in the middle and the last; a step at exactly the threshold, both signs."""
    rng, size = np.random.default_rng(fine), CELLS[fine]
    for cell in (0, 200, last_cell(size) - 1):
        for place in {0, 1, size // 2, size - 2, size - 1}:
            t = cell * size + place
            if not 0 < t <= STATE_MAX:
                continue
            play = Play(rng)
            play.load([t], fine)
            play.search(*[[s * (t + d) for s in (-1, 1) for d in (-1, 0, 1)] + [0, LOW, HIGH]] * 2)
            assert play.check(bench) == {-1, 0, 1}


def test_table_is_rewritten(bench):
    """Tables of several widths and both cell sizes in one run: nothing is left of the last."""
    rng = np.random.default_rng(4)
    play = Play(rng)
    for bits, fine in ((8, 0), (2, 1), (8, 1), (4, 0), (8, 0)):
        thresholds = ascending(rng, bits, fine)
        play.load(thresholds, fine)
        near = corners(thresholds, fine)
        play.search(*(rng.choice(near, size=60).tolist() for _ in range(2)))
    play.load(EMPTY, 0)
    play.search(*(rng.integers(LOW, HIGH + 1, size=30).tolist() for _ in range(2)))
    play.check(bench)


def test_lanes_do_not_disturb_each_other(bench):
    """One lane holds still at each corner while the other searches: the same codes as together."""
    rng = np.random.default_rng(5)
    thresholds = ascending(rng, 4, 0)
    for still in (0, 1):
        play = Play(rng)
        play.load(thresholds, 0)
        for held in rng.choice(corners(thresholds, 0), size=8).tolist():
            both = [[held] * 40, rng.choice(corners(thresholds, 0), size=40).tolist()]
            play.search(*(both if still == 0 else reversed(both)))
        play.check(bench)


# ---- CodeBytes

DISTANCE = 6


@pytest.fixture(scope="module")
def codes_bench():
    return Bench(
        CodeBytes(distance=DISTANCE),
        ["bits", "word", "at", "forget", "code", "drop", "shut", "changed", "below", "keep"],
        ["read", "o"],
    )


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def byte_with(old, codes, bits):
    """Byte ``old`` with its lowest codes replaced."""
    for n, code in enumerate(codes):
        part = ((1 << bits) - 1) << (bits * n)
        old = old & ~part | (code << bits * n) & part
    return old


class Codes:
    """Stimulus of CodeBytes; what a cycle does not name is noise, but for ``keep``."""

    def __init__(self, bits, rng, forget=0):
        self.bits, self.rng, self.index = bits, rng, STATE_BITS.index(bits)
        self.rows, self.want, self.forget = [], {}, forget

    def put(self, cycle, **values):
        while len(self.rows) <= cycle:
            names = ("word", "at", "code", "drop", "shut", "changed", "below")
            noise = self.rng.integers((1 << 16, 8, 256, 2, 256, 16, 16)).tolist()
            row = {"bits": self.index, "forget": self.forget, "keep": 0}
            self.rows.append(row | dict(zip(names, noise, strict=True)))
        self.rows[cycle] |= values

    def code(self, cycle, byte, place, code, before, keep=1):
        """Read and write at ``place`` of ``byte``; ``before``: codes below, as written.

        Every third code is 0 by ``drop``, and another one comes with it.
        """
        high, other = int(self.rng.integers(2)), int(self.rng.integers(256))
        word = other << 8 * (1 - high) | byte << 8 * high
        self.put(cycle, word=word, at=place * self.bits // 2 | high << 2)
        end, drop = cycle + DISTANCE, int(code == 0 and other % 3 == 0)
        self.put(end, keep=keep)
        for after, told in code_place(place, self.bits).items():
            self.put(end + after, **{PORTS[name]: value for name, value in told.items()})
        self.put(end - 2, drop=drop)
        self.put(end - 1, code=other if drop else code)
        self.want[cycle, "read"] = signed(
            byte >> self.bits * place & (1 << self.bits) - 1, self.bits
        )
        old = 0 if self.forget else byte
        self.want[end, "o"] = byte_with(old, [*before, code], self.bits)

    def check(self, bench):
        seen = bench.play(self.rows)
        assert {(t, name): seen[t][name] for t, name in self.want} == self.want


PORTS = {"code_shut": "shut", "code_new": "changed", "code_below": "below"}


@pytest.mark.parametrize("forget", [0, 1])
@pytest.mark.parametrize("gaps", [False, True], ids=["flowing", "pausing"])
@pytest.mark.parametrize("bits", STATE_BITS)
def test_codes_of_bytes(codes_bench, bits, gaps, forget):
    """Codes before as new, after as read; bytes full or ended early; corners among codes."""
    rng, s, at = np.random.default_rng(bits), Codes(bits, np.random.default_rng(1), forget), 0
    levels = state_levels(bits)
    for _ in range(80):
        byte, before = int(rng.integers(256)), []
        for place in range(int(rng.integers(1, 8 // bits + 1))):
            code = int(rng.choice([-levels, levels, 0, rng.integers(-levels, levels + 1)]))
            s.code(at, byte, place, code, before)
            before.append(code)
            at += 1 + (int(rng.integers(3)) if gaps else 0)
    s.check(codes_bench)


@pytest.mark.parametrize("bits", [2, 4])
def test_codes_that_are_not_kept(codes_bench, bits):
    """An invalid row's code comes out with its byte, but no later one is made of it."""
    rng, s = np.random.default_rng(bits), Codes(bits, np.random.default_rng(2))
    count, levels = 8 // bits, state_levels(bits)
    for n in range(40):
        byte, before = int(rng.integers(256)), []
        for place in range(count):
            at = (n * count + place) * 2
            code, wrong = rng.integers(-levels, levels + 1, size=2).tolist()
            s.code(at, byte, place, code, before)
            s.code(at + 1, byte, place, wrong, before, keep=0)  # again, in vain
            before.append(code)
    s.check(codes_bench)


@pytest.mark.parametrize("bits", [2, 4])
def test_codes_before_the_first_are_0(codes_bench, bits):
    for first in range(1, 8 // bits):
        s = Codes(bits, np.random.default_rng(first))
        for n, place in enumerate(range(first, 8 // bits)):
            s.code(n, 0xFF, place, 1, [*[0] * first, *[1] * n])
        s.check(codes_bench)


# ---- Left


@pytest.mark.parametrize("shift", range(len(STATE_SHIFTS)))
def test_what_is_left_of_a_membrane(shift):
    """All codes of eight bits, one after the other, a cycle later; some are dropped."""
    mode = leak_mode(shift)
    told = {"shut": mode["leak_shut"], "above": mode["leak_above"]}
    rows = [told] + [{**told, "code": code, "drop": code % 5 == 4} for code in range(-128, 128)]
    seen = Bench(Left(), ["shut", "above", "drop", "code"], ["v"]).play([*rows, told])
    for n, code in enumerate(range(-128, 128), 1):
        want = 0 if code % 5 == 0 else code << STATE_SHIFTS[shift]
        assert seen[n + Left.latency]["v"] == want


def test_cells_of_multiplexers_and_ors():
    """Two bits share a LUT where they have few enough inputs."""
    assert cells(Left(target="xc7")) == {"LUT6_2": 7}
    assert cells(CodeBytes(distance=DISTANCE, target="xc7")) == {"LUT6_2": 5}
