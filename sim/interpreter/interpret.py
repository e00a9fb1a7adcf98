"""Instruction-set simulator: executes program words as docs/architecture/core.md says.

It looks at the program, the column memory image and the configuration only; labels are passed on
to the events. Vectorised over an instruction's column tile, exact in every write and its cycle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hw.arch import formats, schedule, timing
from hw.arch.isa import Dest, Instruction, Op
from sim.interpreter.addresses import offsets
from sim.interpreter.blocks import Blocks
from sim.interpreter.events import Events
from sim.interpreter.lanes import Rows, finish, fire, make_table, scaled
from sim.interpreter.machine import Memories, signed
from sim.interpreter.operands import pixels, row_words, shortcut_bits
from sim.interpreter.walk import ColumnTile, Tiles, column_tiles, word_indices, word_sum
from sim.interpreter.writes import (
    Packed,
    write_packed,
    write_pixels,
    write_transposed,
    write_windows,
)
from sw.compiler.program import Program


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What one image gave."""

    logits: np.ndarray  #: int64 (classes,).
    cycles: int  #: Busy time.
    instruction_cycles: tuple[int, ...]  #: Its parts, one per instruction.
    events: Events | None
    column_reads: tuple["ColumnReads", ...]  #: Of words of GEMMs, one per instruction.


@dataclass(frozen=True, kw_only=True)
class ColumnReads:
    """Reads of column memory for the words of an instruction: C banks a word.

    A read whose word would meet nothing but row words of 0 is gated: it does not happen.
    """

    words: int = 0  #: All of them.
    gated: int = 0  #: Those that do not happen.

    def __add__(self, other: "ColumnReads") -> "ColumnReads":
        return ColumnReads(words=self.words + other.words, gated=self.gated + other.gated)

    def times(self, banks: int) -> "ColumnReads":
        """The same words, each read in so many banks."""
        return ColumnReads(words=self.words * banks, gated=self.gated * banks)


def interpret(program: Program, images: np.ndarray, events: bool = True) -> Iterator[Run]:
    """Run images one after the other on one machine; yields a `Run` per image.

    The machine starts with empty memories: the first image is the first of a stream.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (B, ...), each of ``program.input_shape`` (or of its size).
    events : bool
        Record memory writes.
    """
    machine = Machine(program)
    for image in np.asarray(images):
        yield machine.run(image, events)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Left:
    """Row operands of all tiles of a column tile, masked; a bit an entry."""

    bits: np.ndarray  #: float32 (tiles, R, bits of all words).
    ones: np.ndarray  #: int64 (tiles, R): their popcounts.
    reads: ColumnReads  #: Of the column tile.
    inverted: np.ndarray | None  #: float32, the zeros among them; with XNOR only.


