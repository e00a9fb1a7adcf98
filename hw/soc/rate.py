"""Which baud rate the line has, and when to give it up."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link


class Rate(wiring.Component):
    """The index of a rate, ``link.BAUD``'s after reset, and again where another is of no use.

    It is where ``link.FALLBACK_TICKS`` have passed since the change, or since the first byte that
    is part of no good frame, without a good frame.

    Latency: 1 cycle.

    Members
    -------
    change, wanted : In(1), In(range of link.RATES)
        Take this index.
    tick, byte, good : In(1)
        Time passes (``link.TICK_MS``); a byte has come; a frame has come whole.
    index : Out(range of link.RATES)
    """

    change: Signal
    wanted: Signal
    tick: Signal
    byte: Signal
    good: Signal
    index: Signal

    def __init__(self) -> None:
        index = range(len(link.RATES))
        super().__init__(
            {
                "change": In(1),
                "wanted": In(index),
                "tick": In(1),
                "byte": In(1),
                "good": In(1),
                "index": Out(index),
            }
        )

    def elaborate(self, platform):
        m = Module()
        doubt, ticks = Signal(), Signal(range(link.FALLBACK_TICKS))
        assert link.RATES.index(link.BAUD) == 0  # where the register starts
        with m.If(self.byte):
            m.d.sync += doubt.eq(1)
        with m.If(~doubt):
            m.d.sync += ticks.eq(0)
        with m.Elif(self.tick):
            m.d.sync += ticks.eq(ticks + 1)
            with m.If((ticks == link.FALLBACK_TICKS - 1) & ~self.good):
                m.d.sync += [ticks.eq(0), self.index.eq(0)]
        with m.If(self.good):
            m.d.sync += [doubt.eq(0), ticks.eq(0)]
        with m.If(self.change):
            m.d.sync += [self.index.eq(self.wanted), doubt.eq(1), ticks.eq(0)]
        return m
