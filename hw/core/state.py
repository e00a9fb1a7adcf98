"""Stored membranes: a lane's quantiser, its table, and the packing of codes into bytes."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import (
    STATE_BITS,
    STATE_CELL_COARSE,
    STATE_CELL_FINE,
    STATE_CELLS,
    STATE_MAX,
)

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


class TableWrite(data.Struct):
    """An entry on its way to all lanes."""

    en: unsigned(1)
    cell: unsigned(CELL_BITS)
    entry: Entry


class StateTable(wiring.Component):
    """One block RAM that serves two lanes: port a writes and reads, port b reads.

    Members
    -------
    write : In(TableWrite), while nothing is in flight.
    cell : In, twice; entry : Out(Entry), twice, a cycle later.
    """

    write: Any
    cell: Any
    entry: Any

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
            shape=Entry.as_shape().size, depth=STATE_CELLS, init=[], attrs={"ram_style": "block"}
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
            self.entry[0].eq(a.data),
            self.entry[1].eq(b.data),
        ]
        return m


class StateThreshold(StateTable):
    """In place of `StateTable` where codes have 2 bits: its one threshold, in registers.

    Members as there. The entries are equal once all cells were written; before that they are not
    defined.
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
            m.d.comb += [self.entry[n].count.eq(count), self.entry[n].at.eq(place)]
        return m


class StateCode(wiring.Component):
    """``code = sign(w) * (thresholds <= min(|w|, STATE_MAX))`` by the cell that |w| lies in.

    A cell holds at most one threshold, so that the table's count and one comparison give the
    code. Latency: STATE_GAP - 1 cycles from ``u`` to ``code``, combinational of a register.
    Throughput: one a cycle.

    Members
    -------
    u, fired : In, membrane before the reset, and whether it is 0 after it (w).
    fine : In(1), cells have STATE_CELL_FINE units instead of STATE_CELL_COARSE.
    cell : Out, two cycles after u; entry : In(Entry), three.
    code : Out(signed 8).
    """

    u: Any
    fired: Any
    fine: Any
    cell: Any
    entry: Any
    code: Any

    def __init__(self, width: int):
        self.width = width
        super().__init__(
            {
                "u": In(signed(width)),
                "fired": In(1),
                "fine": In(1),
                "cell": Out(CELL_BITS),
                "entry": In(Entry),
                "code": Out(signed(CODE_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def register(value, name: str) -> Signal:
            q = Signal(len(value), name=name, reset_less=True)
            m.d.sync += q.eq(value)
            return q

        u, fired = register(self.u, "u_q"), register(self.fired, "fired_q")
        # |w| = flipped + negative, cut to STATE_MAX
        flipped = u[:-1] ^ u[-1].replicate(self.width - 1)
        low = flipped[:SIZE_BITS]
        most = Cat(u[-1], ~u[-1], Const((1 << SIZE_BITS - 2) - 1, SIZE_BITS - 2))
        cut = Mux(flipped[SIZE_BITS:].any() | low[1:].all(), most, low)
        size = register((Mux(fired, 0, cut) + (u[-1] & ~fired))[:SIZE_BITS], "size")
        negative = register(u[-1], "negative_0")
        beyond = size[FINE + CELL_BITS :].any()
        fine_cell = size[FINE : FINE + CELL_BITS] | beyond.replicate(CELL_BITS)
        m.d.comb += self.cell.eq(Mux(self.fine, fine_cell, size[COARSE:]))
        place = register(Mux(self.fine, size[:FINE], size[:COARSE]), "place")
        count = register((self.entry.count + (place >= self.entry.at))[: CODE_BITS - 1], "count")
        negative = register(register(negative, "negative_1"), "negative_2")
        m.d.comb += self.code.eq(Mux(negative, -count, count))
        return m


class TableLoader(wiring.Component):
    """Makes the table of sorted thresholds, a cell a cycle; see ``isa.Op.TABLE``.

    Members
    -------
    load : In(1), the cycle before ``run``: the first threshold is there. run : In(1), for
        STATE_CELLS cycles. fine : In(1).
    more : In(1), not all thresholds are used up. threshold : In, the one after that in hand.
    take : Out(1), the one in hand is used up in this cycle and ``threshold`` comes to hand.
    write : Out(TableWrite), a register.
    """

    load: Any
    run: Any
    fine: Any
    more: Any
    threshold: Any
    take: Any
    write: Any

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
        t = self.threshold
        m.d.comb += [self.take.eq(self.run & self.more & (mine == cell)), self.write.eq(write)]
        m.d.sync += [
            write.en.eq(self.run),
            write.cell.eq(cell),
            write.entry.count.eq(count),
            write.entry.at.eq(Mux(self.take, place, STATE_CELL_COARSE)),
            cell.eq(cell + 1),
            count.eq(count + self.take),
        ]
        with m.If(self.load):
            m.d.sync += [cell.eq(0), count.eq(0)]
        with m.If(self.load | self.take):
            m.d.sync += [
                mine.eq(Mux(self.fine, t[FINE : FINE + CELL_BITS], t[COARSE:])),
                place.eq(Mux(self.fine, t[:FINE], t[:COARSE])),
            ]
        return m


class CodeBytes(wiring.Component):
    """Codes out of and into bytes of 8 / b of them, lowest first.

    Members
    -------
    bits : In(2), index into STATE_BITS.
    byte, at : In, a byte that was read and the place of the code wanted in it, at 0.
    read : Out(signed 8), that code, combinational.
    code, into, keep : In, a new code, its place and whether it counts, at ``distance``.
    o : Out(8), at ``distance``: codes before it as new (0 before the first), the code, those
        after it as read. Combinational.
    """

    bits: Any
    byte: Any
    at: Any
    read: Any
    code: Any
    into: Any
    keep: Any
    o: Any

    def __init__(self, *, distance: int):
        self.distance = distance
        super().__init__(
            {
                "bits": In(2),
                "byte": In(CODE_BITS),
                "at": In(2),
                "read": Out(signed(CODE_BITS)),
                "code": In(signed(CODE_BITS)),
                "into": In(2),
                "keep": In(1),
                "o": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        old = self.byte
        for n in range(self.distance):
            q = Signal(CODE_BITS, name=f"old_{n}", reset_less=True)
            m.d.sync += q.eq(old)
            old = q
        new = Signal(CODE_BITS, reset_less=True)  # the byte as written last
        with m.If(self.keep):
            m.d.sync += new.eq(self.o)
        with m.Switch(self.bits):
            for n, b in enumerate(STATE_BITS):
                with m.Case(n):
                    count = CODE_BITS // b
                    m.d.comb += self.read.eq(
                        Choice([self.byte[b * s : b * s + b].as_signed() for s in range(count)])[
                            self.at
                        ]
                    )
                    for s in range(count):
                        part = slice(b * s, b * s + b)
                        before = s < self.into if count > 1 else Const(0, 1)
                        m.d.comb += self.o[part].eq(
                            Mux(
                                before,
                                new[part],
                                Mux(self.into == s if count > 1 else 1, self.code[:b], old[part]),
                            )
                        )
        return m
