"""The core: wiring of memories, sequencer, array, lanes and write-back."""

from typing import Any

from amaranth import Module, Mux, Value
from amaranth.hdl import signed
from amaranth.lib import wiring

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Op
from hw.arch.memmap import Mem
from hw.core.array import SystolicArray
from hw.core.events import EXPAND, RowEvents
from hw.core.guard import Guard
from hw.core.lane_events import LaneEvents
from hw.core.lanes import Lanes
from hw.core.log import Log
from hw.core.membranes import Remembering
from hw.core.memories import Bank, Banks, LoadPort
from hw.core.modes import Modes
from hw.core.mover import Mover
from hw.core.peek import Peek
from hw.core.pipe import Pipeline, chain, delay
from hw.core.pixels import Pixels
from hw.core.pool import PoolUnit
from hw.core.ports import core_members, memory_ports, moving_ports, run_ports
from hw.core.rowread import RowRead
from hw.core.sequencer import Sequencer
from hw.core.shortcut import ShortcutRead
from hw.core.trace import trace, trace_members
from hw.core.wire import add_parts, each
from hw.core.words import field
from hw.core.writeback import WriteBack


class Core(wiring.Component):
    """A whole accelerator: image in, logits out.

    Latency: `hw.arch.schedule.program_cycles` of the program, which ``cycles`` counts. Throughput:
    a run at a time; within one a word of every row and column bank a cycle.

    Parameters
    ----------
    config : Config
    program : object with ``words`` (ints, program memory) and ``columns`` (array [C, n, W/32] of
        32-bit parts), or None: initial contents of program and column memory.
    trace : bool
        Adds ``t_*`` outputs: every write of row, column, residual and pixel memory, and (mem) of
        membrane codes, two bytes of each lane's word.
    target : 'generic', 'ecp5' (instantiated carry cells) or 'xc7' (LUT6_2 and DSP48E1).

    Members
    -------
    Those of `core_members`, and with ``trace`` those of `trace_members`.
    """

    def __init__(
        self, config: Config, program=None, *, trace: bool = False, target: str = "generic"
    ):
        self.config, self.trace = config, trace
        words, columns = ((), None) if program is None else (program.words, _columns(program))
        rows, cols, width = config.rows, config.cols, config.width
        self.port, self.seq, self.modes = LoadPort(), Sequencer(config), Modes()
        self.guard, self.peeking = Guard(config), Peek(config)
        # Of a small 7-series part's block RAMs none is left.
        self.log = Log(style="distributed" if target == "xc7" else "block")
        apart: Any = {"apart": True, "strict": trace}
        self.prog = Bank(32, config.prog_depth, init=map(int, words), load=Mem.PROG, **apart)
        self.row = Banks(rows, width, config.row_depth, registered=True, **apart)
        self.col = Banks(
            cols, width, config.col_depth, init=columns, gated=True, registered=True, **apart
        )
        self.pix = Bank(signed(MEMBRANE_BITS), config.pix_depth)
        self.rowread, self.shortcut, self.pixels = (
            RowRead(config),
            ShortcutRead(config),
            Pixels(config),
        )
        self.array, self.pool = SystolicArray(config, target=target), PoolUnit(config)
        self.events = RowEvents(config, most=config.rows)
        self.lane_events, self.remembering = LaneEvents(config), Remembering()
        self.lanes, self.back = Lanes(config, target=target, strict=trace), WriteBack(config)
        if config.block_depth:
            self.mover = Mover(config)
        super().__init__(core_members(config) | (trace_members(config) if trace else {}))

    def elaborate(self, platform):
        m = Module()
        add_parts(m, self)
        self._check()
        seq, word = self.seq, self.seq.word
        tags = Pipeline(m, seq.tag, 1, name="tag", cleared=("valid",))
        rows = Pipeline(m, self.events.event.row, EXPAND, name="row")
        m.d.comb += [
            seq.forget.eq(self.port.forget | self._loading(Mem.PROG)),
            seq.prog_data.eq(self.prog.read_data),
            *(part.load.eq(self.port.load) for part in (self.prog, self.back)),
            *(part.insn.eq(seq.insn) for part in (self.modes, self.pixels, self.lane_events)),
            *(part.word.eq(word) for part in (self.rowread, self.pixels, self.lane_events)),
            *(part.first.eq(word.first) for part in (self.array, self.pool)),
            self.modes.setup.eq(seq.setup),
            self.array.neg.eq(word.neg),
            self.array.xnor.eq(self.modes.early.xnor),
            self.array.row_ones.eq(rows.at(timing.ACC - 1)),
            self.array.row_sel.eq(rows.at(timing.ACC)),
            self.pool.left.eq(word.left),
            self.pool.row.eq(rows.at(timing.ROW_READ + 2)),
        ]
        run_ports(m, self)
        memory_ports(m, self)
        self._operands(m)
        self._lanes(m, tags)
        self._write_back(m, tags)
        if self.config.block_depth:
            moving_ports(m, self)
        if self.trace:
            loading = Pipeline(m, self.port.load.valid, 0, name="loading").at(1)
            trace(m, self, ~loading, self.back, self.lanes)
        return m

    def _check(self) -> None:
        """What the parts' latencies add up to is what compiler and interpreter reckon with."""
        assert timing.ROW_ADDRESS + self.row.latency == timing.ROW_DATA
        assert timing.ROW_DATA + self.rowread.latency == timing.ROW_READ
        assert timing.ROW_READ + self.array.operand_latency == timing.ELEMENT_IN
        assert timing.ROW_READ + self.array.latency == timing.S_READY
        # Lane 0 takes its bias before the next column tile's can be there.
        assert timing.SWAP + timing.ELEMENT_IN >= timing.S_READY
        last = timing.S_READY - 1 + self.config.cols - 1  # column bank's word, behind the address
        assert Peek.latency + last + Peek.SELECT == timing.peek_cycles(self.config)

    def _loading(self, memory: Mem):
        """Whether a word comes into a memory from outside."""
        return self.port.load.valid & (self.port.load.mem == memory)

    def _operands(self, m: Module) -> None:
        """Words of row, column and pixel memory, to array, pooling and lanes."""
        seq, word, peek = self.seq, self.seq.word, self.peeking
        column = Mux(peek.active, peek.word, word.col_addr)
        address = Pipeline(m, column, 0, name="col_addr")
        near, far = (
            address.at(cycle - self.col.latency)
            for cycle in (timing.ELEMENT_IN, timing.S_READY - 1)
        )
        addresses = Mux(self.modes.early.gemm, near, far)
        read = self._column_read(m)
        m.d.comb += [
            self.rowread.pack.eq(seq.insn.pack),
            self.rowread.slot_bytes_log2.eq(seq.insn.slot_bytes_log2),
            self.rowread.gs.eq(seq.insn.row_gs),
            *(
                bank.eq(Mux(self.pixels.reads, pixel, row))
                for bank, pixel, row in zip(
                    self.row.read_addr, self.pixels.addr, self.rowread.addr, strict=True
                )
            ),
            *each(self.pixels.data, self.row.read_data),
            *each(self.rowread.data, self.row.read_data),
            *each(self.shortcut.data, self.row.read_data),
            self.shortcut.take.eq(word.sc),
            self.shortcut.byte.eq(word.sc_byte),
            *each(self.array.rows, self.rowread.rows),
            *each(self.pool.rows, self.rowread.rows),
            *each(self.col.read_addr, chain(m, addresses, self.config.cols, name="col_addr")),
            *each(self.col.read_en, chain(m, read, self.config.cols, name="col_read")),
            *each(self.array.cols, self.col.read_data),
            self.pixels.read.eq(self.pix.read_data),
        ]

    def _column_read(self, m: Module) -> Value:
        """Whether bank 0 of column memory reads: parameters, weights, words that meet a spike.

        What an element adds for a word of no spikes is 0, whatever its column word is: the one
        read last stays. Rows meet a word one after the other, and any of them may have a spike.
        """
        early, word = self.modes.early, self.seq.word
        par = word.par | self.peeking.active
        near, far = (c - self.col.latency for c in (timing.ELEMENT_IN, timing.S_READY - 1))
        spikes = Pipeline(m, self.rowread.some, timing.ROW_READ + 1, name="spikes").at(near)
        parameter = Pipeline(m, par, 0, name="par_read").at(near)
        weight = Pipeline(m, par | (word.valid & early.mac), 0, name="weight_read").at(far)
        if self.trace:
            traced: Any = self
            m.d.comb += traced.t_col_read.eq(early.gemm & spikes)
        return Mux(early.gemm, spikes | parameter, weight)

    def _lanes(self, m: Module, tags: Pipeline) -> None:
        """Row events to lane 0, and what every lane computes with."""
        early, events, last = self.modes.early, self.events, self.config.rows - 1
        insn = self.seq.insn
        m.d.comb += [
            events.tag.eq(tags.at(EXPAND - events.latency)),
            events.passes.eq(early.passes),
            events.slow.eq(insn.leak),
            events.last.eq(Mux(early.gemm | early.pooling, last, Mux(early.mac, early.n_pix, 0))),
            self.lane_events.early.eq(early),
            self.lane_events.row.eq(events.event),
            self.lane_events.pops.eq(self.array.pops),
            *each(self.lane_events.pixel, self.pixels.o),
            self.lanes.event.eq(self.lane_events.event),
            self.lanes.mode.eq(self.modes.lane),
            self.lanes.res_dest.eq(insn.res_dest),
            self.lanes.table.eq(self.seq.table),
            self.lanes.forget.eq(self.remembering.forgotten),
            self.remembering.forget.eq(self.port.forget | self.guard.clear),
            self.remembering.halt.eq(self.seq.setup & (insn.op == Op.HALT)),
            *each(self.lanes.acc, self.array.accs),
            *(a.eq(b[:32]) for a, b in zip(self.lanes.col, self.col.read_data, strict=True)),
            self.lanes.sc.eq(self.shortcut.o),
        ]

    def _write_back(self, m: Module, tags: Pipeline) -> None:
        """What comes of a row, at one time, to the memories."""
        back, write = self.back, timing.write_cycle(self.config)
        windows = self.pool.o & self.modes.early.pooling.replicate(self.config.width)
        pooled = Pipeline(m, windows, timing.ROW_READ + self.pool.latency, name="pooled")
        x = Pipeline(m, self.lanes.x, timing.X + 1, name="x")
        m.d.comb += [
            back.mode.eq(self.modes.write),
            back.tag.eq(tags.at(write - back.latency)),
            back.spikes.eq(self.lanes.spikes),
            back.pooled.eq(pooled.at(write - 1)),
            back.x.eq(x.at(write - 1)),
            back.begin.eq(delay(m, self.seq.setup, 1, name="begin", reset=True)),
            back.mean_base.eq(field(self.seq.insn, "mean_base")),
            *each(self.row.write_en, back.row_en),
            *each(self.row.write_addr, back.row_addr),
            *each(self.row.write_data, back.row_data),
            *each(self.col.write_en, back.col_en),
            *each(self.col.write_addr, back.col_addr),
            *each(self.col.write_data, back.col_data),
            self.pix.write_en.eq(back.pix_en),
            self.pix.write_addr.eq(back.pix_addr),
            self.pix.write_data.eq(back.pix_data),
        ]


def _columns(program) -> list[list[int]]:
    """Words of each column bank, of their 32-bit parts."""
    return [
        [sum(part << 32 * n for n, part in enumerate(parts)) for parts in bank]
        for bank in program.columns.tolist()
    ]
