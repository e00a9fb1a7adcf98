"""Spike pooling: OR over 3x3 windows at stride 2, fed by the skewed row words."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.core.pipe import chain, delay


class PoolUnit(wiring.Component):
    """ORs each even row with its two neighbours over the words of a tile; channel by channel.

    Latency: 3 cycles from the last word of a row to its window. Throughput: a word a cycle; a
    window a cycle.

    Parameters
    ----------
    config : Config

    Members, their times counted from the issue of a word, for windows from tau
    -------
    rows : In(W), R times, as RowRead's: row r at ROW_READ + r.
    first, left : In(1), at 0: the word opens a tile; it holds columns shifted by -1, of which
        the odd rows' belong to another window.
    row : In(range(R)), row index, at ROW_READ + 2 + r.
    o : Out(W), window of even row r, at ROW_READ + 3 + r.
    """

    rows: Any
    first: Signal
    left: Signal
    row: Signal
    o: Signal

    latency = 3

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
        first = chain(m, delay(m, self.first, timing.ROW_READ + 1, name="first"), n, name="first")
        left = chain(m, delay(m, self.left, timing.ROW_READ + 1, name="left"), n, name="left")
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
