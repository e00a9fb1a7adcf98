"""Parameter words: bias and factors of a column tile, read before its first tile."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import timing
from hw.arch.isa import BY_NAME
from hw.core.words import ADDR, MEAN_BIAS, instruction_layout


class Parameters(wiring.Component):
    """Counts the parameter words of a column tile, which wait for the one before to be under way.

    They also wait ``gap`` cycles after its end, and for what is ``wanted``. Where an instruction
    sums a mean, the first two are numbered MEAN_BIAS and MEAN_FACTOR, and those after them from 0.

    Latency: combinational of ``run``. Throughput: a word a cycle.

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction begins.
    run : In(1), parameters are to be issued. wanted : In(1), something that they need is not there.
    first_done : In(1), the last word of a column tile's first tile is issued. column_end : In(1),
        the column tile ends, last : In(1), with its head.
    issue : Out(1), a parameter word is issued: the one of number index : Out(0 to 16), of address
        addr : Out(ADDR), to half : Out(1) of the factor table. done : Out(1), it is the last.
        begin : Out(1), it is the first. stalled : Out(1), it would be, but for what is wanted.
    """

    insn: Any
    setup: Signal
    run: Signal
    wanted: Signal
    first_done: Signal
    column_end: Signal
    last: Signal
    issue: Signal
    index: Signal
    addr: Signal
    half: Signal
    done: Signal
    begin: Signal
    stalled: Signal

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "run": In(1),
                "wanted": In(1),
                "first_done": In(1),
                "column_end": In(1),
                "last": In(1),
                "issue": Out(1),
                "index": Out(5),
                "addr": Out(ADDR),
                "half": Out(1),
                "done": Out(1),
                "begin": Out(1),
                "stalled": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i = self.insn
        half = Signal()
        swap = Signal(range(timing.SWAP + 1))  # parameters must wait while not 0
        gap = Signal(BY_NAME["gap"].bits)
        index = Signal(5, reset_less=True)
        first, addr = (Signal(ADDR, name=n, reset_less=True) for n in ("par_first", "par_addr"))
        step = Signal(ADDR)  # from the column tile's first word to the next one's
        may = self.run & (swap == 0) & (gap == 0) & (index == 0)
        m.d.comb += [
            self.begin.eq(may & ~self.wanted),
            self.stalled.eq(may & self.wanted),
            self.issue.eq(self.begin | (self.run & (index != 0))),
            self.index.eq(index + Mux(i.mean != 0, MEAN_BIAS, 0)),
            self.addr.eq(addr),
            step.eq(Mux(self.last, i.par_h, i.par_j)),
            self.half.eq(half),
            self.done.eq(self.issue & (index + 1 == i.n_par)),
        ]
        with m.If(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        with m.If(swap != 0):
            m.d.sync += swap.eq(swap - 1)
        with m.If(self.first_done):
            m.d.sync += swap.eq(timing.SWAP - 1)
        with m.If(self.issue):
            m.d.sync += [index.eq(index + 1), addr.eq(addr + 1)]
        with m.If(self.column_end):
            m.d.sync += [
                half.eq(~half),
                index.eq(0),
                gap.eq(i.gap),
                first.eq(first + step),
                addr.eq(first + step),
            ]
        with m.If(self.setup):
            m.d.sync += [index.eq(0), first.eq(i.par_base), addr.eq(i.par_base)]
            m.d.sync += [swap.eq(0), gap.eq(0)]
        return m
