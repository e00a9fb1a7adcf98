# amaranth: UnusedElaboratable=no
"""Parts that hold data from a producer until a consumer's cycle: nothing lost, nothing twice.

None of them can stall its producer, which has to keep a distance instead: `tile_min` from the last
word of a tile to that of the next one, as `test_walk` proves of the walker. Under that distance it
is proved for all time that what came in leaves unchanged, in order, in its own cycle, and that
nothing else does.
"""

from typing import Any

import pytest
from amaranth.hdl import Array, Cat, Elaboratable, Module, Mux, Signal

from hw.arch import Config, timing
from hw.arch.formats import STATE_CELL_COARSE, STATE_CELLS
from hw.core import shortcut, table
from hw.core.words import ADDR
from hw.core.writeback import means
from tests.proofs.induction import always, any_one, given, proved
from tests.proofs.sources import faulty

CONFIG = Config(rows=4, cols=8, width=32)
ROWS, COLS = CONFIG.rows, CONFIG.cols


def apart(m, event, cycles):
    """Assume that an event comes at least so many cycles after the one before; return the rest."""
    rest = Signal(range(cycles))
    with m.If(event):
        m.d.sync += rest.eq(cycles - 1)
        m.d.comb += given(rest == 0)
    with m.Elif(rest != 0):
        m.d.sync += rest.eq(rest - 1)
    return rest


def looks(ports, names):
    """Return ports that show signals of a design's part ``dut``, and their flattened names."""
    seen: Any = {name: Signal(bits, name=f"seen_{n}") for n, (name, bits) in enumerate(names)}
    ports += seen.values()
    return seen, {signal.name: f"dut.{name}" for name, signal in seen.items()}


DATA = timing.ROW_DATA  #: Cycles from a shortcut's word being asked for to the word.
STAGES = timing.PICKED - 2 - DATA  #: Registers behind the choice of its row.


