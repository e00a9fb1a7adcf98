"""Taps: what a word's kernel position means for the columns and rows it is read from."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.isa import Taps
from hw.core.loops import INDEX
from hw.core.words import instruction_layout


class TapWindow(wiring.Component):
    """Horizontal shift of a word of a GEMM, and whether a tap lies inside the image.

    Latency: combinational. Throughput: a word a cycle.

    Members
    -------
    insn : In(instruction_layout()). index : In(INDEX), of the word. shortcut : In(1), the word is
        one of shortcut spikes, which are not shifted.
    x_left, y_left : In(12), of `Tokens`.
    left, right : Out(1), the shift is -1, +1. edge : Out(1), mask as if it were +1.
    x_ok, y_ok : Out(1), column (of a MAC's pixel) and row of the tap lie in the image.
    """

    insn: Any
    index: Any
    shortcut: Signal
    x_left: Signal
    y_left: Signal
    left: Signal
    right: Signal
    edge: Signal
    x_ok: Signal
    y_ok: Signal

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "index": In(INDEX),
                "shortcut": In(1),
                "x_left": In(12),
                "y_left": In(12),
                "left": Out(1),
                "right": Out(1),
                "edge": Out(1),
                "x_ok": Out(1),
                "y_ok": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, index = self.insn, self.index
        side = Signal(8)  # index of the horizontal shift
        m.d.comb += [
            side.eq(index.dx >> (i.taps == Taps.POOL)),
            self.left.eq((i.shift_left != 0) & (side == 0) & ~self.shortcut),
            self.right.eq((side == i.shift_left + 1) & (i.taps != Taps.STRIDE) & ~self.shortcut),
            self.edge.eq((i.taps == Taps.STRIDE) & i.odd_w & index.dx[1]),
            self.y_ok.eq(_inside(m, index.y, self.y_left, index.dy, i.pad_y, i.y_twice)),
            self.x_ok.eq(_inside(m, index.x, self.x_left, index.dx, i.shift_left, i.x_twice)),
        ]
        return m


def _inside(m: Module, position, remaining, tap, back, twice):
    """Return whether tap ``tap - back`` of ``position`` is inside, ``remaining`` to the end."""
    near = Signal(2)  # position, 3 if more
    first = Signal(3)
    lack = Signal(3)
    m.d.comb += [
        near.eq(position[:2] | position[2:].any().replicate(2)),
        first.eq(near << twice),
        lack.eq(back - tap[:2]),
    ]
    ahead = (tap - back)[:4]
    return Mux(tap < back, first >= lack, remaining[4:].any() | (remaining[:4] > ahead))
