"""What a lane keeps of a row, and what its unit of means multiplies: two words, a LUT a bit."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import MEMBRANE_BITS
from hw.common.errors import SpikeloomError
from hw.core.luts import lut
from hw.core.saturate import saturate


class Kept(wiring.Component):
    """``kept = saturate(total) | spike``; ``operand = pixel if mac else kept``.

    Both need the same bits of ``total``, which are three for each of theirs.

    Latency: combinational. Throughput: one a cycle.

    Parameters
    ----------
    target : str
        ``generic``, ``ecp5``, ``simulation``: behavioural. ``xc7``: LUT6_2 cells; equal bit for
        bit.

    Members
    -------
    total : In(signed 19). spike : In(1). pixel : In(signed 18). mac : In(1).
    kept : Out(signed 18). operand : Out(signed 18).
    low : Out(1), the lowest bit of kept but for the spike.
    """

    total: Signal
    spike: Signal
    pixel: Signal
    mac: Signal
    kept: Signal
    operand: Signal
    low: Signal

    def __init__(self, *, target: str = "generic"):
        if target not in self.FORMS:
            known = tuple(self.FORMS)
            raise SpikeloomError(f"kept target {target!r}: known targets are {known}")
        self.target = target
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "total": In(signed(MEMBRANE_BITS + 1)),
                "spike": In(1),
                "pixel": In(word),
                "mac": In(1),
                "kept": Out(word),
                "operand": Out(word),
                "low": Out(1),
            }
        )

    def elaborate(self, platform):
        m = self.FORMS[self.target](self)
        top, negative = self.total[-2], self.total[-1]
        m.d.comb += self.low.eq(Mux(top == negative, self.total[0], top))
        return m

    def _generic(self) -> Module:
        m = Module()
        m.d.comb += [
            self.kept.eq(saturate(self.total) | Cat(self.spike, Const(0, MEMBRANE_BITS - 1))),
            self.operand.eq(Mux(self.mac, self.pixel, self.kept)),
        ]
        return m

    def _xc7(self) -> Module:
        """The lowest bit has one input more than a LUT of two outputs: it takes two of one."""
        m = Module()
        top, negative = self.total[-2], self.total[-1]

        def clipped(bit, top, negative):
            return bit if top == negative else top

        def operand(bit, top, negative, pixel, mac):
            return pixel if mac else clipped(bit, top, negative)

        def kept(bit, top, negative, pixel, mac):
            return clipped(bit, top, negative)

        first = Signal()
        m.d.comb += first.eq(Mux(top == negative, self.total[0], top) | self.spike)
        words: list[tuple[Value, Value]] = [(Mux(self.mac, self.pixel[0], first), first)]
        for n in range(1, MEMBRANE_BITS - 1):
            pins = [self.total[n], top, negative, self.pixel[n], self.mac]
            words.append(lut(m, f"bit_{n}", pins, operand, kept))
        words.append((Mux(self.mac, self.pixel[-1], negative), negative))
        m.d.comb += [
            self.operand.eq(Cat(*(word[0] for word in words))),
            self.kept.eq(Cat(*(word[1] for word in words))),
        ]
        return m

    #: How each set of primitives makes it.
    FORMS = {"generic": _generic, "ecp5": _generic, "simulation": _generic, "xc7": _xc7}
