"""Spike pooling: OR over 3x3 windows at stride 2, fed by the skewed row words."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.timing import ROW_READ
from hw.core.pipe import chain, delay


class PoolUnit(wiring.Component):
    """Members: rows (as RowRead's); first (word opens a tile) and left (shift -1) at cycle 0;
    row : row index at tau + ROW_READ + 2 + r; o : window of even row r, ROW_READ + 3 + r.
    """

    rows: Any
    first: Any
    left: Any
    row: Any
    o: Any

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "rows": In(config.width).array(config.rows),
                "first": In(1),
                "left": In(1),
                "row": In((config.rows - 1).bit_length()),
                "o": Out(config.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n = self.config.rows
        first = chain(m, delay(m, self.first, ROW_READ + 1, name="first"), n, name="first")
        left = chain(m, delay(m, self.left, ROW_READ + 1, name="left"), n, name="left")
        windows = []
        for r in range(0, n, 2):
            here = delay(m, self.rows[r], 1, name=f"even_{r}")
            acc = Signal(self.config.width, name=f"window_{r}", reset_less=True)
            m.d.sync += acc.eq(Mux(first[r], 0, acc) | here | Mux(left[r], 0, self.rows[r + 1]))
            windows.append(acc)
        out = Signal(self.config.width, reset_less=True)
        m.d.sync += out.eq(Choice(windows)[self.row[1:]])
        m.d.comb += self.o.eq(out)
        return m
