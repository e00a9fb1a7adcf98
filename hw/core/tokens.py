"""Tokens: where a tile stands in its image, and where what comes of it goes."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.isa import Mod, Op, Step
from hw.core.loops import EACH
from hw.core.words import ADDR, field, instruction_layout


class Tokens(wiring.Component):
    """Position of a tile: in the input image by columns and rows left, in the output by number.

    Latency: 1 cycle from the end of a tile. Throughput: a tile in two cycles or more: what the
    end of a tile will do is known a cycle ahead.

    Parameters
    ----------
    config : Config

    Members
    -------
    insn : In(instruction_layout()), its early fields there for two cycles before setup : In(1),
        with which the instruction begins.
    last : In(EACH), tile_end, column_end : In(1), of `LoopNest`. odd : In(1), y is odd.
    x_left, y_left : Out(12), tokens from the tile's first to the end of the image row, rows from
        its own to the end of the image.
    n_valid : Out(1 to R), rows of the tile that are tokens. x_out : Out(11), image column of its
        first in the output. nb : Out(ADDR), number of its first in the output.
    crossed : Out(1), the next tile is in another destination group (isa.Mod). gone : Out(0 to 2),
        groups of R tokens from this tile to the next. ends : Out(1), windows of a fused pool end
        in this image row: with ``pool`` only there nb advances, and groups of R tokens count the
        tokens of before the pool, a tile each.
    """

    insn: Any
    setup: Signal
    last: Any
    odd: Signal
    tile_end: Signal
    column_end: Signal
    x_left: Signal
    y_left: Signal
    n_valid: Signal
    x_out: Signal
    nb: Signal
    crossed: Signal
    gone: Signal
    ends: Signal

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "last": In(EACH),
                "odd": In(1),
                "tile_end": In(1),
                "column_end": In(1),
                "x_left": Out(12),
                "y_left": Out(12),
                "n_valid": Out(5),
                "x_out": Out(11),
                "nb": Out(ADDR),
                "crossed": Out(1),
                "gone": Out(2),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, i, last = self.config.rows, self.insn, self.last
        nb = Signal(ADDR, reset_less=True)
        line = Signal(ADDR, reset_less=True)  # nb at the start of the image row
        x_left, y_left = Signal(12, reset_less=True), Signal(12, reset_less=True)
        x_out = Signal(11, reset_less=True)
        n_step = Signal(5)
        one = i.n_step == Step.ONE
        within = Signal(5, reset_less=True)  # rows of R that are in the image row
        first = Signal(5, reset_less=True)  # those of a row's first tile
        m.d.sync += first.eq(Mux(i.img_w >= rows, rows, i.img_w[:5]))
        pixels = Signal(5)
        m.d.comb += [
            self.x_left.eq(x_left),
            self.y_left.eq(y_left),
            self.x_out.eq(x_out),
            self.nb.eq(nb),
            pixels.eq(1),
            self.n_valid.eq(Mux(one, pixels, within)),
            self.ends.eq(self.odd | last.y),
            n_step.eq(
                Mux(
                    one,
                    pixels,
                    Mux(i.n_step == Step.HALF, rows // 2, Mux(i.flat, within, rows)),
                )
            ),
        ]
        with m.If(i.op == Op.MAC):
            m.d.comb += pixels.eq(Mux(last.x, field(i, "last_pix"), field(i, "n_pix")) + 1)
        nb_next = self._next(m, nb, line, n_step)
        with m.If(self.tile_end & last.t):
            m.d.sync += [
                nb.eq(nb_next),
                within.eq(Mux(x_left >= 2 * rows, rows, (x_left - rows)[:5])),
                x_left.eq(x_left - Mux(one, Mux(i.x_twice, 2, 1), rows)),
                x_out.eq(x_out + n_step),
            ]
            with m.If(last.x):
                m.d.sync += [
                    line.eq(nb_next),
                    within.eq(first),
                    x_left.eq(i.img_w),
                    x_out.eq(0),
                    y_left.eq(Mux(last.y, i.img_h, y_left - Mux(i.y_twice, 2, 1))),
                ]
        with m.If(self.column_end):
            m.d.sync += [nb.eq(0), line.eq(0)]
        with m.If(self.setup):
            m.d.sync += [x_left.eq(i.img_w), y_left.eq(i.img_h), x_out.eq(0)]
            m.d.sync += [nb.eq(0), line.eq(0), within.eq(first)]
        return m

    def _line(self, m: Module) -> Signal:
        """Return the tokens from the start of an image row to the next one's, a register."""
        i, log_r = self.insn, self.config.rows.bit_length() - 1
        tokens, whole = (Signal(ADDR, name=n, reset_less=True) for n in ("tokens", "line_tokens"))
        steps = {Step.HALF: log_r - 1, Step.ROWS: log_r}
        single = i.n_x  # a tile of MAC is a power of two of pixels, which divides R
        for log in range(1, log_r + 1):
            wide = (i.op == Op.MAC) & field(i, "n_pix")[log - 1]
            single = Mux(wide, i.n_x << log, single)

        def rounded(log):
            return (tokens + (1 << log) - 1) >> log << log

        m.d.sync += [
            tokens.eq(
                Choice([i.n_x << steps[s] if s in steps else single for s in Step])[i.n_step]
            ),
            whole.eq(Mux(i.w_mod == Mod.PAIR, rounded(log_r + 1), rounded(log_r))),
        ]
        return whole

    def _next(self, m: Module, nb: Signal, line: Signal, n_step: Signal) -> Signal:
        """Return the next tile's first number, a register; drive what it crosses."""
        cfg, i = self.config, self.insn
        log_r = cfg.rows.bit_length() - 1
        shifts = {
            Mod.ROWS: log_r,
            Mod.COLS: cfg.cols.bit_length() - 1,
            Mod.WORD: cfg.width.bit_length() - 1,
            Mod.PAIR: log_r + 1,
        }
        nb_next = Signal(ADDR, reset_less=True)
        crossed = {mod: Signal(name=f"crossed_{mod.name}") for mod in Mod}

        m.d.comb += [
            *(crossed[mod].eq((nb_next >> shifts[mod]) != (nb >> shifts[mod])) for mod in Mod),
            self.crossed.eq(Choice([crossed[mod] for mod in Mod])[i.w_mod]),
            self.gone.eq(Mux(i.pool, 1, (nb_next >> log_r) - (nb >> log_r))),
        ]
        ends = self.last.x & ~i.flat
        moves = ~i.pool | self.ends
        step = Mux(moves, Mux(ends, self._line(m), n_step), 0)
        m.d.sync += nb_next.eq(Mux(ends, line, nb) + step)
        return nb_next


