"""Shortcut spikes: one row word per tile, cut to a column tile's channels, row after row."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.core.pipe import Pipeline, delay
from hw.core.words import ADDR, instruction_layout


class ShortcutRead(wiring.Component):
    """Holds R words' C bits for R cycles and sends them to the lanes.

    Latency: ``latency`` cycles from ``take`` to row 0's bits. Throughput: a word in R cycles.

    Parameters
    ----------
    config : Config

    Members
    -------
    take : In(1), the address of a shortcut word is presented, at tau + 1; byte : In(4), where its
        bits begin, 0 to W / 8 - 1.
    data : In(W), R times, ROW_DATA cycles after ``take``.
    o : Out(C), bits of row r at tau + PICKED + r; lane c delays its bit by c more.
    """

    take: Signal
    byte: Signal
    data: Any
    o: Signal

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "take": In(1),
                "byte": In(4),
                "data": In(config.width).array(config.rows),
                "o": Out(config.cols),
            }
        )

    @property
    def latency(self) -> int:
        return timing.PICKED - 1

    def elaborate(self, platform):
        m = Module()
        rows, cols, width = self.config.rows, self.config.cols, self.config.width
        arrived = delay(m, self.take, timing.ROW_DATA, name="arrived", reset=True)
        byte = delay(m, self.byte, timing.ROW_DATA, name="byte")
        held = [Signal(cols, name=f"held_{r}", reset_less=True) for r in range(rows)]
        for r in range(rows):
            cuts = [self.data[r][8 * b : 8 * b + cols] for b in range(width // 8)]
            with m.If(arrived):
                m.d.sync += held[r].eq(Choice(cuts)[byte])
        row = Signal(range(rows), reset_less=True)
        m.d.sync += row.eq(row + 1)
        with m.If(arrived):
            m.d.sync += row.eq(0)
        m.d.comb += self.o.eq(
            Pipeline(m, Choice(held)[row], timing.ROW_DATA + 2, name="o").at(timing.PICKED)
        )
        return m


class ShortcutAddress(wiring.Component):
    """Address of the shortcut's word of a tile, and the byte at which its column tile begins.

    Latency: the word is asked for one cycle after a tile's last word. Throughput: a word a tile.

    Parameters
    ----------
    config : Config

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction begins.
    words_done, tile_end, column_end, last_t : In(1), of `hw.core.loops.LoopNest`.
    now : Out(1), the word is asked for: at address addr : Out(ADDR), byte : Out(range(W / 8)).
    """

    insn: Any
    setup: Signal
    words_done: Signal
    tile_end: Signal
    column_end: Signal
    last_t: Signal
    now: Signal
    addr: Signal
    byte: Signal

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "words_done": In(1),
                "tile_end": In(1),
                "column_end": In(1),
                "last_t": In(1),
                "now": Out(1),
                "addr": Out(ADDR),
                "byte": Out(range(config.width // 8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i = self.insn
        now = Signal()
        # of the column tile's first word, of the tile's at step 0, and at its step
        addr, word, group, step = (
            Signal(ADDR, name=n, reset_less=True)
            for n in ("sc_addr", "sc_word", "sc_group", "sc_step")
        )
        next_group, next_word = Signal(ADDR), Signal(ADDR)
        log_bytes = (self.config.width // 8).bit_length() - 1
        byte = Signal(log_bytes, reset_less=True)
        byte_next = Signal(log_bytes + 1)
        m.d.comb += [
            self.now.eq(now),
            self.addr.eq(addr),
            self.byte.eq(byte),
            byte_next.eq(byte + self.config.cols // 8),
            next_group.eq(group + i.sc_gs),
            next_word.eq(word + (byte_next >> log_bytes)),
        ]
        m.d.sync += [now.eq(self.words_done & i.shortcut), addr.eq(step)]
        with m.If(self.tile_end):
            m.d.sync += step.eq(step + i.sc_t)
            with m.If(self.last_t):
                m.d.sync += [group.eq(next_group), step.eq(next_group)]
        with m.If(self.column_end):
            m.d.sync += [byte.eq(byte_next[:log_bytes]), word.eq(next_word)]
            m.d.sync += [group.eq(next_word), step.eq(next_word)]
        with m.If(self.setup):
            m.d.sync += [
                now.eq(0),
                word.eq(i.sc_base),
                group.eq(i.sc_base),
                step.eq(i.sc_base),
                byte.eq(i.sc_byte),
            ]
        return m
