"""Sequencer: fetches macro-instructions, walks their loop nest, issues one word a cycle."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import STATE_CELLS
from hw.arch.isa import Op
from hw.core.fetch import Fetch
from hw.core.loops import Addresses, LoopNest
from hw.core.mover import moving_members
from hw.core.parameters import Parameters
from hw.core.pipe import delay, later
from hw.core.pixels import PixelColumn
from hw.core.shortcut import ShortcutAddress
from hw.core.table import TableLoader, TableWrite
from hw.core.taps import TapWindow
from hw.core.tokens import Destination, Tokens
from hw.core.wire import add_parts
from hw.core.words import ADDR, Tag, Word, field, instruction_layout


class Sequencer(wiring.Component):
    """Runs a program: cycle-exact with ``hw.arch.timing``.

    Latency: ``latency`` cycles from ``start`` to the first issue. Throughput: a word a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(1), a pulse while not busy. busy, done : Out(1), from the cycle after it.
    clear : In(1), all that decides the next run is as after a reset from the next cycle on.
    forget : In(1), a table that was kept is to be loaded again.
    prog_addr : Out(ADDR), prog_data : In(32): program memory, latency 1.
    pc : Out(ADDR), where in program memory the instruction in hand begins (`Fetch`).
    insn : Out(instruction_layout()), the instruction register; late words change only when the
        pipeline is empty.
    setup : Out(1), the cycle before the first issue: copies of early fields are taken.
    word : Out(Word), at cycle 0. tag : Out(Tag), at tau + 1.
    table : Out(TableWrite), the table that a TABLE makes, an entry a cycle.

    Of a core with a mover also order, take, end, ready, as `hw.core.mover.Mover` has them, and
    stalled : Out(1), the cycle passes for nothing but a wait for it.
    """

    start: Signal
    clear: Signal
    forget: Signal
    busy: Signal
    done: Signal
    pc: Signal
    prog_addr: Signal
    prog_data: Signal
    insn: Any
    setup: Signal
    word: Any
    tag: Any
    table: Any
    order: Any
    take: Signal
    end: Signal
    ready: Signal
    stalled: Signal

    def __init__(self, config: Config):
        self.config = config
        self.fetch, self.loops, self.addresses = Fetch(config), LoopNest(), Addresses()
        self.parameters, self.tokens = Parameters(), Tokens(config)
        self.destination, self.taps = Destination(), TapWindow()
        self.column = PixelColumn()
        self.shortcut, self.loader = ShortcutAddress(config), TableLoader()
        super().__init__(
            {
                "start": In(1),
                "clear": In(1),
                "forget": In(1),
                "busy": Out(1),
                "done": Out(1),
                "pc": Out(ADDR),
                "prog_addr": Out(ADDR),
                "prog_data": In(32),
                "insn": Out(instruction_layout()),
                "setup": Out(1),
                "word": Out(Word),
                "tag": Out(Tag),
                "table": Out(TableWrite),
            }
            | (moving_members() if config.block_depth else {})
        )

    @property
    def latency(self) -> int:
        return self.fetch.latency + 2  # start in a register, and setup

    def elaborate(self, platform):
        m = Module()
        assert self.latency == timing.START
        add_parts(m, self)
        self._connect(m)
        self._states(m)
        self._issue(m)
        self._finish(m)
        if self.config.block_depth:
            self._move(m)
        return ResetInserter(self.clear)(m)

    def _connect(self, m: Module) -> None:
        """Wire the parts to each other."""
        loops, tokens = self.loops, self.tokens
        goers = (tokens, self.destination, self.shortcut, self.column)  # from tile to tile
        others = (self.addresses, self.parameters)
        m.d.comb += [
            self.prog_addr.eq(self.fetch.addr),
            self.fetch.data.eq(self.prog_data),
            self.fetch.setup.eq(self.setup),
            self.fetch.forget.eq(self.forget),
            self.insn.eq(self.fetch.insn),
            self.pc.eq(self.fetch.pc),
            *(part.insn.eq(self.fetch.insn) for part in (loops, *others, *goers)),
            *(part.setup.eq(self.setup) for part in (loops, *others, *goers)),
            *(part.column_end.eq(loops.column_end) for part in (self.parameters, *goers[:-1])),
            *(part.tile_end.eq(loops.tile_end) for part in (self.addresses, *goers)),
            self.taps.insn.eq(self.fetch.insn),
            *(part.last.eq(loops.last) for part in (tokens, self.destination, self.column)),
            tokens.odd.eq(loops.index.y[0]),
            *(part.index.eq(loops.index) for part in (self.addresses, self.taps, self.column)),
            self.addresses.running.eq(loops.running),
            self.addresses.go.eq(loops.go),
            self.addresses.ahead.eq(loops.ahead),
            self.addresses.first_dy.eq(loops.first_dy),
            self.parameters.first_done.eq(loops.words_done & loops.fresh),
            self.parameters.last.eq(loops.last.j),
            self.destination.crossed.eq(tokens.crossed),
            self.destination.gone.eq(tokens.gone),
            self.shortcut.words_done.eq(loops.words_done),
            self.shortcut.last_t.eq(loops.last.t),
            self.taps.shortcut.eq(self.shortcut.now),
            self.taps.x_left.eq(tokens.x_left),
            self.taps.y_left.eq(tokens.y_left),
        ]

    def _states(self, m: Module) -> None:
        """From instruction to instruction, and from column tile to column tile within one."""
        i, fetch, loops, loader = self.fetch.insn, self.fetch, self.loops, self.loader
        words_left, cells_left = Signal(7), Signal(range(STATE_CELLS + 1))  # of a TABLE
        more, one = Signal(), Signal()  # words left: any, one
        opening = delay(m, self.setup, 1, name="opening")  # a TABLE's first cycle
        m.d.comb += [
            loader.more.eq(more),
            loader.fine.eq(i.state_shift == 0),
            loader.threshold.eq(self.prog_data[: len(loader.threshold)]),
            self.table.eq(loader.write),
            fetch.skip.eq(Mux(loader.load, more, loader.take & ~one)),
        ]
        with m.If(loader.take):
            m.d.sync += [words_left.eq(words_left - 1), more.eq(~one), one.eq(words_left == 2)]
        with m.If(self.setup):
            m.d.sync += [words_left.eq(i.n_k), more.eq(i.n_k != 0), one.eq(i.n_k == 1)]
            m.d.sync += cells_left.eq(STATE_CELLS)
        moving = bool(self.config.block_depth)
        started, ended, moved = Signal(), Signal(), Signal()
        m.d.sync += [
            started.eq(self.start & ~self.busy),
            ended.eq((loops.running & loops.end) | moved),
        ]
        with m.If(ended):
            m.d.comb += [fetch.begin.eq(1), fetch.drain.eq(i.drain)]
        with m.If(self.start & ~self.busy):
            m.d.sync += self.done.eq(0)
        with m.FSM(name="state") as fsm:
            with m.State("IDLE"):
                with m.If(started):
                    m.d.comb += [fetch.restart.eq(1), fetch.begin.eq(1)]
                    m.next = "FETCH"
            with m.State("FETCH"):
                with m.If(fetch.whole):
                    m.next = "SETUP"
            with m.State("SETUP"):
                m.d.comb += self.setup.eq(1)
                with m.If(i.op == Op.HALT):
                    m.next = "HALT"
                with m.Elif(i.op == Op.TABLE):
                    m.next = "TABLE"
                if moving:
                    with m.Elif(i.op == Op.MOVE):
                        m.next = "MOVE"
                with m.Elif(i.n_par != 0):
                    m.next = "PAR"
                with m.Else():
                    m.next = "RUN"
            if moving:
                with m.State("MOVE"):
                    m.d.comb += [self.order.valid.eq(1), moved.eq(self.order.ready)]
                    with m.If(moved):
                        m.next = "FETCH"
            with m.State("TABLE"):
                m.d.comb += [loader.load.eq(opening), loader.run.eq(~opening)]
                m.d.sync += cells_left.eq(cells_left - 1)
                with m.If(cells_left == 0):
                    m.d.comb += [fetch.begin.eq(1), fetch.keep.eq(i.xnor)]  # TABLE's `once`
                    m.next = "FETCH"
            with m.State("PAR"):
                m.d.comb += self.parameters.run.eq(1)
                with m.If(self.parameters.done):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += loops.running.eq(1)
                with m.If(loops.end):
                    m.next = "FETCH"
                with m.Elif(loops.column_end & (i.n_par != 0)):
                    m.next = "PAR"
            with m.State("HALT"):
                m.d.sync += self.done.eq(1)
                m.next = "IDLE"
        m.d.comb += self.busy.eq(started | ~fsm.ongoing("IDLE"))

    def _move(self, m: Module) -> None:
        """What is said to the mover; which half of column memory a column tile's block is in."""
        i, loops, par, word = self.fetch.insn, self.loops, self.parameters, self.word
        half = Signal()
        m.d.comb += [
            self.order.payload.addr.eq(Cat(field(i, "out_low"), field(i, "out_high"))),
            self.order.payload.words.eq(i.n_k),
            self.order.payload.blocks.eq(i.n_j),
            par.wanted.eq(i.outside & ~self.ready),
            self.take.eq(i.outside & par.begin),
            self.end.eq(i.outside & loops.running & loops.column_end),
            self.stalled.eq(par.stalled | (self.order.valid & ~self.order.ready)),
        ]
        with m.If(self.end):
            m.d.sync += half.eq(~half)
        with m.If(self.start & ~self.busy):
            m.d.sync += half.eq(0)
        with m.If(i.outside & half):
            address = Mux(par.run, par.addr, self.addresses.col)
            m.d.comb += word.col_addr.eq(address | self.config.block_depth)

    def _issue(self, m: Module) -> None:
        """The word of this cycle."""
        i, loops, index, par = self.fetch.insn, self.loops, self.loops.index, self.parameters
        addresses, shortcut, tokens, taps = self.addresses, self.shortcut, self.tokens, self.taps
        word = self.word
        last_group = loops.last.dy & (i.mean_mask != 0)
        m.d.comb += [
            word.valid.eq(loops.issue),
            word.par.eq(par.issue),
            word.par_index.eq(par.index),
            word.half.eq(par.half),
            word.row_addr.eq(Mux(shortcut.now, shortcut.addr, addresses.row)),
            word.col_addr.eq(Mux(par.run, par.addr, addresses.col)),
            word.first.eq(loops.opening & ~loops.phase),
            word.last.eq(loops.words_done),
            word.new.eq(loops.fresh),
            word.neg.eq(loops.phase),
            word.left.eq(taps.left),
            word.right.eq(taps.right),
            word.edge.eq(taps.edge),
            word.dx0.eq(index.dx == 0),
            word.y_ok.eq(taps.y_ok),
            word.x_ok.eq(taps.x_ok),
            word.k.eq(index.k),
            word.x_zero.eq(index.x == 0),
            word.x_left.eq(tokens.x_left),
            word.column.eq(self.column.column),
            word.to_end.eq(self.column.to_end),
            word.second.eq(index.h[0]),
            word.sum_ok.eq(~last_group | (index.k < i.mean_mask)),
            word.sc.eq(shortcut.now),
            word.sc_byte.eq(shortcut.byte),
        ]

    def _finish(self, m: Module) -> None:
        """The tag of the tile whose last word was issued in the cycle before."""
        loops, tokens, destination = self.loops, self.tokens, self.destination
        tag: Any = Signal(Tag)
        m.d.comb += self.tag.eq(later(m, tag, name="tag", cleared=("valid",)))
        m.d.comb += [
            tag.valid.eq(loops.words_done),
            tag.half.eq(self.parameters.half),
            tag.new.eq(loops.fresh),
            tag.final.eq(loops.last.j),
            tag.t.eq(loops.index.t),
            tag.start.eq(loops.index.t == 0),
            tag.n_valid.eq(tokens.n_valid),
            tag.nb.eq(tokens.nb),
            tag.addr.eq(destination.addr),
            tag.slot.eq(destination.slot),
            tag.res.eq(destination.res + loops.index.t),
            tag.x_out.eq(tokens.x_out),
            tag.closes.eq(loops.last.t & loops.last.x & loops.last.y),
            tag.odd.eq(loops.index.y[0]),
            tag.ends.eq(tokens.ends),
        ]
