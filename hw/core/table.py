"""Tables that tell the code of a membrane: their entries, their memory, their loader."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import (
    STATE_BITS,
    STATE_CELL_COARSE,
    STATE_CELL_FINE,
    STATE_CELLS,
    STATE_MAX,
)
from hw.common.attributes import APART
from hw.core.pipe import delay

CODE_BITS = max(STATE_BITS)
CELL_BITS = (STATE_CELLS - 1).bit_length()
COARSE = STATE_CELL_COARSE.bit_length() - 1  #: Bits of a place in a cell.
FINE = STATE_CELL_FINE.bit_length() - 1
SIZE_BITS = CELL_BITS + COARSE
assert STATE_MAX == (1 << SIZE_BITS) - 2


class Entry(data.Struct):
    """What the table says of a cell."""

    count: unsigned(CODE_BITS - 1)  #: Thresholds below the cell.
    at: unsigned(COARSE + 1)  #: Place of the threshold in it, STATE_CELL_COARSE where none.
    #: Places of a fine cell are spread over those of a coarse one: they count 8 times.


class TableWrite(data.Struct):
    """An entry on its way to all lanes."""

    en: unsigned(1)
    cell: unsigned(CELL_BITS)
    entry: Entry


class StateTable(wiring.Component):
    """One block RAM that serves two lanes: port a writes and reads, port b reads.

    Latency: 2 cycles from ``cell`` to ``entry``. Throughput: a cell a cycle for each lane.

    Members
    -------
    write : In(TableWrite)
        An entry, while nothing is in flight.
    cell : In(range(STATE_CELLS)), twice. entry : Out(Entry), twice.
    """

    write: Any
    cell: Any
    entry: Any

    latency = 2

    def __init__(self):
        super().__init__(
            {
                "write": In(TableWrite),
                "cell": In(CELL_BITS).array(2),
                "entry": Out(Entry).array(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = mem = memory.Memory(
            shape=Entry.as_shape().size,
            depth=STATE_CELLS,
            init=[],
            attrs={"ram_style": "block", APART: "1"},  # what is read meanwhile is nobody's entry
        )
        wp, a, b = mem.write_port(), mem.read_port(), mem.read_port()
        own = Signal(CELL_BITS)
        m.d.comb += [
            own.eq(Mux(self.write.en, self.write.cell, self.cell[0])),
            wp.addr.eq(own),
            wp.en.eq(self.write.en),
            wp.data.eq(self.write.entry),
            a.addr.eq(own),
            b.addr.eq(self.cell[1]),
            *(
                entry.eq(delay(m, port.data, 1, name=f"entry_{n}"))  # the memory's own register
                for n, (entry, port) in enumerate(zip(self.entry, (a, b), strict=True))
            ),
        ]
        return m


class StateThreshold(StateTable):
    """In place of `StateTable` where codes have 2 bits: its one threshold, in registers.

    Members, Latency and Throughput as there. The entries are equal once all cells were written;
    before that they are not defined.
    """

    def elaborate(self, platform):
        m = Module()
        there = Signal()
        cell, at = Signal(CELL_BITS, reset_less=True), Signal(COARSE + 1, reset_less=True)
        has = self.write.entry.at != STATE_CELL_COARSE
        with m.If(self.write.en & (has | (self.write.cell == 0))):
            m.d.sync += [there.eq(has), cell.eq(self.write.cell), at.eq(self.write.entry.at)]
        for n in range(2):
            count, place = Signal(name=f"count_{n}"), Signal(COARSE + 1, name=f"place_{n}")
            mine = there & (self.cell[n] == cell)
            m.d.sync += [
                count.eq(there & (self.cell[n] > cell)),
                place.eq(Mux(mine, at, STATE_CELL_COARSE)),
            ]
            entry = delay(m, Cat(count, place), self.latency - 1, name=f"entry_{n}")
            m.d.comb += [self.entry[n].count.eq(entry[0]), self.entry[n].at.eq(entry[1:])]
        return m


class TableLoader(wiring.Component):
    """Makes the table of sorted thresholds; see ``isa.Op.TABLE``.

    Latency: 1 cycle from ``run`` to the first cell's ``write``. Throughput: a cell a cycle.

    Members
    -------
    load : In(1), the cycle before ``run``: the first threshold is there. run : In(1), for
        STATE_CELLS cycles. fine : In(1), cells have STATE_CELL_FINE units.
    more : In(1), not all thresholds are used up. threshold : In(1 to STATE_MAX), the one after
        that in hand.
    take : Out(1), the one in hand is used up in this cycle and ``threshold`` comes to hand.
    write : Out(TableWrite), a register.
    """

    load: Signal
    run: Signal
    fine: Signal
    more: Signal
    threshold: Signal
    take: Signal
    write: Any

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "load": In(1),
                "run": In(1),
                "fine": In(1),
                "more": In(1),
                "threshold": In(SIZE_BITS),
                "take": Out(1),
                "write": Out(TableWrite),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cell, mine = Signal(CELL_BITS), Signal(CELL_BITS, reset_less=True)
        place = Signal(COARSE, reset_less=True)  # mine, place: the threshold in hand
        count = Signal(CODE_BITS - 1)
        write: Any = Signal(TableWrite)
        t, comes = self.threshold, self.load | self.take
        meets = Signal(reset_less=True)  # mine is cell: worked out a cycle ahead
        cell_next, mine_next = Signal(CELL_BITS), Signal(CELL_BITS)
        m.d.comb += [
            self.take.eq(self.run & self.more & meets),
            self.write.eq(write),
            cell_next.eq(Mux(self.load, 0, cell + 1)),
            mine_next.eq(Mux(comes, Mux(self.fine, t[FINE : FINE + CELL_BITS], t[COARSE:]), mine)),
        ]
        m.d.sync += [
            write.en.eq(self.run),
            write.cell.eq(cell),
            write.entry.count.eq(count),
            write.entry.at.eq(Mux(self.take, place, STATE_CELL_COARSE)),
            cell.eq(cell_next),
            mine.eq(mine_next),
            meets.eq(mine_next == cell_next),
            count.eq(count + self.take),
        ]
        with m.If(self.load):
            m.d.sync += count.eq(0)
        with m.If(comes):
            m.d.sync += place.eq(Mux(self.fine, t << COARSE - FINE, t))
        return m
