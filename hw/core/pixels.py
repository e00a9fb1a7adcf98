"""The image's way to the lanes of a MAC: columns of taps, bytes, masked, shifted, centred."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import BY_NAME, CENTRES, Op
from hw.core.loops import EACH, INDEX
from hw.core.pipe import Pipeline, delay
from hw.core.words import ADDR, COLUMN, Word, field, instruction_layout

ADDRESS = 4  #: Cycle at which the row banks' addresses are presented,
DATA = ADDRESS + timing.ROW_DATA - timing.ROW_ADDRESS  #: and at which their words come.
FAR = 31  #: Tokens to the end of an image row from which on no unit of a tile reaches it.


class _Start(data.Struct):
    """Where the columns of a word begin."""

    column: COLUMN
    left: COLUMN
    line: unsigned(ADDR)  #: Address of the image row.
    twice: unsigned(1)
    k: unsigned(4)


class _Row(data.Struct):
    """How far the image reaches from there."""

    before: unsigned(1)  #: The first column lies left of it,
    back: unsigned(2)  #: so many columns.
    left: unsigned(5)  #: Tokens to its end, FAR or more of them as FAR.
    twice: unsigned(1)


class PixelColumn(wiring.Component):
    """Image column of a MAC's tap in the first pixel of its tile, and tokens from there on.

    A tile is of n_pix + 1 pixels side by side, with ``x_twice`` two columns apart.

    Latency: combinational of ``index``; 1 cycle from the end of a tile. Throughput: a word a
    cycle, a tile in two.

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction begins.
    last : In(EACH), tile_end : In(1), index : In(INDEX), of `LoopNest`.
    column : Out(COLUMN), negative left of the image. to_end : Out(COLUMN), tokens from it to the
        end of the image row; 0 or less right of the image.
    """

    insn: Any
    setup: Signal
    last: Any
    tile_end: Signal
    index: Any
    column: Signal
    to_end: Signal

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "last": In(EACH),
                "tile_end": In(1),
                "index": In(INDEX),
                "column": Out(COLUMN),
                "to_end": Out(COLUMN),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i = self.insn
        column, left = (Signal(COLUMN, name=n, reset_less=True) for n in ("first", "rest"))
        step = Signal(6, reset_less=True)  # columns from tile to tile
        pixels = field(i, "n_pix") + 1
        m.d.comb += [
            self.column.eq(column + self.index.dx),
            self.to_end.eq(left - self.index.dx),
        ]
        m.d.sync += step.eq(Mux(i.x_twice, pixels << 1, pixels))
        with m.If(self.tile_end & self.last.t):
            m.d.sync += [column.eq(column + step), left.eq(left - step)]
        with m.If(self.setup | (self.tile_end & self.last.t & self.last.x)):
            m.d.sync += [column.eq(-i.shift_left), left.eq(i.img_w + i.shift_left)]
        return m


class Pixels(wiring.Component):
    """``pixel = (value << pix_shift) - centre`` of a tap inside the image, else 0.

    The centre is the one of the word's channel modulo CENTRES, so that a tap outside the image
    counts as a pixel of the mean's value. ``value`` is a word of pixel memory, for unit 0 alone;
    or, where the instruction says ``image``, for every unit the byte of the word's channel in a
    word of row memory: column c of the image lies in bank c mod R, columns c div R words apart.
    Unit u takes the column of the word plus u, with ``x_twice`` plus 2 u. A core whose tiles
    have one pixel reads pixel memory alone.

    Latency: timing.pixel_cycle cycles from ``word`` to ``o`` of unit u. Throughput: a pixel of
    every unit a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    insn : In(instruction_layout()). word : In(Word), at 0.
    read : In(signed 18), the word of pixel memory, at 1.
    peek : In(1), nothing is issued, and every bank is to read the word peek_addr : In(ADDR).
    reads : Out(1), row memory is read: at addr : Out(ADDR), R times, at ADDRESS, or two cycles
        after ``peek``; data : In(W), R times, at DATA.
    o : Out(signed 18), tile_pixels times, unit u's at ``timing.pixel_cycle``; 0 where the word
        is no tap inside the image of a MAC.
    """

    insn: Any
    word: Any
    read: Signal
    peek: Signal
    peek_addr: Signal
    reads: Signal
    addr: Any
    data: Any
    o: Any

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "word": In(Word),
                "read": In(signed(MEMBRANE_BITS)),
                "peek": In(1),
                "peek_addr": In(ADDR),
                "reads": Out(1),
                "addr": Out(ADDR).array(config.rows),
                "data": In(config.width).array(config.rows),
                "o": Out(signed(MEMBRANE_BITS)).array(config.tile_pixels),
            }
        )

    @property
    def latency(self) -> int:
        return timing.S_READY

    def elaborate(self, platform):
        m = Module()
        i, word, end = self.insn, self.word, self.latency
        mac = word.valid & (i.op == Op.MAC)
        image = field(i, "image") if self.config.tile_pixels > 1 else Const(0, 1)
        inside = mac & word.y_ok & (word.x_ok | image)
        taps = Pipeline(m, inside, 0, name="tap")
        images = Pipeline(m, mac & image, 0, name="image", cleared=("image",))
        centres = [field(i, f"centre{k}").as_signed() for k in range(CENTRES)]
        centre = Signal(signed(16), reset_less=True)
        m.d.sync += centre.eq(Choice(centres)[word.k[: CENTRES.bit_length() - 1]])
        centre = Pipeline(m, centre, 1, name="centre").at(end - 1)
        values = [Pipeline(m, self.read, 1, name="read").at(end - 1)]
        insides = [taps.at(end - 1)]
        if self.config.tile_pixels > 1:
            starts = self._starts(m, images)
            bytes_ = self._bytes(m, starts)
            among = self._among(m, starts)
            values = [Mux(images.at(end - 1), bytes_[0], values[0]), *bytes_[1:]]
            insides = [insides[0] & (ok | ~images.at(end - 1)) for ok in among]
        else:
            m.d.comb += [self.reads.eq(self.peek), *(a.eq(self.peek_addr) for a in self.addr)]
        for u, (value, ok) in enumerate(zip(values, insides, strict=True)):
            pixel = Signal(signed(MEMBRANE_BITS), name=f"pixel_{u}", reset_less=True)
            with m.If(ok):
                m.d.sync += pixel.eq((value << i.pix_shift) - centre)
            with m.Else():
                m.d.sync += pixel.eq(0)
            wait = timing.pixel_cycle(self.config, u) - end
            m.d.comb += self.o[u].eq(delay(m, pixel, wait, name=f"pixel_{u}"))
        return m

    def _starts(self, m: Module, images: Pipeline) -> Pipeline:
        """Return where the words' columns begin, from 0; drive the addresses of the banks."""
        word, n = self.word, self.config.rows
        start: Any = Signal(_Start)
        m.d.comb += [
            start.column.eq(word.column),
            start.left.eq(word.to_end),
            start.line.eq(word.row_addr),
            start.twice.eq(self.insn.x_twice),
            start.k.eq(word.k),
        ]
        starts = Pipeline(m, start, 0, name="start")
        near = Signal(ADDR, reset_less=True)
        far = Signal(ADDR, reset_less=True)
        m.d.sync += near.eq(starts.at(1).line + (starts.at(1).column >> n.bit_length() - 1))
        m.d.sync += far.eq(near + 1)
        here, reads = Signal(ADDR, reset_less=True), Signal()
        m.d.sync += here.eq(Mux(self.peek, self.peek_addr, near))
        m.d.sync += reads.eq(images.at(ADDRESS - 1) | self.peek)
        m.d.comb += self.reads.eq(reads)
        at = starts.at(3).column[: n.bit_length() - 1]
        for b in range(n):
            addr = Signal(ADDR, name=f"addr_{b}", reset_less=True)
            m.d.sync += addr.eq(Mux((b < at) & ~self.peek, far, here))
            m.d.comb += self.addr[b].eq(Pipeline(m, addr, 4, name=f"addr_{b}").at(ADDRESS))
        return starts

    def _bytes(self, m: Module, starts: Pipeline) -> list[Any]:
        """Return the units' bytes: of the channel, in the order of columns; a register each."""
        n, units, last = self.config.rows, self.config.tile_pixels, self.latency - 1
        found = []
        k = starts.at(DATA).k
        for b in range(n):
            byte = Signal(8, name=f"byte_{b}", reset_less=True)
            cuts = [self.data[b][at : at + 8] for at in range(0, self.config.width, 8)]
            m.d.sync += byte.eq(Choice(cuts)[k[: (len(cuts) - 1).bit_length()]])
            found.append(Pipeline(m, byte, DATA + 1, name=f"byte_{b}").at(last - 1))
        start = starts.at(last - 1)
        at = start.column[: n.bit_length() - 1]
        out = []
        for u in range(units):
            side = Choice([found[(b + u) % n] for b in range(n)])[at]
            if 2 * u < n:
                apart = Choice([found[(b + 2 * u) % n] for b in range(n)])[at]
                side = Mux(start.twice, apart, side)
            byte = Signal(8, name=f"unit_{u}", reset_less=True)
            m.d.sync += byte.eq(side)
            out.append(byte)
        return out

    def _among(self, m: Module, starts: Pipeline) -> list[Any]:
        """Return whether the units' columns lie in the image, at the cycle of their bytes."""
        start = starts.at(1)
        assert BY_NAME["shift_left"].most <= 3  # columns begin at -3 or later
        rows: Any = Signal(_Row)
        m.d.sync += [
            rows.before.eq(start.column[-1]),
            rows.back.eq(-start.column[:2]),
            rows.left.eq(Mux(start.left[-1], 0, Mux(start.left > FAR, FAR, start.left[:5]))),
            rows.twice.eq(start.twice),
        ]
        row = Pipeline(m, rows, 2, name="among").at(self.latency - 2)
        out = []
        for u in range(self.config.tile_pixels):
            ok = Signal(name=f"among_{u}", reset_less=True)
            side, apart = ((~row.before | (row.back <= d)) & (row.left > d) for d in (u, 2 * u))
            m.d.sync += ok.eq(Mux(row.twice, apart, side) if 2 * u < self.config.rows else side)
            out.append(ok)
        return out
