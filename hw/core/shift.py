"""The end of an affine map: one unit's sum, shifted and clipped."""

from itertools import pairwise
from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.hdl import signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import MEMBRANE_BITS, PRODUCT_BITS, SHIFTS
from hw.core.pipe import later


def unit_shape(units: int) -> Shape:
    """Shape of the number of one of several units."""
    return unsigned(max(1, (units - 1).bit_length()))


class Shift(wiring.Component):
    """``x = saturate(p[unit] >> shift)``, of one of SHIFTS.

    There is a register for each shift, and those of the others are held at 0. So the shifts are
    joined by an or, which leaves room in its LUTs for what clips.

    Latency: 1 cycle. Throughput: one a cycle.

    Parameters
    ----------
    units : int

    Members
    -------
    p : In(signed 36), units times, at 0. unit : In(range(units)), at 0.
    shut : In(4), at 0, a bit for each of SHIFTS: 0 for the one to be taken, 1 for the others.
    x : Out(signed 18), at 1.
    """

    p: Any
    unit: Signal
    shut: Signal
    x: Signal

    latency = 1

    def __init__(self, units: int):
        super().__init__(
            {
                "p": In(signed(PRODUCT_BITS)).array(units),
                "unit": In(unit_shape(units)),
                "shut": In(len(SHIFTS)),
                "x": Out(signed(MEMBRANE_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        low, bits = min(SHIFTS), MEMBRANE_BITS - 1  # bits below the sign
        assert list(SHIFTS) == sorted(SHIFTS)
        picked: Any = Choice([*self.p])[self.unit]
        head = Signal(PRODUCT_BITS - low - bits, reset_less=True)  # what the smallest leaves out
        m.d.sync += head.eq(picked[low + bits :])
        joined: Value = Const(0, bits)
        for n, shift in enumerate(SHIFTS):
            part = Signal(bits, name=f"shifted_{shift}", reset_less=True)
            m.d.sync += part.eq(picked[shift : shift + bits])
            with m.If(self.shut[n]):
                m.d.sync += part.eq(0)
            joined = joined | part
        # All that a shift leaves out above must be the sign: of the larger ones that is less.
        shut, negative, beyond = later(m, self.shut, name="shut"), head[-1], Const(0, 1)
        ends = [*(shift - low for shift in SHIFTS), len(head) - 1]
        for n, (start, end) in enumerate(pairwise(ends)):
            differs = (head[start:end] ^ negative.replicate(end - start)).any()
            beyond = beyond | (differs & shut[n + 1 :].all())
        m.d.comb += self.x.eq(Cat(Mux(beyond, ~negative.replicate(bits), joined), negative))
        return m