class Machine(Memories):
    """A core that runs one program; its memories are kept from image to image."""

    def __init__(self, program: Program):
        super().__init__(program.config, program.columns)
        self.program = program
        self.code = program.instructions()
        self.begin = 0  #: Number of the instruction that the next run starts with.
        self._blocks = Blocks(self, program.outside)
        self._taus: Sequence[int] = ()  # of the instruction that runs

    def restart(self) -> None:
        """Make the next run as the first: a write to CTRL."""
        self.cold, self.begin = True, 0

    def run(self, image: np.ndarray | None = None, events: bool = True) -> Run:
        """Load one image, or take what is in memory, and run the program to HALT."""
        p = self.program
        if image is not None:
            self.load(p.image_stream(image))
        self.start_record(events)
        first, reads = self.begin, [ColumnReads()] * self.begin
        self._blocks = Blocks(self, p.outside)
        times = schedule.schedule(self.config, self.code, not first, p.contract)
        for n, i in enumerate(self.code[first:], first):
            self.instruction, self.column_reads = n, ColumnReads()
            self._taus = times[n].taus
            self._execute(i, times[n].begin)
            reads.append(self.column_reads)
            if i.op == Op.TABLE and i.once:
                self.begin = n + 1
        self._blocks.finish()
        self.cold = False
        logits = self.pix[p.logits_base : p.logits_base + p.classes].copy()
        return Run(
            logits=logits,
            cycles=sum(t.cycles for t in times),
            instruction_cycles=tuple(t.cycles for t in times),
            events=self.recorded(),
            column_reads=tuple(reads),
        )

    def _execute(self, i: Instruction, at: int) -> None:
        match Op(i.op):
            case Op.GEMM:
                self._gemm(i, at)
            case Op.MAC:
                self._mac(i, at)
            case Op.POOL:
                self._pool(i, at)
            case Op.MEAN:
                self._mean(i, at)
            case Op.TABLE:
                self.table = make_table(i)
            case Op.MOVE:
                self._blocks.order(i)

    def _columns(self, i: Instruction, start: int) -> Iterator[ColumnTile]:
        """Walk the column tiles; one that has its constants from outside takes them."""
        for column in column_tiles(i, start, self._taus):
            if i.outside:
                origin = self._blocks.take()
                column = replace(column, par=column.par + origin, origin=origin)
            yield column

    def _column_groups(
        self, i: Instruction, tiles: Tiles, column: ColumnTile
    ) -> Iterator[tuple[np.ndarray | slice, np.ndarray]]:
        """Tiles that share column words, and the addresses of those words."""
        walk = offsets(i, "col")
        base = column.origin + i.col_base + walk["h"][column.head] + walk["j"][column.tile]
        offset = tiles.sum(walk)
        values = np.unique(offset)
        for value in values:
            which = slice(None) if len(values) == 1 else np.flatnonzero(offset == value)
            yield which, base + value + word_sum(walk)

    # ---- operations ------------------------------------------------------------------------

    def _gemm(self, i: Instruction, start: int) -> None:
        c = self.config
        tiles, walk = Tiles(i, c.rows), offsets(i, "row")
        xpos = (tiles.x * c.rows)[:, None] + np.arange(c.rows)
        rows = Rows(valid=xpos < i.img_w, token=tiles.y[:, None] * i.img_w + xpos)
        cached: tuple[int, _Left] | None = None
        for column in self._columns(i, start):
            offset = int(walk["h"][column.head] + walk["j"][column.tile])
            if cached is None or offset != cached[0]:
                cached = offset, self._left(i, tiles, offset)
            left = cached[1]
            self.column_reads += left.reads
            acc = np.empty((tiles.count, c.rows, c.cols), np.int64)
            for which, addr in self._column_groups(i, tiles, column):
                col = self.column_words(addr)
                bits = np.unpackbits(col.reshape(c.cols, -1), axis=-1, bitorder="little")
                bits = bits.T.astype(np.float32)
                part = left.bits[which] @ bits
                if left.inverted is not None:
                    part -= left.inverted[which] @ bits
                acc[which] = part
            if np.abs(acc).max(initial=0) > c.max_count:
                raise AssertionError(f"instruction {self.instruction} overflows an element")
            total = (acc << i.double) - (left.ones[..., None] if i.rowpop else 0)
            bias, factors = self.parameters(i, column.par)
            factor = factors[tiles.t if i.factor_per_step else 0 * tiles.t]
            x = scaled(self, i, total * factor[:, None, :] + bias)
            spikes = finish(self, i, tiles, column, rows, x, shortcut_bits(self, i, tiles, column))
            self._spikes(i, tiles, column, rows, spikes, xpos)

    def _left(self, i: Instruction, tiles: Tiles, offset: int) -> "_Left":
        """Row operands of a column tile at ``offset`` from the instruction's base."""
        words, mask = row_words(self, i, tiles, offset)
        flat = (tiles.count, self.config.rows, -1)
        bits = np.unpackbits(words.reshape(flat), axis=-1, bitorder="little")
        inverted = None
        if i.xnor:
            inside = np.unpackbits(mask.reshape(flat), axis=-1, bitorder="little")
            inverted = (inside - bits).astype(np.float32)
        passes = [words, words ^ mask] if i.xnor else [words]
        spikes = np.stack([p.any(axis=(1, 3)) for p in passes])  # of any row, a word an entry
        reads = ColumnReads(words=spikes.size, gated=int((~spikes).sum())).times(self.config.cols)
        ones = bits.sum(axis=-1, dtype=np.int64)
        return _Left(bits=bits.astype(np.float32), ones=ones, inverted=inverted, reads=reads)

    def _spikes(
        self,
        i: Instruction,
        tiles: Tiles,
        column: ColumnTile,
        rows: Rows,
        spikes: np.ndarray,
        x: np.ndarray,
    ) -> None:
        """Write spikes (tiles, rows, C), or their windows, of image columns ``x`` (tiles, rows)."""
        c, dest = self.config, Dest(i.dest)
        if dest == Dest.NONE:
            return
        if dest in (Dest.COL_CHANNEL, Dest.ROW_CHANNEL):
            write_transposed(self, i, tiles, column, spikes, rows.token)
            return
        if i.pool:
            write_windows(self, i, tiles, column, spikes)
            return
        which, row = np.nonzero(rows.valid)
        write_packed(
            self,
            i,
            column,
            Packed(
                payload=np.packbits(spikes[which, row], axis=-1, bitorder="little"),
                nb=tiles.nb[which],
                r=row,
                step=tiles.t[which],
                cycle=column.tau + tiles.tau[which] + timing.write_cycle(c) + row,
                token=rows.token[which, row],
                x=x[which, row],
                slot=column.slot,
                channel=column.tile * c.cols,
            ),
        )

    def _pool(self, i: Instruction, start: int) -> None:
        c, walk = self.config, offsets(i, "row")
        tiles = Tiles(i, c.rows)
        xpos = (tiles.x * c.rows)[:, None] + np.arange(0, c.rows, 2)
        out_w = -(-i.img_w // 2)
        which, half = np.nonzero(xpos < i.img_w)
        x = xpos[which, half] // 2
        for column in self._columns(i, start):
            words, _ = row_words(
                self, i, tiles, int(walk["h"][column.head] + walk["j"][column.tile])
            )
            words = words.reshape(tiles.count, c.rows, i.n_dy, i.n_dx, -1)
            mine = words[:, ::2, :, 0] | words[:, ::2, :, 1] | words[:, 1::2, :, 1]
            out = np.bitwise_or.reduce(mine, axis=2)  # (tiles, R / 2, bytes)
            write_packed(
                self,
                i,
                column,
                Packed(
                    payload=out[which, half],
                    nb=tiles.nb[which],
                    r=half,
                    step=tiles.t[which],
                    cycle=column.tau + tiles.tau[which] + timing.write_cycle(c) + 2 * half,
                    token=tiles.y[which] * out_w + x,
                    x=x,
                    slot=0,
                    channel=column.tile * c.width,
                ),
            )

    def _mac(self, i: Instruction, start: int) -> None:
        c, walk = self.config, offsets(i, "row")
        tiles = Tiles(i, c.rows)
        xpos = (tiles.x * (i.n_pix + 1))[:, None] + np.arange(i.n_pix + 1)  # (tiles, pixels)
        width = (i.n_x - 1) * (i.n_pix + 1) + i.last_pix + 1
        rows = Rows(valid=xpos < width, token=tiles.y[:, None] * width + xpos)
        for column in self._columns(i, start):
            offset = i.row_base + walk["h"][column.head] + walk["j"][column.tile]
            p = pixels(self, i, tiles, xpos, offset)
            total = np.empty((*xpos.shape, c.cols), np.int64)
            for which, at in self._column_groups(i, tiles, column):
                weight = self.column_numbers(at, formats.FACTOR_BITS)
                total[which] = p[which].astype(np.float64) @ weight.T.astype(np.float64)
            value = scaled(self, i, total + self.parameters(i, column.par)[0])  # (tiles, pixels, C)
            if i.dest == Dest.PIX:
                write_pixels(self, i, tiles, column, value[:, 0], {"step": tiles.t[:, None]})
            elif i.spread:
                self._spread(i, tiles, column, rows, value, xpos)
            else:
                spikes = finish(self, i, tiles, column, rows, value)
                self._spikes(i, tiles, column, rows, spikes, xpos)

    def _spread(
        self,
        i: Instruction,
        tiles: Tiles,
        column: ColumnTile,
        rows: Rows,
        value: np.ndarray,
        x: np.ndarray,
    ) -> None:
        """Run all steps of the neuron with the same x (tiles, pixels, C).

        Of image columns ``x`` (tiles, pixels).
        """
        if i.keep or i.persist or i.res:
            raise AssertionError(f"instruction {self.instruction} spreads and keeps")
        c, steps = self.config, i.n_spread + 1
        spikes, _ = fire(i, np.repeat(value[:, None], steps, axis=1), self.table)
        spikes &= np.arange(c.cols) < (i.lanes if column.last else c.cols)
        which, step, r = np.nonzero(rows.valid[:, None] & np.ones((1, steps, 1), bool))
        tau = column.tau + tiles.tau[which] + timing.write_cycle(c)
        if i.dest == Dest.NONE:
            return
        write_packed(
            self,
            i,
            column,
            Packed(
                payload=np.packbits(spikes[which, step, r], axis=-1, bitorder="little"),
                nb=tiles.nb[which],
                r=r,
                step=step,
                cycle=tau + step * timing.spread_gap(i) + r,
                token=rows.token[which, r],
                x=x[which, r],
                slot=column.slot,
                channel=column.tile * c.cols,
            ),
        )

    def _mean(self, i: Instruction, start: int) -> None:
        c, walk = self.config, offsets(i, "row")
        tiles = Tiles(i, c.rows)
        dy, _, k = word_indices(i)
        keep = (dy < i.n_dy - 1) | (i.mean_mask == 0) | (k < i.mean_mask)
        word = tiles.sum(walk)[:, None] + word_sum(walk)[keep]
        token = (tiles.y * i.n_t + tiles.t)[:, None]
        for column in self._columns(i, start):
            offset = i.row_base + walk["h"][column.head] + walk["j"][column.tile]
            addr = self.truncate(offset + word, c.res_depth)
            addr = np.minimum(addr, c.res_depth - 1)
            total = self.res[column.head][:, addr].sum(axis=2).T  # (tiles, C)
            bias, factors = self.parameters(i, column.par)
            p = signed(total * factors[0] + bias, formats.PRODUCT_BITS)  # of gaps: anything
            value = scaled(self, i, p)
            write_pixels(self, i, tiles, column, value, {"token": token})
