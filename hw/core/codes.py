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

    A cell holds at most one threshold, so that the table's count and one comparison give the
    code.

    Latency: 4 cycles from ``u`` to ``code``, which is combinational of registers. Throughput: one
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

        def register(value, name: str):
            return delay(m, value, 1, name=name)

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
    byte : In(8), at : In(2), a byte that was read and the place of the code wanted in it, at 0.
    read : Out(signed 8), that code, combinational.
    code : In(signed 8), into : In(2), keep : In(1), a new code, its place and whether it counts,
        at ``distance``.
    o : Out(8), at ``distance``: codes before it as new (0 before the first), the code, those
        after it as read. Combinational.
    """

    bits: Signal
    byte: Signal
    at: Signal
    read: Signal
    code: Signal
    into: Signal
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
                "into": In(2),
                "keep": In(1),
                "o": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        old = delay(m, self.byte, self.distance, name="old")
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
