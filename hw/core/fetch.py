"""Fetch: the words of an instruction into its register."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.isa import LATE_WORD, NI
from hw.core.words import ADDR, instruction_layout


class Fetch(wiring.Component):
    """Reads NI words, one a cycle, into the instruction register.

    Late words, which lanes and write-back read, wait until the pipeline has drained of the
    instruction before.

    Latency: ``latency`` cycles from the first cycle of ``run`` until the instruction is whole, if
    nothing drains. Throughput: a word a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    restart : In(1), the next instruction is the program's first. begin : In(1), its fetch begins
        in the next cycle, and its late words wait for drain : In(0 to timing.drain_cycles) more.
    run : In(1), words are fetched. skip : In(1), the word in hand is no instruction's: the next
        one is wanted.
    addr : Out(ADDR), of program memory. data : In(32), its word a cycle later.
    whole : Out(1), all words have arrived, or are about to.
    insn : Out(instruction_layout()), the instruction register.
    """

    restart: Signal
    begin: Signal
    drain: Signal
    run: Signal
    skip: Signal
    addr: Signal
    data: Signal
    whole: Signal
    insn: Any

    latency = NI + 1

    def __init__(self, config: Config):
        self.most = timing.drain_cycles(config, True)
        super().__init__(
            {
                "restart": In(1),
                "begin": In(1),
                "drain": In(range(self.most + 1)),
                "run": In(1),
                "skip": In(1),
                "addr": Out(ADDR),
                "data": In(32),
                "whole": Out(1),
                "insn": Out(instruction_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        words = [Signal(32, name=f"ir{n}", reset_less=True) for n in range(NI)]
        pc = Signal(ADDR)
        count = Signal(range(NI + 2))
        capture, capture_at = Signal(), Signal(range(NI))
        drain = Signal(range(self.most + 1))
        advance = Signal()
        m.d.comb += [
            self.insn.eq(Cat(*words)),
            self.addr.eq(Mux(self.skip, pc + 1, pc)),
            self.whole.eq(count == NI),
            advance.eq(self.run & ~self.whole & ~((count == LATE_WORD) & (drain != 0))),
        ]
        m.d.sync += [capture.eq(advance), capture_at.eq(count)]
        with m.If(capture):
            for n in range(NI):
                with m.If(capture_at == n):
                    m.d.sync += words[n].eq(self.data)
        with m.If(drain != 0):
            m.d.sync += drain.eq(drain - 1)
        with m.If(advance):
            m.d.sync += count.eq(count + 1)
        with m.If(advance | self.skip):
            m.d.sync += pc.eq(pc + 1)
        with m.If(self.begin):
            m.d.sync += [count.eq(0), drain.eq(self.drain)]
        with m.If(self.restart):
            m.d.sync += pc.eq(0)
        return m
