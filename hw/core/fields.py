"""Sums of several array elements in one DSP48E1, side by side."""

from typing import Any

from amaranth import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import ADDER_BITS, FIELD_BITS
from hw.core.dsp48 import dsp48e1


class FieldSums(wiring.Component):
    """``p = (keep ? p : 0) +- (x + y)``, in every cycle and in each field of a 48-bit adder.

    The adder is one, and knows nothing of fields: it is right as long as every sum lies within
    0 and 2**bits - 1, so that neither a carry nor a borrow leaves its field. Sums that may become
    negative start from ``2**(bits - 1)``, by ``lift``. (The DSP's own way to cut its adder is not
    used: tools that write its settings wrongly are about.)

    Latency: ``latency`` cycles from ``x``, ``y`` and what goes with them to ``p``. Throughput: 1
    per cycle. No register has a reset; ``p`` is arbitrary until the first word without ``keep``,
    which is one of all fields.

    Parameters
    ----------
    bits : int
        Of a field: 12 (four fields) or 24 (two).
    addends : int
        Bits of x and y, less than ``bits``.

    Members
    -------
    x, y : In(addends), of each field.
    keep : In(1), the sums go on: the word is not their first. neg : In(1), x and y are subtracted;
        not in a first word. lift : In(1), 2**(bits - 1) is added; at most in a first word.
    p : Out(bits), of each field; a register.
    """

    x: Any
    y: Any
    keep: Signal
    neg: Signal
    lift: Signal
    p: Any

    latency = 2

    def __init__(self, bits: int, addends: int):
        assert bits in FIELD_BITS and addends < bits
        self.bits, self.addends, self.fields = bits, addends, ADDER_BITS // bits
        super().__init__(
            {
                "x": In(addends).array(self.fields),
                "y": In(addends).array(self.fields),
                "keep": In(1),
                "neg": In(1),
                "lift": In(1),
                "p": Out(bits).array(self.fields),
            }
        )

    def elaborate(self, platform):
        m = Module()
        p = Signal(ADDER_BITS)
        space = Const(0, self.bits - self.addends)
        middle = Cat(Const(0, self.bits - 1 - self.addends), self.lift)
        ab = Cat(Cat(x, space) for x in self.x)
        c = Cat(Cat(y, middle) for y in self.y)
        m.submodules.dsp = self._dsp(ab, c, p)
        for k in range(self.fields):
            m.d.comb += self.p[k].eq(p.word_select(k, self.bits))
        return m

    def _dsp(self, ab, c, p) -> Instance:
        # OPMODE: X = A:B (11), Y = C (11), Z = P (010) or 0 (000). ALUMODE: Z + X + Y (0000) or
        # Z - (X + Y) (0011).
        opmode = Cat(Const(0b1111, 4), Const(0, 1), self.keep, Const(0, 1))
        alumode = Cat(self.neg, self.neg, Const(0, 2))
        return dsp48e1(
            registers=("A", "B", "C", "P", "OPMODE", "ALUMODE"),
            enabled=("A2", "B2", "C", "P", "CTRL", "ALUMODE"),
            p_USE_MULT="NONE",
            i_A=ab[18:],
            i_B=ab[:18],
            i_C=c,
            i_OPMODE=opmode,
            i_ALUMODE=alumode,
            o_P=p,
        )
