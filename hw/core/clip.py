"""Rows of taps: which of them a tile has, so that words outside the image are never issued."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.words import instruction_layout


class RowClip(wiring.Component):
    """Which dy a tile has: those of rows in the image where the instruction says ``clip``.

    Latency: none; what the row after next begins with is known 2 cycles after an advance, as no
    tile is shorter. Throughput: an advance in two cycles.

    Members
    -------
    insn : In(instruction_layout()), its early fields there for two cycles before setup : In(1).
    advance : In(1), the tile that ends is the last of its output row. last : In(1), that is the
        last row: the first is next.
    dy : Out(2), first dy of the tiles of the row in hand, end : Out(8), one more than their last.
    next_dy : Out(2), the one that the next tile begins with, and next_single : Out(1), whether it
        is that tile's last too; in the cycle of ``setup``, the first tile's.
    """

    insn: Any
    setup: Signal
    advance: Signal
    last: Signal
    dy: Signal
    end: Signal
    next_dy: Signal
    next_single: Signal

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "advance": In(1),
                "last": In(1),
                "dy": Out(2),
                "end": Out(8),
                "next_dy": Out(2),
                "next_single": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i = self.insn
        step = Mux(i.y_twice, 2, 1)
        # first dy and end of the row in hand, of the one that follows, of the first
        dy, end = Signal(2, reset_less=True), Signal(8, reset_less=True)
        dy_after, end_after = Signal(2, reset_less=True), Signal(8, reset_less=True)
        dy_first, end_first = Signal(2), Signal(8, reset_less=True)
        whole = Signal(13, reset_less=True)  # rows from the first one's dy 0 to the image's end
        dy_below = Signal(2, reset_less=True)  # of the output row below
        left = Signal(14, reset_less=True)  # rows from that one's dy 0 to the image's end

        def fewer(first):
            """First dy, a row further down."""
            return Mux(first > step, (first - step)[:2], 0)

        def until(rows):
            """End of a row that has so many to the image's."""
            return Mux(i.clip & (rows < i.n_dy), rows[:8], i.n_dy)

        next_end = Signal(8)
        m.d.comb += dy_first.eq(Mux(i.clip, i.pad_y, 0))
        m.d.sync += [
            whole.eq(i.img_h + i.pad_y),
            end_first.eq(until(whole)),
            dy_after.eq(Mux(self.last, dy_first, dy_below)),
            end_after.eq(Mux(self.last, end_first, until(left))),
        ]
        m.d.comb += [
            self.dy.eq(dy),
            self.end.eq(end),
            self.next_dy.eq(dy),
            next_end.eq(end),
            self.next_single.eq(self.next_dy + 1 == next_end),
        ]
        with m.If(self.advance):
            m.d.comb += [self.next_dy.eq(dy_after), next_end.eq(end_after)]
        with m.If(self.setup):
            m.d.comb += [self.next_dy.eq(dy_first), next_end.eq(end_first)]
        with m.If(self.advance | self.setup):
            m.d.sync += [dy.eq(self.next_dy), end.eq(next_end)]
            with m.If(self.setup | self.last):
                m.d.sync += [dy_below.eq(fewer(dy_first)), left.eq(whole - step)]
            with m.Else():
                m.d.sync += [dy_below.eq(fewer(dy_below)), left.eq(left - step)]
        return m
