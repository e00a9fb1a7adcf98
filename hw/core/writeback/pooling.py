"""Pooling in write-back: maxima of 3x3 windows of a layer's spikes, while they are written."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.config import POOL_LUT_WORDS
from hw.arch.formats import MAX_STEPS
from hw.core.pipe import later
from hw.core.words import Tag


class FusedPool(wiring.Component):
    """ORs windows of 3x3 at stride 2 and padding 1 of spikes that come row event by row event.

    Rows r = 2k and 2k + 1 of a tile, and the row before them, which the tile before in the image
    row has, make a window of one image row. Three image rows make a window: the line keeps, for
    each window of an image row and time step, what the rows so far gave. A window ends with an
    image row whose y is odd, and the last.

    Latency: combinational of an odd row's spikes, 1 cycle from its event. Throughput: a row a
    cycle; an even row comes a cycle before its odd one.

    Parameters
    ----------
    config : Config
        Its ``pool_depth`` is the line's, R / 2 words for each tile of an image row.

    Members
    -------
    due : In(1), a row of a pooled tile comes: row : In(range(R)), tag : In(Tag), the tile's. A
        cycle later bits : In(C), its spikes, 0 where it is no token, and start : In(1), the tile
        is the first of its image row.
    valid : Out(1), a window of the pooled image is whole: window : Out(C).
    """

    due: Signal
    row: Signal
    bits: Signal
    tag: Any
    start: Signal
    valid: Signal
    window: Signal

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "due": In(1),
                "row": In(range(config.rows)),
                "bits": In(config.cols),
                "tag": In(Tag),
                "start": In(1),
                "valid": Out(1),
                "window": Out(config.cols),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ahead, row = self.tag, later(m, self.row, name="row")
        due = later(m, self.due, name="due", cleared=("due",))
        tag = later(m, ahead, name="tag")
        counts = self.due & self.row[0] & ahead.ends
        ends = counts & (Cat(Const(0, 1), self.row[1:]) < ahead.n_valid)
        across = self._across(m, due, row, tag)
        top = Signal(reset_less=True)  # so far the column tile's first image row
        first, above = Signal(), Signal()
        kept, kept_write = self._line(m, due, row, tag)
        m.d.comb += [
            first.eq(tag.new | top),
            above.eq(tag.odd | ~first),  # the line holds image rows of this window
            self.window.eq(across | (kept & above.replicate(len(across)))),
            self.valid.eq(later(m, ends, name="ends", cleared=("ends",))),
            kept_write.eq(Mux(tag.odd, across, self.window)),
        ]
        with m.If(due):
            m.d.sync += top.eq(first & ~tag.odd)
        return m

    def _across(self, m: Module, due: Signal, row: Signal, tag: Any) -> Signal:
        """Return what an odd row's window has in its image row."""
        n, cols = self.config.rows, self.config.cols
        m.submodules.edge = edge = memory.Memory(
            shape=cols, depth=MAX_STEPS, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = edge.write_port(), edge.read_port(domain="comb")
        before = Signal(cols, reset_less=True)  # the row before an even one
        pair = Signal(cols, reset_less=True)  # that and the even one
        left, across = Signal(cols), Signal(cols)
        with m.If(row != 0):
            m.d.comb += left.eq(before)
        with m.Elif(~self.start):
            m.d.comb += left.eq(read.data)
        m.d.sync += [before.eq(self.bits), pair.eq(left | self.bits)]
        m.d.comb += [
            write.addr.eq(tag.t),
            write.data.eq(self.bits),
            write.en.eq(due & (row == n - 1)),
            read.addr.eq(tag.t),
            across.eq(pair | self.bits),
        ]
        return across

    def _line(self, m: Module, due: Signal, row: Signal, tag: Any) -> tuple[Any, Any]:
        """Return what the line has of an odd row's window, and what it takes for it."""
        depth, odd = self.config.pool_depth, row[0]
        style = "distributed" if depth <= POOL_LUT_WORDS else "block"
        m.submodules.line = line = memory.Memory(
            shape=self.config.cols, depth=depth, init=[], attrs={"ram_style": style}
        )
        write, read = line.write_port(), line.read_port()
        at = Signal(range(depth), reset_less=True)
        here = Signal(range(depth))
        opens = self.start & (tag.t == 0) & (row == 0)
        m.d.comb += [
            here.eq(Mux(opens, 0, at)),
            read.addr.eq(here),
            write.addr.eq(at),
            write.en.eq(due & odd),
        ]
        with m.If(due):
            m.d.sync += at.eq(Mux(odd, at + 1, here))
        return read.data, write.data
