"""Shortcut spikes: one row word per tile, cut to a column tile's channels, row after row."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.timing import PRODUCT
from hw.core.pipe import delay


class ShortcutRead(wiring.Component):
    """Holds R words' C bits for R cycles and sends them to the lanes.

    The word is read at tau + 1, so row r's bits leave the holding registers at tau + 3 + r.

    Members
    -------
    take : In(1), the address of a shortcut word is presented; byte : In(4), where its bits begin.
    data : In(W), R times, a cycle after ``take``.
    o : Out(C), bits of row r at tau + PRODUCT + r; lane c delays its bit by c more.
    """

    take: Any
    byte: Any
    data: Any
    o: Any

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

    def elaborate(self, platform):
        m = Module()
        rows, cols, width = self.config.rows, self.config.cols, self.config.width
        arrived = delay(m, self.take, 1, name="arrived", reset=True)
        byte = delay(m, self.byte, 1, name="byte")
        held = [Signal(cols, name=f"held_{r}", reset_less=True) for r in range(rows)]
        for r in range(rows):
            cuts = [self.data[r][8 * b : 8 * b + cols] for b in range(width // 8)]
            with m.If(arrived):
                m.d.sync += held[r].eq(Choice(cuts)[byte])
        row = Signal(range(rows), reset_less=True)
        m.d.sync += row.eq(row + 1)
        with m.If(arrived):
            m.d.sync += row.eq(0)
        m.d.comb += self.o.eq(delay(m, Choice(held)[row], PRODUCT - 3, name="o"))
        return m
