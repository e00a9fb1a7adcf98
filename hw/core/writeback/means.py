"""Means in write-back: the x of C lanes, after the rows of a column tile, to pixel memory."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.core.pipe import delay
from hw.core.words import ADDR


class MeanBurst(wiring.Component):
    """Says when the mean of each lane comes, and where it goes: to one word after the other.

    Latency: ``latency`` cycles from ``take`` to lane 0. Throughput: a column tile in C cycles, and
    no column tile is shorter.

    Parameters
    ----------
    config : Config

    Members
    -------
    begin : In(1), an instruction begins; its first mean goes to base : In(ADDR).
    take : In(1), the last row of a column tile is in write-back.
    due : Out(1), a lane's mean is: of address addr : Out(ADDR).
    """

    begin: Signal
    base: Signal
    take: Signal
    due: Signal
    addr: Signal

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "begin": In(1),
                "base": In(ADDR),
                "take": In(1),
                "due": Out(1),
                "addr": Out(ADDR),
            }
        )

    @property
    def latency(self) -> int:
        return timing.mean_row(self.config) - (self.config.rows - 1)

    def elaborate(self, platform):
        m = Module()
        cols = self.config.cols
        left = Signal(range(cols + 1))
        addr = Signal(ADDR, reset_less=True)
        m.d.comb += [self.due.eq(left != 0), self.addr.eq(addr)]
        with m.If(self.due):
            m.d.sync += [left.eq(left - 1), addr.eq(addr + 1)]
        with m.If(delay(m, self.take, self.latency - 1, name="take", reset=True)):
            m.d.sync += left.eq(cols)
        with m.If(self.begin):
            m.d.sync += addr.eq(self.base)
        return m