class Shortcut(Elaboratable):
    """Of any one word that is taken, any one row's bits come in their cycle, whatever follows."""

    def __init__(self, module):
        self.dut, self.this = module.ShortcutRead(CONFIG), Signal()
        self.row = Signal(range(ROWS), name="any_row")
        names = {"row": 2, **{f"held_{r}": COLS for r in range(ROWS)}}
        for n in range(1, DATA + 1):
            names |= {f"arrived_d{n}": 1, f"byte_d{n}": 4}
        names |= {f"o_at{DATA + 3 + n}_d1": COLS for n in range(STAGES)}
        self.ports = [self.dut.take, self.dut.byte, *self.dut.data, self.this, self.row]
        self.seen, self.inside = looks(self.ports, names.items())

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        row = any_one(m, self.row)
        rest = apart(m, d.take, ROWS)
        m.d.comb += given(d.byte < CONFIG.width // 8)
        # Cycles since the word was taken; 0: none is looked at.
        end = timing.PICKED - 1 + ROWS
        age, byte, want = Signal(range(end + 1)), Signal(4), Signal(COLS)
        here = d.take & self.this & (age == 0)
        with m.If(age != 0):
            m.d.sync += age.eq(age + 1)
        with m.If(here):
            m.d.sync += [age.eq(1), byte.eq(d.byte)]
        with m.If(age == DATA):
            m.d.sync += want.eq(Array(d.data)[row] >> (byte << 3))
        last = timing.PICKED - 1 + row  # the cycle of its bits
        with m.If(age == last):
            m.d.comb += always(d.o == want)
            m.d.sync += age.eq(0)
        self._knows(m, row, age, byte, want, rest)
        return m

    def _knows(self, m, row, age, byte, want, rest):
        """What an induction has to know: where the bits are, and that no word overtakes them."""
        s, last = self.seen, timing.PICKED - 1 + row
        m.d.comb += [
            always(age <= last),
            always((age == 0) | (age >= ROWS) | (rest >= ROWS - age)),
        ]
        for n in range(1, DATA + 1):
            with m.If(age == n):
                m.d.comb += always(s[f"arrived_d{n}"] & (s[f"byte_d{n}"] == byte))
            with m.If((age > n) & (age < ROWS + n)):
                m.d.comb += always(~s[f"arrived_d{n}"])
        with m.If((age > DATA) & (age <= row + DATA + 1)):
            held = Array(s[f"held_{r}"] for r in range(ROWS))
            m.d.comb += [always(held[row] == want), always(s["row"] == age - (DATA + 1))]
        for n in range(STAGES):
            with m.If(age == row + DATA + 2 + n):
                m.d.comb += always(s[f"o_at{DATA + 3 + n}_d1"] == want)


class Means(Elaboratable):
    """Each lane's mean is due in its cycle after a column tile, at the next address; none else."""

    def __init__(self, module):
        self.dut = module.MeanBurst(CONFIG)
        self.ports = [self.dut.begin, self.dut.base, self.dut.take]
        self.seen, self.inside = looks(self.ports, [("left", COLS.bit_length())])

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        rest = apart(m, d.take, COLS)
        ages = Signal(d.latency + COLS)  # bit n: a column tile was taken n + 1 cycles ago
        for n, age in enumerate(ages):
            m.d.comb += always(~age | ~ages[n + 1 : n + COLS].any())
            if n < COLS - 1:
                m.d.comb += always(~age | (rest == COLS - 1 - n))
        base, done = Signal(ADDR), Signal(ADDR)  # of the instruction; means written
        m.d.sync += ages.eq(Cat(d.take, ages))
        m.d.comb += given(~d.begin | (~d.take & (ages == 0)))  # none before the last one's end
        with m.If(d.begin):
            m.d.sync += [base.eq(d.base), done.eq(0)]
        begun = Signal()
        m.d.sync += begun.eq(begun | d.begin)
        m.d.comb += [given(~d.take | begun), always((ages == 0) | begun)]
        due = ages[d.latency - 1 : d.latency - 1 + COLS]
        m.d.comb += always(d.due == due.any())
        for lane in range(COLS):
            with m.If(due[lane]):
                m.d.comb += [
                    always(self.seen["left"] == COLS - lane),
                    always(done[: COLS.bit_length() - 1] == lane),
                    always(due == 1 << lane),
                ]
        with m.If(begun & ~due.any()):
            m.d.comb += always(done[: COLS.bit_length() - 1] == 0)
        with m.If(begun):
            m.d.comb += always(d.addr == (base + done)[:ADDR])
        with m.If(d.due):
            m.d.sync += done.eq(done + 1)
        return m


class Table(Elaboratable):
    """Of any one cell it is told whether a threshold lies in it, where, and how many lie below.

    Thresholds ascend, and no two lie in one cell (`sw.lower` makes them so).
    """

    def __init__(self, module):
        self.dut = d = module.TableLoader()
        self.cell = Signal(table.CELL_BITS, name="any_cell")
        self.ports = [d.load, d.run, d.fine, d.more, d.threshold, self.cell]
        names = {"mine": table.CELL_BITS, "place": table.COARSE, "count": table.CODE_BITS - 1}
        self.seen, self.inside = looks(self.ports, names.items())

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        this, fine = any_one(m, self.cell), any_one(m, d.fine)
        # A table is loaded: one cycle, then a cell in each of STATE_CELLS.
        left, at = Signal(range(STATE_CELLS + 1)), Signal(table.CELL_BITS)
        m.d.comb += [given(d.run == (left != 0)), given(~d.load | ~d.run)]
        with m.If(d.load):
            m.d.sync += [left.eq(STATE_CELLS), at.eq(0)]
        with m.If(d.run):
            m.d.sync += [left.eq(left - 1), at.eq(at + 1)]
        # The threshold that comes to hand, and whether there is one.
        comes, value, more, took = Signal(), Signal(table.SIZE_BITS), Signal(), Signal()
        m.d.sync += [comes.eq(d.load | d.take), value.eq(d.threshold), more.eq(d.more)]
        m.d.sync += took.eq(d.take)
        cell, place = Signal(table.CELL_BITS), Signal(table.COARSE)
        m.d.comb += [
            cell.eq(Mux(fine, value >> table.FINE, value >> table.COARSE)),
            place.eq(Mux(fine, value[: table.FINE] << table.COARSE - table.FINE, value)),
            given(took | (more == d.more) | ~d.run),  # all but the last have another behind them
        ]
        with m.If(comes & d.more):
            m.d.comb += given(cell >= at)  # ascending
            m.d.comb += given(~fine | (value[table.FINE :] < STATE_CELLS))
        below, has, where = Signal(table.CODE_BITS - 1), Signal(), Signal(table.COARSE)
        there = comes & d.more
        with m.If(d.load):
            m.d.sync += [below.eq(0), has.eq(0)]
        with m.Elif(there):
            m.d.sync += below.eq(below + (cell < this))
            with m.If(cell == this):
                m.d.sync += [has.eq(1), where.eq(place)]
        m.d.comb += always(~d.take | d.more)
        write = d.write
        with m.If(write.en & (write.cell == this)):
            m.d.comb += [
                always(write.entry.at == Mux(has, where, STATE_CELL_COARSE)),
                always(write.entry.count == below),
            ]
        ran, was = Signal(), Signal(table.CELL_BITS)
        m.d.sync += [ran.eq(d.run), was.eq(at)]
        m.d.comb += always((write.en == ran) & (~ran | (write.cell == was)))
        self._knows(m, this, left, at, there, (cell, place), (below, has, where))
        return m

    def _knows(self, m, this, left, at, there, came, told):
        """What an induction has to know: the threshold in hand is the next that is to be told."""
        d, s, (cell, place), (below, has, where) = self.dut, self.seen, came, told
        with m.If(d.run):
            m.d.comb += [
                always(left == STATE_CELLS - at),
                always(~d.more | (s["mine"] >= at)),
                always(~there | ((s["mine"] == cell) & (s["place"] == place))),
            ]
            known, waits = below + (there & (cell < this)), d.more & (s["mine"] < this)
            found, spot = has | there & (cell == this), Mux(there & (cell == this), place, where)
            with m.If(at <= this):
                hand = d.more & (s["mine"] == this)
                m.d.comb += [
                    always(s["count"] == (known - waits)[: table.CODE_BITS - 1]),
                    always((found == hand) & (~hand | (s["place"] == spot))),
                ]


PARTS = {
    "shortcut": (Shortcut, shortcut, 3),
    "means": (Means, means, 8),
    "table": (Table, table, 3),
}


@pytest.mark.parametrize("name", PARTS)
def test_nothing_is_lost_and_nothing_twice(tmp_path, name):
    part, module, most = PARTS[name]
    design = part(module)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=most)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            "shortcut",
            "with m.If(arrived):\n                m.d.sync += held",
            "with m.If(self.take):\n                m.d.sync += held",
        ),
        ("shortcut", "m.d.sync += row.eq(0)", "m.d.sync += row.eq(1)"),
        ("shortcut", "Choice(held)[row],", "Choice(held)[0],"),
        ("shortcut", "self.data[r][8 * b : 8 * b + cols]", "self.data[r][4 * b : 4 * b + cols]"),
        ("means", "self.latency - 1, name", "self.latency, name"),
        ("means", "m.d.sync += left.eq(cols)", "m.d.sync += left.eq(cols - 1)"),
        ("means", "with m.If(self.due):", "with m.If(self.due & ~self.take):"),
        ("means", "m.d.sync += addr.eq(self.base)", "m.d.sync += addr.eq(self.base + 1)"),
        ("table", "self.threshold, self.load | self.take", "self.threshold, self.load | self.run"),
        ("table", "self.run & self.more &", "self.run &"),
        ("table", "t << COARSE - FINE, t", "t << COARSE, t"),
        ("table", "m.d.sync += count.eq(0)", "m.d.sync += count.eq(count)"),
        ("table", "count.eq(count + self.take)", "count.eq(count + self.run)"),
    ],
)
def test_a_fault_is_seen(tmp_path, name, old, new):
    part, module, most = PARTS[name]
    design = part(faulty(module, old, new))
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=most)
