"""Codes of membranes: from a membrane to its code, and codes in and out of bytes."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import STATE_BITS
from hw.core.pipe import delay
from hw.core.table import CELL_BITS, COARSE, CODE_BITS, FINE, SIZE_BITS, Entry


class StateCode(wiring.Component):
    """``code = sign(w) * (thresholds <= min(|w|, STATE_MAX))`` by the cell that |w| lies in.

    A larger |w| counts as STATE_MAX + 1, which no threshold is. A cell holds at most one
    threshold, so that the table's count and one comparison give the code.

    Latency: 4 cycles from ``u`` to ``code``, a register. Throughput: one
    a cycle.

    Parameters
    ----------
    width : int
        Bits of a membrane.

    Members
    -------
    u : In(signed width), fired : In(1)
        The membrane before the reset, and whether it is 0 after it (w).
    fine : In(1)
        Cells have STATE_CELL_FINE units instead of STATE_CELL_COARSE.
    cell : Out(range(STATE_CELLS)), two cycles after u; entry : In(Entry), three.
    code : Out(signed 8)
        -127 to 127.
    """

    u: Signal
    fired: Signal
    fine: Signal
    cell: Signal
    entry: Any
    code: Signal

    latency = 4

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
        wide, limit = self.width, (1 << SIZE_BITS) - 1

        def register(value, name: str):
            return delay(m, value, 1, name=name)

        u = register(self.u, "u_q")
        fired = delay(m, self.fired, 3, name="fired")
        negative = u[-1]
        # Places of fine cells count 8 times, so that both kinds of cell lie at the same bits.
        fine = COARSE - FINE
        scaled = Mux(self.fine, u << fine, u)[:SIZE_BITS]
        beyond = [
            part ^ negative.replicate(len(part))
            for part in (u[SIZE_BITS - fine : SIZE_BITS], u[SIZE_BITS : wide - 1])
        ]
        over = beyond[1].any() | (self.fine & beyond[0].any())
        total = Signal(SIZE_BITS + 1)  # |w|; what has more bits counts as the most
        m.d.comb += total.eq(
            ((scaled ^ negative.replicate(SIZE_BITS)) | over.replicate(SIZE_BITS))
            + (negative & ~over)
        )
        size = Signal(SIZE_BITS, reset_less=True)
        m.d.sync += size.eq(Mux(total[SIZE_BITS], limit, total[:SIZE_BITS]))
        m.d.comb += self.cell.eq(size[COARSE:])
        place = register(size[:COARSE], "place")
        negative = delay(m, negative, 2, name="negative")
        code = Signal(signed(CODE_BITS), reset_less=True)
        reached = place >= self.entry.at
        # -n is ~n + 1, and -(n + 1) is ~n
        count = Cat(self.entry.count, Const(0, 1)) ^ negative.replicate(CODE_BITS)
        m.d.sync += code.eq(count + (negative ^ reached))
        with m.If(fired):
            m.d.sync += code.eq(0)
        m.d.comb += self.code.eq(code)
        return m


class CodeBytes(wiring.Component):
    """Codes out of and into bytes of 8 / b of them, lowest first.

    Latency: none of its own; what is read meets what is written ``distance`` cycles later.
    Throughput: a code a cycle.

    Parameters
    ----------
    distance : int
        Cycles between a byte that was read and its new code.

    Members
    -------
    bits : In(2), index into STATE_BITS.
    byte : In(8), at : In(2), a byte that was read and the place of the code wanted in it, in
        pairs of bits, at 0.
    read : Out(signed 8), that code, combinational.
    code : In(signed 8), own : In(4), below : In(4), keep : In(1), a new code, the pairs of bits
        that are its own, those below it, and whether it counts, at ``distance``.
    o : Out(8), at ``distance``: codes below it as new (0 before the first), the code, those
        above it as read. Combinational.
    """

    bits: Signal
    byte: Signal
    at: Signal
    read: Signal
    code: Signal
    own: Signal
    below: Signal
    keep: Signal
    o: Signal

    def __init__(self, *, distance: int):
        self.distance = distance
        super().__init__(
            {
                "bits": In(2),
                "byte": In(CODE_BITS),
                "at": In(2),
                "read": Out(signed(CODE_BITS)),
                "code": In(signed(CODE_BITS)),
                "own": In(CODE_BITS // 2),
                "below": In(CODE_BITS // 2),
                "keep": In(1),
                "o": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        assert STATE_BITS == (2, 4, 8)
        two, eight = self.bits == 0, self.bits[1]
        # A code of b bits from its place on, then its sign.
        pairs = [self.byte[2 * n : 2 * n + 2] for n in range(4)]
        first = Choice(pairs)[self.at]
        second = Mux(two, first[1].replicate(2), Mux(self.at[1], pairs[3], pairs[1]))
        rest = Mux(eight, Cat(pairs[2], pairs[3]), second[1].replicate(4))
        m.d.comb += self.read.eq(Cat(first, second, rest))
        # The new code at every place.
        low, high = self.code[:2], self.code[2:4]
        high = Mux(two, low, high)
        new = [low, high, Mux(eight, self.code[4:6], low), Mux(eight, self.code[6:8], high)]
        old = delay(m, self.byte, self.distance, name="old")
        last = Signal(CODE_BITS, reset_less=True)  # the byte as written last
        with m.If(self.keep):
            m.d.sync += last.eq(self.o)
        for n in range(4):
            part = slice(2 * n, 2 * n + 2)
            m.d.comb += self.o[part].eq(
                Mux(self.below[n], last[part], Mux(self.own[n], new[n], old[part]))
            )
        return m
