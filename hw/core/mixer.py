"""One of two words, a value, or the words' sum: at one LUT a bit where LUTs have two outputs."""

import enum

from amaranth import Array as Choice
from amaranth import Cat, Module, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.core.adder import chain
from hw.core.luts import lut


class Source(enum.IntEnum):
    """What a `Mixer` gives."""

    A = 0
    VALUE = 1
    B = 2
    BOTH = 3  #: A + B.


class Mixer(wiring.Component):
    """``o = (a, value, b, a + b)[source]``, of one bit more than ``a`` and ``b``.

    Latency: combinational. Throughput: one a cycle.

    Parameters
    ----------
    width : int
        Bits of the words.
    target : str
        ``generic``, ``ecp5``, ``simulation``: behavioural. ``xc7``: LUT6_2 and CARRY4 cells; equal
        bit for bit.

    Members
    -------
    a, b, value : In(signed width). source : In(Source).
    o : Out(signed width + 1).
    """

    a: Signal
    b: Signal
    value: Signal
    source: Signal
    o: Signal

    def __init__(self, width: int, *, target: str = "generic"):
        if target not in self.FORMS:
            known = tuple(self.FORMS)
            raise SpikeloomError(f"mixer target {target!r}: known targets are {known}")
        self.width, self.target = width, target
        word = signed(width)
        super().__init__(
            {
                "a": In(word),
                "b": In(word),
                "value": In(word),
                "source": In(Source),
                "o": Out(signed(width + 1)),
            }
        )

    def elaborate(self, platform):
        return self.FORMS[self.target](self)

    def _generic(self) -> Module:
        m = Module()
        choices = [self.a, self.value, self.b, self.a + self.b]
        m.d.comb += self.o.eq(Choice(choices)[self.source])
        return m

    def _xc7(self) -> Module:
        """A carry chain, in which without BOTH no carry begins: the LUT gives the sum's bits."""
        m = Module()

        def bit(a, b, value, low, high):
            return (a ^ b if high else value) if low else (b if high else a)

        def begins(a, b, value, low, high):  # where the bit is 0, and so a = b
            return low & high & a

        sums, carries = Signal(self.width + 1), Signal(self.width + 1)
        for n in range(self.width + 1):
            at = min(n, self.width - 1)
            pins = [self.a[at], self.b[at], self.value[at], *self.source]
            m.d.comb += Cat(sums[n], carries[n]).eq(Cat(lut(m, f"bit_{n}", pins, bit, begins)))
        m.d.comb += self.o.eq(chain(m, carries, sums))
        return m

    #: How each set of primitives makes it.
    FORMS = {"generic": _generic, "ecp5": _generic, "simulation": _generic, "xc7": _xc7}
