"""Codes of membranes: from a membrane to its code, codes in and out of bytes, and what is left."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import STATE_BITS, STATE_SHIFTS
from hw.core.luts import muxes, ors
from hw.core.pipe import delay
from hw.core.table import CELL_BITS, COARSE, CODE_BITS, FINE, SIZE_BITS, Entry

#: What may stand in a byte's pairs of bits: (pair, pair of the code, of which of STATE_BITS).
PARTS = (
    *((0, 0, (0, 1, 2)), (1, 0, (0,)), (1, 1, (1, 2)), (2, 0, (0, 1)), (2, 2, (2,))),
    *((3, 0, (0,)), (3, 1, (1,)), (3, 3, (2,))),
)


def gated(m: Module, value: Value, zero: Value, shut: Value, *, name: str) -> Signal:
    """Return ``value`` a register later, but 0 where two cycles before it was said that it is.

    ``zero`` is said of a cycle, and ``shut`` of this register alone: they meet in the set input of
    a flip-flop, and act by the reset input of the register. So several such registers, of which
    all but one are shut, are a multiplexer by an or.
    """
    nothing = Signal(name=f"{name}_zero", reset_less=True)
    out = Signal(len(value), name=name, reset_less=True)
    m.d.sync += [nothing.eq(zero), out.eq(value)]
    with m.If(shut):
        m.d.sync += nothing.eq(1)
    with m.If(nothing):
        m.d.sync += out.eq(0)
    return out


class StateCode(wiring.Component):
    """``code = sign(u) * (thresholds <= min(|u|, STATE_MAX))`` by the cell that |u| lies in.

    A larger |u| counts as STATE_MAX + 1, which no threshold is. A cell holds at most one
    threshold, so that the table's count and one comparison give the code.

    Latency: 3 cycles from ``u`` to ``code``, which is no register. Throughput: one a cycle.

    Parameters
    ----------
    width : int
        Bits of a membrane.

    Members
    -------
    u : In(signed width)
        The membrane.
    fine : In(1)
        Cells have STATE_CELL_FINE units instead of STATE_CELL_COARSE.
    cell : Out(range(STATE_CELLS)), a cycle after u, no register; entry : In(Entry), three.
    code : Out(signed 8)
        -127 to 127.
    """

    u: Signal
    fine: Signal
    cell: Signal
    entry: Any
    code: Signal

    latency = 3

    def __init__(self, width: int):
        self.width = width
        super().__init__(
            {
                "u": In(signed(width)),
                "fine": In(1),
                "cell": Out(CELL_BITS),
                "entry": In(Entry),
                "code": Out(signed(CODE_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        wide = self.width
        u = delay(m, self.u, 1, name="u_q")
        negative = u[-1]
        # Places of fine cells count 8 times, so that both kinds of cell lie at the same bits.
        fine = COARSE - FINE
        scaled = Mux(self.fine, u << fine, u)[:SIZE_BITS]
        beyond = [
            part ^ negative.replicate(len(part))
            for part in (u[SIZE_BITS - fine : SIZE_BITS], u[SIZE_BITS : wide - 1])
        ]
        over = beyond[1].any() | (self.fine & beyond[0].any())
        total = Signal(SIZE_BITS + 1)  # |u|, if it has no more bits
        m.d.comb += total.eq((scaled ^ negative.replicate(SIZE_BITS)) + negative)
        size = total[:SIZE_BITS] | (total[SIZE_BITS] | over).replicate(SIZE_BITS)
        m.d.comb += self.cell.eq(size[COARSE:])
        place = delay(m, size[:COARSE], 2, name="place")
        negative = delay(m, negative, 2, name="negative")
        reached = place >= self.entry.at
        # -n is ~n + 1, and -(n + 1) is ~n
        count = Cat(self.entry.count, Const(0, 1)) ^ negative.replicate(CODE_BITS)
        m.d.comb += self.code.eq(count + (negative ^ reached))
        return m


class CodeBytes(wiring.Component):
    """Codes out of and into bytes of 8 / b of them, lowest first.

    Latency: none of its own; what is read meets what is written ``distance`` cycles later.
    Throughput: a code a cycle.

    Parameters
    ----------
    distance : int
        Cycles between a word of two bytes that was read and the byte with the new code.
    target : str
        ``generic``, ``ecp5``, ``simulation``: behavioural. ``xc7``: LUT6_2 for multiplexers; equal
        bit for bit.

    Members
    -------
    bits : In(2), index into STATE_BITS.
    word : In(16), two bytes that were read, and at : In(3), the place of the code wanted in them,
        in pairs of bits, at 0. forget : In(1), they count as 0.
    read : Out(signed 8), that code, combinational; not forgotten.
    code : In(signed 8), a new code, a cycle before ``distance``, and drop : In(1), two before it:
        the code is 0.
    shut : In(8), two cycles before ``distance``: PARTS that the code does not give. changed :
        In(4), one before: the pairs of bits of the byte that are not as read. below : In(4), those
        below the code, and keep : In(1), the code counts, at ``distance``.
    o : Out(8), at ``distance``: codes below it as new (0 before the first), the code, those
        above it as read. Combinational.
    """

    bits: Signal
    word: Signal
    at: Signal
    forget: Signal
    read: Signal
    code: Signal
    drop: Signal
    shut: Signal
    changed: Signal
    below: Signal
    keep: Signal
    o: Signal

    def __init__(self, *, distance: int, target: str = "generic"):
        self.distance, self.target = distance, target
        super().__init__(
            {
                "bits": In(2),
                "word": In(2 * CODE_BITS),
                "at": In(3),
                "forget": In(1),
                "read": Out(signed(CODE_BITS)),
                "code": In(signed(CODE_BITS)),
                "drop": In(1),
                "shut": In(len(PARTS)),
                "changed": In(CODE_BITS // 2),
                "below": In(CODE_BITS // 2),
                "keep": In(1),
                "o": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        assert STATE_BITS == (2, 4, 8)
        assert self.distance >= 2
        two, eight, at = self.bits == 0, self.bits[1], self.at
        low, high = self.word[:CODE_BITS], self.word[CODE_BITS:]
        byte = muxes(m, "byte", at[2], low, high, target=self.target)
        # A code of b bits from its place on, then its sign.
        pairs = [byte[n : n + 2] for n in range(0, CODE_BITS, 2)]
        first: Value = Choice(pairs)[at[:2]]
        odd = muxes(m, "odd", at[1], pairs[1], pairs[3], target=self.target)
        second = Mux(two, first[1].replicate(2), odd)
        rest = Mux(eight, byte[4:], second[1].replicate(4))
        m.d.comb += self.read.eq(Cat(first, second, rest))
        # What may stand in a pair of bits: parts of the new code, of which one is not shut, and
        # what was read. The delay is cleared by reset, and so not put into memory of LUTs.
        old = Signal(CODE_BITS, reset_less=True)
        m.d.sync += old.eq(byte)
        with m.If(self.forget):
            m.d.sync += old.eq(0)
        old = delay(m, old, self.distance - 2, name="old", reset=True)
        parts: list[list[Value]] = [[] for _ in pairs]
        for n, (pair, of, _) in enumerate(PARTS):
            value, shut = self.code[2 * of : 2 * of + 2], self.shut[n]
            parts[pair].append(gated(m, value, self.drop, shut, name=f"part_{pair}_{of}"))
        last = Signal(CODE_BITS, reset_less=True)  # the byte as written last
        with m.If(self.keep):
            m.d.sync += last.eq(self.o)
        for n, new in enumerate(parts):
            part = slice(2 * n, 2 * n + 2)
            kept = Signal(2, name=f"kept_{n}", reset_less=True)
            m.d.sync += kept.eq(old[part])
            with m.If(self.changed[n]):
                m.d.sync += kept.eq(0)
            for value in new:
                kept = kept | value
            m.d.comb += self.o[part].eq(Mux(self.below[n], last[part], kept))
        return m


class Left(wiring.Component):
    """``v = code << shift``, of one of STATE_SHIFTS: what the leak leaves of a membrane.

    Latency: 1 cycle from ``code`` to ``v``. Throughput: one a cycle.

    Parameters
    ----------
    target : str
        As `CodeBytes` has it.

    Members
    -------
    shut : In(4), a bit for each of STATE_SHIFTS: 0 for the one to be taken; above : In(3), 1 for
        those that are smaller. Constant while anything is in flight.
    code : In(signed 8), at 0, and drop : In(1), at -1: it is 0.
    v : Out(signed), at 1.
    """

    shut: Signal
    above: Signal
    drop: Signal
    code: Signal
    v: Signal

    latency = 1
    width = CODE_BITS + max(STATE_SHIFTS)  #: Bits of ``v``.

    def __init__(self, *, target: str = "generic"):
        self.target = target
        super().__init__(
            {
                "shut": In(len(STATE_SHIFTS)),
                "above": In(len(STATE_SHIFTS) - 1),
                "drop": In(1),
                "code": In(signed(CODE_BITS)),
                "v": Out(signed(self.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        assert list(STATE_SHIFTS) == sorted(STATE_SHIFTS)
        # A code in its place for each shift; above it the sign, for all shifts up to one.
        held: list[Value] = []
        places: list[list[int]] = [[] for _ in range(self.width)]

        def hold(value: Value, shut: Value, at: Sequence[Sequence[int]], name: str) -> None:
            for bit, to in enumerate(at, len(Cat(*held))):
                for place in to:
                    places[place].append(bit)
            held.append(gated(m, value, self.drop, shut, name=name))

        for n, shift in enumerate(STATE_SHIFTS):
            at = [[shift + k] for k in range(CODE_BITS)]
            hold(self.code, self.shut[n], at, f"left_{shift}")
        tops = [shift + CODE_BITS for shift in STATE_SHIFTS]
        for n, (start, end) in enumerate(pairwise(tops)):
            hold(self.code[-1], self.above[n], [[*range(start, end)]], f"sign_{start}")
        m.d.comb += self.v.eq(Cat(*ors(m, "v", Cat(*held), places, target=self.target)))
        return m