class Destination(wiring.Component):
    """Destination address, slot and residual group of a tile.

    Latency: 1 cycle from the end of a tile. Throughput: as `Tokens`.

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction begins.
    last : In(EACH), tile_end, column_end : In(1), of `LoopNest`. crossed : In(1), gone : In(2), of
        `Tokens`.
    addr : Out(ADDR), of the tile's first token. slot : Out(5), C-bit slot in its word.
    res : Out(ADDR), residual group of the tile's first token at step 0.
    """

    insn: Any
    setup: Signal
    last: Any
    tile_end: Signal
    column_end: Signal
    crossed: Signal
    gone: Signal
    addr: Signal
    slot: Signal
    res: Signal

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "last": In(EACH),
                "tile_end": In(1),
                "column_end": In(1),
                "crossed": In(1),
                "gone": In(2),
                "addr": Out(ADDR),
                "slot": Out(5),
                "res": Out(ADDR),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, last = self.insn, self.last
        # addresses of the column tile's first token, of the tile's at step 0, and at its step
        column, token, addr = (Signal(ADDR, name=n, reset_less=True) for n in ("wc", "wg", "wt"))
        res_column, res = (Signal(ADDR, name=n, reset_less=True) for n in ("rc", "rg"))
        slot = Signal(5, reset_less=True)
        wraps = Signal()
        next_token, next_column, next_res = (Signal(ADDR, name=n) for n in ("nt", "nc", "nr"))
        m.d.comb += [
            wraps.eq((slot + 1 == i.slots) | (i.head_align & last.j)),
            next_token.eq(token + Mux(self.crossed, i.w_gs, 0)),
            next_column.eq(column + Mux(wraps, i.w_j, 0)),
            next_res.eq(res_column + i.res_j),
            self.addr.eq(addr),
            self.slot.eq(slot),
            self.res.eq(res),
        ]
        with m.If(self.tile_end):
            m.d.sync += addr.eq(addr + i.w_t)
            with m.If(last.t):
                m.d.sync += [token.eq(next_token), addr.eq(next_token)]
                with m.If(self.gone != 0):
                    m.d.sync += res.eq(res + (i.res_gs << self.gone[1]))
        with m.If(self.column_end):
            m.d.sync += [column.eq(next_column), token.eq(next_column), addr.eq(next_column)]
            m.d.sync += [res_column.eq(next_res), res.eq(next_res)]
            m.d.sync += slot.eq(Mux(wraps, 0, slot + 1))
        with m.If(self.setup):
            m.d.sync += [column.eq(i.w_base), token.eq(i.w_base), addr.eq(i.w_base)]
            m.d.sync += [res_column.eq(0), res.eq(0), slot.eq(0)]
        return m
