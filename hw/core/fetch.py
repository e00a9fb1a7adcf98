"""Fetch: the words of an instruction into its register."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.isa import BY_NAME, LATE_WORD, NI, Op
from hw.core.words import ADDR, instruction_layout

LATE = NI - LATE_WORD  #: Words that lanes and write-back use.
AHEAD = 2  #: Cycles from the request of the last word to the set-up cycle, or of a word to its use.
ENDED = 1  #: Cycles from the last word that an instruction issues to ``begin``.


class Fetch(wiring.Component):
    """Reads NI words, one a cycle, into the instruction register.

    Early words are read when the instruction before has issued its last word, while it drains.
    With ``config.prefetch`` late words are read before them, while it issues, into shadows that
    go to the register with ``setup``; else after its drain.

    Latency: ``latency`` cycles from ``begin`` of the first instruction until it is whole; of a
    later one as `hw.arch.timing.overhead` says. Throughput: a word a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    begin : In(1), the instruction in the register has issued its last word, ENDED cycles ago: early
        words of the next may overwrite it, and its last write lands drain : In(9) cycles after it.
    restart : In(1), with begin: the next instruction is the program's first, or the one behind a
        table that was kept.
    keep : In(1), with begin: runs to come start with the next instruction.
    forget : In(1), they start with the program's first again.
    setup : In(1), the instruction is taken.
    skip : In(1), the word in hand is no instruction's: the next one is wanted.
    addr : Out(ADDR), of program memory. data : In(32), its word a cycle later.
    whole : Out(1), all words have arrived, or are about to, and the next cycle may be ``setup``.
    kept : Out(1), a run starts behind the table.
    insn : Out(instruction_layout()), the instruction register.
    pc : Out(ADDR), address of the instruction in it, or of the next one once that is asked for.
    """

    begin: Signal
    drain: Signal
    restart: Signal
    keep: Signal
    forget: Signal
    setup: Signal
    skip: Signal
    addr: Signal
    data: Signal
    whole: Signal
    kept: Signal
    insn: Any
    pc: Signal

    latency = NI + 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "begin": In(1),
                "drain": In(BY_NAME["drain"].bits),
                "restart": In(1),
                "keep": In(1),
                "forget": In(1),
                "setup": In(1),
                "skip": In(1),
                "addr": Out(ADDR),
                "data": In(32),
                "whole": Out(1),
                "kept": Out(1),
                "insn": Out(instruction_layout()),
                "pc": Out(ADDR),
            }
        )

    def elaborate(self, platform):
        m = Module()
        at = Signal(ADDR)
        count = Signal(range(NI + 1))  # words asked for
        drain = Signal(len(self.drain))
        asking, opened = Signal(), Signal()  # for words; for early ones too
        advance, drained = Signal(), Signal()
        ahead = bool(self.config.prefetch)
        wait = (count >= LATE) & ~opened if ahead else (count == LATE_WORD) & ~drained
        table = self.insn.op == Op.TABLE
        m.d.comb += [
            self.addr.eq(Mux(self.skip, at + 1, at)),
            drained.eq(drain <= AHEAD + ENDED),
            advance.eq(asking & (count != NI) & ~wait),
            self.whole.eq((count == NI) & drained),
        ]
        with m.If(drain != 0):
            m.d.sync += drain.eq(drain - 1)
        with m.If(advance):
            m.d.sync += count.eq(count + 1)
        with m.If(advance | self.skip):
            m.d.sync += at.eq(at + self._step(count, table))
        with m.If(self.setup):
            running = ~table & (self.insn.op != Op.HALT)
            m.d.sync += [count.eq(0), opened.eq(0), asking.eq(running if ahead else 0)]
        with m.If(self.begin):
            m.d.sync += [asking.eq(1), opened.eq(1), drain.eq(self.drain)]
            if ahead:  # from the words of a table, whose late words are next
                with m.If(table):
                    m.d.sync += at.eq(at + LATE_WORD)
        self._start(m, at)
        self._capture(m, count, advance)
        pc = Signal(ADDR, reset_less=True)  # a run that was stopped leaves it
        m.d.comb += self.pc.eq(pc)
        with m.If(advance & (count == (LATE if ahead else 0))):
            m.d.sync += pc.eq(at)
        return m

    def _step(self, count: Signal, table: Any) -> Any:
        """Distance from a word to the one that is asked for after it."""
        if not self.config.prefetch:
            return 1
        after = Mux(table, LATE, NI)  # to the words of a table, or to late words
        return Mux(count == LATE - 1, 1 - NI, Mux(count == NI - 1, 1 + after, 1))

    def _start(self, m: Module, at: Signal) -> None:
        """Where a run starts."""
        kept, keeping = Signal(), Signal()
        start = Signal(ADDR, reset_less=True)
        m.d.comb += self.kept.eq(kept & ~self.forget)
        m.d.sync += keeping.eq(self.begin & self.keep)
        with m.If(keeping):
            m.d.sync += [start.eq(at), kept.eq(1)]
        with m.If(self.forget):
            m.d.sync += kept.eq(0)
        with m.If(self.restart):
            m.d.sync += at.eq(Mux(self.kept, start, LATE_WORD if self.config.prefetch else 0))

    def _capture(self, m: Module, count: Signal, advance: Signal) -> None:
        """The word that was asked for in the cycle before, to its place."""
        words = [Signal(32, name=f"ir{n}", reset_less=True) for n in range(NI)]
        places = words
        if self.config.prefetch:
            shadows = [Signal(32, name=f"late{n}", reset_less=True) for n in range(LATE)]
            places = [*shadows, *words[:LATE_WORD]]
            with m.If(self.setup):
                m.d.sync += [word.eq(s) for word, s in zip(words[LATE_WORD:], shadows, strict=True)]
        capture, place = Signal(), Signal(range(NI + 1))
        m.d.sync += [capture.eq(advance), place.eq(count)]
        with m.If(capture):
            for n, word in enumerate(places):
                with m.If(place == n):
                    m.d.sync += word.eq(self.data)
        m.d.comb += self.insn.eq(Cat(*words))
