"""The log of a run: in which cycle each of its instructions was taken."""

from typing import Any, Literal

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.memmap import LOG_DEPTH
from hw.core.memories import Bank


class Log(wiring.Component):
    """Keeps the cycle of each of a run's first LOG_DEPTH instructions, until the next run.

    Latency: 1 cycle from ``addr`` to ``data``. Throughput: an instruction a cycle.

    Parameters
    ----------
    style : str
        ``block`` or ``distributed``, as `Bank`'s.

    Members
    -------
    begin : In(1), a run begins. take : In(1), its next instruction is taken.
    cycles : In(32), the run's so far.
    count : Out(range(LOG_DEPTH + 1)), instructions taken, LOG_DEPTH where there were more.
    addr : In(range(LOG_DEPTH)), data : Out(32), ``cycles`` of the instruction of this number.
    """

    begin: Signal
    take: Signal
    cycles: Signal
    count: Signal
    addr: Signal
    data: Signal

    latency = 1

    def __init__(self, *, style: Literal["block", "distributed"] = "block"):
        # Nobody asks for an entry in the cycle that makes it.
        self.bank: Any = Bank(32, LOG_DEPTH, style=style, apart=True)
        super().__init__(
            {
                "begin": In(1),
                "take": In(1),
                "cycles": In(32),
                "count": Out(range(LOG_DEPTH + 1)),
                "addr": In(range(LOG_DEPTH)),
                "data": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = bank = self.bank
        keeps = self.take & (self.count != LOG_DEPTH)
        m.d.comb += [
            bank.write_en.eq(keeps),
            bank.write_addr.eq(self.count),
            bank.write_data.eq(self.cycles),
            bank.read_addr.eq(self.addr),
            self.data.eq(bank.read_data),
        ]
        with m.If(self.begin):
            m.d.sync += self.count.eq(0)
        with m.Elif(keeps):
            m.d.sync += self.count.eq(self.count + 1)
        return m
