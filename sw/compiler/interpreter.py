"""Instruction-set simulator: executes program words as docs/architecture/core.md says.

It looks at the program, the column memory image and the configuration only; labels are passed on
to the events. Vectorised over an instruction's column tile, exact in every write and its cycle.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hw.arch import formats, timing
from hw.arch.isa import LEVELS, Dest, Mod, Op, Pack, Res, Step
from sw.compiler.events import PIXEL, RESIDUAL, Events, locate, recover, word_dtype
from sw.compiler.program import Program

__all__ = ["Events", "Machine", "Run", "interpret", "locate", "recover"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What one image gave."""

    logits: np.ndarray  #: int64 (classes,).
    cycles: int  #: Busy time.
    instruction_cycles: tuple[int, ...]  #: Its parts, one per instruction.
    events: Events | None


def interpret(program: Program, images: np.ndarray, events: bool = True) -> Iterator[Run]:
    """Run images one after the other on one machine; yields a `Run` per image.

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


def _strides(i: dict[str, int], prefix: str) -> dict[str, int]:
    """Address change per index of each level; see `hw.arch.isa` for the deltas."""
    out, inner = {}, 0
    for level in LEVELS:
        out[level] = i[f"{prefix}_{level}"] + inner
        inner += out[level] * (i[f"n_{level}"] - 1)
    return out


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    values = values.astype(np.int64) & ((1 << bits) - 1)
    return values - ((values >> (bits - 1)) << bits)


def _saturate(x: np.ndarray) -> np.ndarray:
    return np.clip(x, formats.MEMBRANE_MIN, formats.MEMBRANE_MAX)


class _Tiles:
    """Indices of the tiles of a column tile, in order of issue: y, x, t (t innermost)."""

    def __init__(self, i: dict[str, int], rows: int):
        self.shape = (i["n_y"], i["n_x"], i["n_t"])
        self.y, self.x, self.t = np.indices(self.shape).reshape(3, -1)
        counter, nb = [], 0
        for _ in range(i["n_y"]):
            for x in range(i["n_x"]):
                counter.append(nb)
                valid = max(0, min(rows, i["img_w"] - x * rows))
                if i["n_step"] == Step.ONE:
                    nb += 1
                elif i["n_step"] == Step.HALF:
                    nb += -(-valid // 2) if i["flat"] else rows // 2
                else:
                    nb += valid if i["flat"] else rows
            if not i["flat"]:
                nb = -(-nb // rows) * rows
        self.nb = np.repeat(np.array(counter), i["n_t"])
        words, _ = timing.column_tile(i)
        self.words = words
        self.tau = np.arange(self.y.size) * max(words, i["tile_min"]) + words - 1


class Machine:
    """A core's memories, kept from image to image; all 0 at first."""

    def __init__(self, program: Program):
        self.program, c = program, program.config
        self.config = c
        self.code = program.instructions()
        width = c.width // 8
        self.row = np.zeros((c.rows, c.row_depth, width), np.uint8)
        self.col = np.zeros((c.cols, c.col_depth, width), np.uint8)
        self.res = np.zeros((2, c.cols, c.res_depth), np.int64)
        self.pix = np.zeros(c.pix_depth, np.int64)
        used = program.columns.shape[1]
        self.col[:, :used] = np.ascontiguousarray(program.columns, "<u4").view(np.uint8)
        self._word = word_dtype(c)
        self._record: dict[str, list[np.ndarray]] | None = None

    def run(self, image: np.ndarray, events: bool = True) -> Run:
        """Load one image and run the program to HALT."""
        p = self.program
        pixels = p.pixels(image)
        self.pix[p.pixel_base : p.pixel_base + pixels.size] = pixels
        record = self._record = {"row": [], "col": [], "res": [], "pix": []} if events else None
        at, cycles = timing.START, []
        for n, i in enumerate(self.code):
            begin = at
            if i["op"] == Op.HALT:
                at += 1
            else:
                self._n = n
                {Op.GEMM: self._gemm, Op.MAC: self._mac, Op.POOL: self._pool,
                 Op.MEAN: self._mean}[Op(i["op"])](i, at)
                at += timing.issue_cycles(i) + timing.overhead(self.config)
            cycles.append(at - begin + (timing.START if n == 0 else 0))
        logits = self.pix[p.logits_base : p.logits_base + p.classes].copy()
        return Run(logits=logits, cycles=at, instruction_cycles=tuple(cycles),
                   events=self._events(record) if record is not None else None)

    def _events(self, record: dict[str, list[np.ndarray]]) -> Events:
        dtypes = {"row": self._word, "col": self._word, "res": RESIDUAL, "pix": PIXEL}
        minor = {"row": "bank", "col": "bank", "res": "lane", "pix": "addr"}
        out = {}
        for name, parts in record.items():
            all_: np.ndarray = np.concatenate([np.zeros(0, dtypes[name]), *parts])
            out[name] = all_[np.lexsort((all_[minor[name]], all_["cycle"]))]
        return Events(**out)

    # ---- memory access ---------------------------------------------------------------------

    @staticmethod
    def _truncate(addr: np.ndarray, depth: int) -> np.ndarray:
        return addr & 0xFFFF & ((1 << (depth - 1).bit_length()) - 1)

    def _read(self, memory: np.ndarray, bank: np.ndarray, addr: np.ndarray) -> np.ndarray:
        """Words at addresses; anything (here 0) past the depth, where only masked reads go."""
        depth = memory.shape[1]
        addr = self._truncate(addr, depth)
        out = memory[bank, np.minimum(addr, depth - 1)]
        return np.where((addr < depth)[..., None], out, 0) if (addr >= depth).any() else out

    def _place(self, events: np.ndarray, **values: np.ndarray | int) -> None:
        events["instruction"] = self._n
        for name, value in values.items():
            events[name] = value

    def _write_words(self, name: str, events: np.ndarray) -> None:
        """Apply writes in order of cycle."""
        memory = getattr(self, name)
        events["addr"] = self._truncate(events["addr"], memory.shape[1])
        if (events["addr"] >= memory.shape[1]).any():
            raise AssertionError(f"instruction {self._n} writes past the {name} memory")
        events = events[np.argsort(events["cycle"], kind="stable")]
        width = memory.shape[2]
        full = (1 << width) - 1
        if (events["mask"] == full).all():
            memory[events["bank"], events["addr"]] = events["data"]
        else:
            bits = (events["mask"][:, None] >> np.arange(width)) & 1
            event, byte = np.nonzero(bits)
            memory[events["bank"][event], events["addr"][event], byte] = events["data"][event, byte]
        if self._record is not None:
            self._record[name].append(events)

    def _column_words(self, i: dict[str, int], base: int) -> np.ndarray:
        """Words (C, plain words, W / 8) that a tile reads, in order of issue."""
        stride = _strides(i, "col")
        dy, dx, k = np.indices((i["n_dy"], i["n_dx"], i["n_k"])).reshape(3, -1)
        addr = base + dy * stride["dy"] + dx * stride["dx"] + k * stride["k"]
        banks = np.arange(self.config.cols)[:, None]
        return self._read(self.col, banks, addr[None, :] + 0 * banks)

    def _column_groups(
        self, i: dict[str, int], tiles: _Tiles, head: int, tile: int
    ) -> Iterator[tuple[np.ndarray | slice, np.ndarray]]:
        """Tiles that share column words, and those words."""
        stride = _strides(i, "col")
        base = i["col_base"] + head * stride["h"] + tile * stride["j"]
        offset = tiles.y * stride["y"] + tiles.x * stride["x"] + tiles.t * stride["t"]
        values = np.unique(offset)
        for value in values:
            which = slice(None) if len(values) == 1 else np.flatnonzero(offset == value)
            yield which, self._column_words(i, base + int(value))

    def _parameters(self, i: dict[str, int], addr: int) -> tuple[np.ndarray, np.ndarray]:
        """Bias (C,) and factors (entries, C)."""
        n = i["n_par"]
        at = self._truncate(addr + np.arange(n), self.col.shape[1])
        low = np.ascontiguousarray(self.col[:, at, :4]).view("<u4")[..., 0]  # (C, n)
        return _signed(low[:, 0], formats.BIAS_BITS), _signed(low[:, 1:], formats.FACTOR_BITS).T

    def _column_tiles(self, i: dict[str, int], at: int) -> Iterator[tuple]:
        """Walk column tiles: (head, tile, first word's cycle, parameters, wc, slot, last j)."""
        starts = timing.column_starts(i)
        par, wc, slot, count = i["par_base"], i["w_base"], 0, 0
        bias = np.zeros(self.config.cols, np.int64)
        factors = np.zeros((1, self.config.cols), np.int64)
        for head in range(i["n_h"]):
            for tile in range(i["n_j"]):
                if i["n_par"]:
                    bias, factors = self._parameters(i, par)
                last = tile == i["n_j"] - 1
                yield (head, tile, at + starts[count] + i["n_par"], bias, factors, wc, slot, last,
                       count)
                par += i["par_h"] if last else i["par_j"]
                slot, count = slot + 1, count + 1
                if slot == i["slots"] or (last and i["head_align"]):
                    slot, wc = 0, wc + i["w_j"]

    def _row_words(
        self, i: dict[str, int], tiles: _Tiles, offset: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Masked words and masks, both uint8 (tiles, R, plain words, W / 8)."""
        c, stride = self.config, _strides(i, "row")
        rows, width = c.rows, c.width // 8
        dy, dx, k = np.indices((i["n_dy"], i["n_dx"], i["n_k"])).reshape(3, -1)
        shift = dx - i["shift_left"]
        r = np.arange(rows)[:, None]
        bank, wrap = (r + shift) % rows, (r + shift) // rows  # (R, words)
        word = dy * stride["dy"] + dx * stride["dx"] + k * stride["k"] + wrap * i["row_gs"]
        tile = tiles.y * stride["y"] + tiles.x * stride["x"] + tiles.t * stride["t"]
        addr = i["row_base"] + offset + tile[:, None, None] + word
        data = self._read(self.row, bank[None] + 0 * addr, addr)
        x = (tiles.x * rows)[:, None, None] + r  # (tiles, R, 1)
        y = (tiles.y << i["y_twice"])[:, None, None] + dy - i["pad_y"]
        inside = (x < i["img_w"]) & (y >= 0) & (y < i["img_h"])  # (tiles, R, words)
        at = x + shift
        if i["pack"] == Pack.NONE:
            inside &= (at >= 0) & (at < i["img_w"])
            mask = np.repeat(inside[..., None], width, axis=-1)
        else:
            slot = np.arange(width) >> i["slot_bytes_log2"]
            at = at[..., None] + slot - 1
            mask = inside[..., None] & (at >= 0) & (at < i["img_w"]) & (slot <= 2)
            if i["pack"] == Pack.PAIR:
                mask &= np.where(dx[:, None] == 0, slot <= 1, slot == 1)
        mask = np.where(mask, 255, 0).astype(np.uint8)
        return data & mask, mask

    # ---- lanes -----------------------------------------------------------------------------

    def _x(self, i: dict[str, int], p: np.ndarray) -> np.ndarray:
        if np.abs(p).max(initial=0) >= 1 << (formats.PRODUCT_BITS - 1):
            raise AssertionError(f"instruction {self._n} overflows the lane accumulator")
        return _saturate(p >> formats.SHIFTS[i["shift"]])

    @staticmethod
    def _fire(i: dict[str, int], y: np.ndarray) -> np.ndarray:
        """Spikes of y (frames, steps, ...), bool."""
        out = np.zeros(y.shape, bool)
        if i["theta"]:
            v = np.zeros_like(y[:, 0])
            for t in range(y.shape[1]):
                u = (v + y[:, t]) >> 1
                out[:, t] = u >= i["theta"]
                v = np.where(out[:, t], u - i["theta"] if i["soft"] else 0, u)
        return out

    def _lanes(self, i: dict[str, int], last: bool) -> np.ndarray:
        return np.arange(self.config.cols) < (i["lanes"] if last else self.config.cols)

    # ---- operations ------------------------------------------------------------------------

    def _gemm(self, i: dict[str, int], start: int) -> None:
        c = self.config
        tiles, stride = _Tiles(i, c.rows), _strides(i, "row")
        count = tiles.y.size
        xpos = (tiles.x * c.rows)[:, None] + np.arange(c.rows)
        valid = xpos < i["img_w"]  # (tiles, R)
        token = tiles.y[:, None] * i["img_w"] + xpos
        cached = None
        for head, tile, at, bias, factors, wc, slot, last, index in self._column_tiles(i, start):
            offset = head * stride["h"] + tile * stride["j"]
            if offset != cached:
                words, mask = self._row_words(i, tiles, offset)
                rows = np.unpackbits(words.reshape(count, c.rows, -1), axis=-1, bitorder="little")
                rowpop = rows.sum(axis=-1, dtype=np.int64)
                rows = rows.astype(np.float32)
                if i["xnor"]:
                    inverted = np.unpackbits(
                        mask.reshape(count, c.rows, -1), axis=-1, bitorder="little"
                    ) - rows
                cached = offset
            acc = np.empty((count, c.rows, c.cols), np.int64)
            for which, col in self._column_groups(i, tiles, head, tile):
                bits = np.unpackbits(col.reshape(c.cols, -1), axis=-1, bitorder="little")
                bits = bits.T.astype(np.float32)
                part = rows[which] @ bits
                if i["xnor"]:
                    part -= inverted[which] @ bits
                acc[which] = part
            if np.abs(acc).max(initial=0) > c.max_count:
                raise AssertionError(f"instruction {self._n} overflows an element")
            total = (acc << i["double"]) - (rowpop[..., None] if i["rowpop"] else 0)
            factor = factors[tiles.t if i["factor_per_step"] else 0 * tiles.t]
            x = self._x(i, total * factor[:, None, :] + bias)
            y = self._residual(i, tiles, x, index, at, valid, token, head, tile)
            spikes = self._fire(i, y.reshape(-1, i["n_t"], c.rows, c.cols)).reshape(x.shape)
            spikes &= valid[..., None] & self._lanes(i, last)
            self._gemm_spikes(i, tiles, spikes, valid, token, xpos, at, wc, slot, head, tile)
            if i["dest"] == Dest.PIX:
                raise AssertionError("GEMM cannot write pixel memory")

    def _residual(
        self, i: dict, tiles: _Tiles, x: np.ndarray, index: int, at: int, valid: np.ndarray,
        token: np.ndarray, head: int, tile: int,
    ) -> np.ndarray:
        """Return y; store it."""
        if i["res"] == Res.NONE:
            return x
        c = self.config
        r = np.arange(c.rows)
        nb = tiles.nb[:, None]
        group = index * i["res_j"] + i["res_gs"] * (nb // c.rows) + tiles.t[:, None]
        group = group + np.where(nb % c.rows + r >= c.rows, i["res_gs"], 0)
        addr = self._truncate(group * c.rows + (nb + r) % c.rows, c.res_depth)  # (tiles, R)
        if (addr[valid] >= c.res_depth).any():
            raise AssertionError(f"instruction {self._n} leaves the residual memory")
        addr = np.minimum(addr, c.res_depth - 1)
        lanes = np.arange(c.cols)
        old = self.res[:, lanes, addr[..., None]]  # (2, tiles, R, C)
        add = {Res.SET: 0 * old[1], Res.ADD: old[1],
               Res.AVERAGE: (old[0] + old[1]) >> 1}[Res(i["res"])]
        y = _saturate(x + add)
        tile_at, row = np.nonzero(valid)
        self.res[i["res_dest"], lanes, addr[tile_at, row][:, None]] = y[tile_at, row]
        if self._record is not None:
            events = np.zeros((len(row), c.cols), RESIDUAL)
            cycle = at + tiles.tau[tile_at] + timing.Y + row
            self._place(
                events, cycle=cycle[:, None] + lanes, buffer=i["res_dest"], lane=lanes,
                addr=addr[tile_at, row][:, None], value=y[tile_at, row],
                step=tiles.t[tile_at][:, None], head=head, token=token[tile_at, row][:, None],
                channel=tile * c.cols + lanes,
            )
            self._record["res"].append(events.ravel())
        return y

    def _gemm_spikes(
        self, i: dict, tiles: _Tiles, spikes: np.ndarray, valid: np.ndarray, token: np.ndarray,
        xpos: np.ndarray, at: int, wc: int, slot: int, head: int, tile: int,
    ) -> None:
        c, dest = self.config, Dest(i["dest"])
        if dest == Dest.NONE:
            return
        tau = at + tiles.tau + timing.write_cycle(c)
        if dest in (Dest.COL_CHANNEL, Dest.ROW_CHANNEL):
            self._transposed(i, tiles, spikes, token, tau, wc, head, tile)
            return
        which, row = np.nonzero(valid)
        self._packed(
            i, payload=np.packbits(spikes[which, row], axis=-1, bitorder="little"),
            nb=tiles.nb[which], r=row, step=tiles.t[which], cycle=tau[which] + row,
            token=token[which, row], x=xpos[which, row], wc=wc, slot=slot, head=head,
            channel=tile * c.cols,
        )

    def _packed(
        self, i: dict, *, payload: np.ndarray, nb: np.ndarray, r: np.ndarray, step: np.ndarray,
        cycle: np.ndarray, token: np.ndarray, x: np.ndarray, wc: int, slot: int, head: int,
        channel: int,
    ) -> None:
        """Write channel-packed spikes (events, bytes), one entry of each array per event."""
        c, dest = self.config, Dest(i["dest"])
        per = {Mod.ROWS: c.rows, Mod.COLS: c.cols, Mod.WORD: c.width}[Mod(i["w_mod"])]
        base = wc + i["w_gs"] * (nb // per) + step * i["w_t"]
        place = {"step": step, "head": head, "token": token, "channel": channel}
        if dest == Dest.ROW_TAPS:
            size = 1 << i["w_slot_log2"]
            payload = payload[:, :size]
            parts = []
            taps = [(-1, 2), (0, 1), (1, 0)] if i["w_pack"] == Pack.TRIPLE else [(0, 1), (1, 0)]
            for shift, q in taps:
                ok = (x + shift >= 0) & (x + shift < i["w_img_w"])
                at = nb % c.rows + r + shift
                addr = base + i["w_gs"] * (at // c.rows)
                parts.append(self._word_events(
                    payload, (nb + r + shift) % c.rows, addr, cycle, q * size, place,
                    extend=False,
                )[ok])
            self._write_words("row", np.concatenate(parts))
            return
        if dest == Dest.ROW:
            addr = base + np.where(nb % c.rows + r >= c.rows, i["w_gs"], 0)
            bank, name = (nb + r) % c.rows, "row"
        elif dest == Dest.COL_TOKEN:
            addr, bank, name = base, (nb + r) % c.cols, "col"
        else:
            raise AssertionError(f"{dest.name} is no destination here")
        self._write_words(
            name, self._word_events(payload, bank, addr, cycle, slot * c.cols // 8, place)
        )

    def _word_events(
        self, payload: np.ndarray, bank: np.ndarray, addr: np.ndarray, cycle: np.ndarray,
        first: int | np.ndarray, place: dict, *, extend: bool = True,
    ) -> np.ndarray:
        """Events that write ``payload`` at byte ``first``; ``extend``: the whole word at byte 0."""
        count, width = payload.shape[1], self.config.width // 8
        events = np.zeros(len(payload), self._word)
        at = np.asarray(first) + np.zeros(len(payload), np.int64)
        np.put_along_axis(events["data"], at[:, None] + np.arange(count), payload, axis=1)
        mask = np.where(extend & (at == 0), (1 << width) - 1, ((1 << count) - 1) << at)
        self._place(events, bank=bank, addr=addr, cycle=cycle, mask=mask, first=at, count=count,
                    **place)
        return events

    def _transposed(
        self, i: dict, tiles: _Tiles, spikes: np.ndarray, token: np.ndarray, tau: np.ndarray,
        wc: int, head: int, tile: int,
    ) -> None:
        """Write token-packed spikes: one byte (R = 16: two) per lane and tile."""
        c, count = self.config, tiles.y.size
        bits = spikes.transpose(0, 2, 1)  # (tiles, C, R)
        first = (tiles.nb % c.width) // 8
        origin = token[:, 0]
        if c.rows == 4:  # the even tile's half is kept for the odd one, per step
            half = bits.reshape(-1, i["n_t"], c.cols, 4)
            odd = (tiles.nb % 8 == 4).reshape(-1, i["n_t"])[..., None, None]
            kept = np.concatenate([np.zeros_like(half[:1]), half[:-1]])
            empty = np.zeros_like(half)
            bits = np.concatenate(
                [np.where(odd, kept, half), np.where(odd, half, empty)], axis=-1
            ).reshape(count, c.cols, 8)
            origin = np.where(tiles.nb % 8 == 4, origin - 4, origin)
        payload = np.packbits(bits, axis=-1, bitorder="little")  # (tiles, C, 1 or 2)
        address = wc + i["w_gs"] * (tiles.nb // c.width) + tiles.t * i["w_t"]
        lane = np.tile(np.arange(c.cols), count)
        each = np.repeat(np.arange(count), c.cols)
        place = {"step": tiles.t[each], "head": head, "token": origin[each],
                 "channel": tile * c.cols + lane}
        bank, addr, cycle, name = lane, address[each], tau[each] + c.rows - 1, "col"
        if i["dest"] == Dest.ROW_CHANNEL:
            part = lane // c.rows
            bank, name = lane % c.rows, "row"
            addr, cycle = addr + part * i["w_chan_gs"], tau[each] + c.rows + part
        self._write_words(name, self._word_events(
            payload.reshape(len(lane), -1), bank, addr, cycle, first[each], place
        ))

    def _pool(self, i: dict[str, int], start: int) -> None:
        c, stride = self.config, _strides(i, "row")
        tiles = _Tiles(i, c.rows)
        even = np.arange(0, c.rows, 2)
        xpos = (tiles.x * c.rows)[:, None] + even
        valid = xpos < i["img_w"]
        out_w = -(-i["img_w"] // 2)
        which, half = np.nonzero(valid)
        tau = tiles.tau + timing.write_cycle(c)
        for head, tile, at, _, _, wc, _, _, _ in self._column_tiles(i, start):
            words, _ = self._row_words(i, tiles, head * stride["h"] + tile * stride["j"])
            words = words.reshape(tiles.y.size, c.rows, i["n_dy"], i["n_dx"], -1)
            mine = words[:, ::2, :, 0] | words[:, ::2, :, 1] | words[:, 1::2, :, 1]
            out = np.bitwise_or.reduce(mine, axis=2)  # (tiles, R / 2, bytes)
            self._packed(
                i, payload=out[which, half], nb=tiles.nb[which], r=half, step=tiles.t[which],
                cycle=at + tau[which] + 2 * half,
                token=tiles.y[which] * out_w + xpos[which, half] // 2, x=xpos[which, half] // 2,
                wc=wc, slot=0, head=head, channel=tile * c.width,
            )

    def _mac(self, i: dict[str, int], start: int) -> None:
        c, stride = self.config, _strides(i, "row")
        tiles = _Tiles(i, c.rows)
        dy, dx, k = np.indices((i["n_dy"], i["n_dx"], i["n_k"])).reshape(3, -1)
        y = tiles.y[:, None] + dy - i["pad_y"]
        x = tiles.x[:, None] + dx - i["shift_left"]
        inside = (x >= 0) & (x < i["img_w"]) & (y >= 0) & (y < i["img_h"])
        centre = np.array([i[f"centre{n}"] for n in range(4)])[k % 4]
        word = dy * stride["dy"] + dx * stride["dx"] + k * stride["k"]
        each = tiles.y * stride["y"] + tiles.x * stride["x"] + tiles.t * stride["t"]
        steps = i["n_spread"] + 1 if i["spread"] else i["n_t"]
        for head, tile, at, bias, _, wc, slot, last, _ in self._column_tiles(i, start):
            offset = i["row_base"] + head * stride["h"] + tile * stride["j"]
            addr = self._truncate(offset + each[:, None] + word, c.pix_depth)
            p = self.pix[np.minimum(addr, c.pix_depth - 1)]
            p = np.where(inside, (p << i["pix_shift"]) - centre, 0)
            total = np.empty((tiles.y.size, c.cols), np.int64)
            for which, col in self._column_groups(i, tiles, head, tile):
                low = np.ascontiguousarray(col[..., :4]).view("<u4")[..., 0]
                weight = _signed(low, formats.FACTOR_BITS)
                total[which] = p[which].astype(np.float64) @ weight.T.astype(np.float64)
            value = self._x(i, total + bias)  # (tiles, C)
            if i["dest"] == Dest.PIX:
                self._pixels(i, tiles, value, at, wc, head, tile)
                continue
            frames = value.reshape(-1, i["n_t"], c.cols)
            if i["spread"]:
                frames = np.repeat(value[:, None], steps, axis=1)
            spikes = self._fire(i, frames) & self._lanes(i, last)
            spikes = spikes.reshape(-1, c.cols)
            tau = at + tiles.tau + timing.write_cycle(c)
            which = np.repeat(np.arange(tiles.y.size), steps) if i["spread"] else np.arange(
                tiles.y.size)
            step = np.tile(np.arange(steps), tiles.y.size) if i["spread"] else tiles.t
            cycle = tau[which] + (step if i["spread"] else 0)
            self._packed(
                i, payload=np.packbits(spikes, axis=-1, bitorder="little"), nb=tiles.nb[which],
                r=np.zeros_like(which), step=step, cycle=cycle,
                token=tiles.y[which] * i["n_x"] + tiles.x[which], x=tiles.x[which], wc=wc,
                slot=slot, head=head, channel=tile * c.cols,
            )

    def _mean(self, i: dict[str, int], start: int) -> None:
        c, stride = self.config, _strides(i, "row")
        tiles = _Tiles(i, c.rows)
        dy, dx, k = np.indices((i["n_dy"], i["n_dx"], i["n_k"])).reshape(3, -1)
        word = dy * stride["dy"] + dx * stride["dx"] + k * stride["k"]
        keep = (dy < i["n_dy"] - 1) | (i["mean_mask"] == 0) | (k < i["mean_mask"])
        for head, tile, at, bias, factors, wc, _, _, _ in self._column_tiles(i, start):
            offset = i["row_base"] + head * stride["h"] + tile * stride["j"]
            addr = self._truncate(offset + word, c.res_depth)[keep]
            total = self.res[head, :, addr].sum(axis=0)  # (C,)
            value = self._x(i, total * factors[0] + bias)[None]
            self._pixels(i, tiles, value, at, wc, head, tile)

    def _pixels(
        self, i: dict, tiles: _Tiles, value: np.ndarray, at: int, wc: int, head: int, tile: int
    ) -> None:
        """Write x (tiles, C) to pixel memory."""
        c = self.config
        per = {Mod.ROWS: c.rows, Mod.COLS: c.cols, Mod.WORD: c.width}[Mod(i["w_mod"])]
        lanes = np.arange(c.cols)
        base = wc + i["w_gs"] * (tiles.nb // per) + tiles.t * i["w_t"]
        addr = self._truncate(base[:, None] + lanes, c.pix_depth)
        if (addr >= c.pix_depth).any():
            raise AssertionError(f"instruction {self._n} leaves the pixel memory")
        self.pix[addr.ravel()] = value.ravel()
        if self._record is not None:
            events = np.zeros(addr.shape, PIXEL)
            cycle = at + tiles.tau + timing.write_cycle(c)
            self._place(events, cycle=cycle[:, None] + lanes, addr=addr, value=value,
                        step=tiles.t[:, None], head=head, channel=tile * c.cols + lanes)
            self._record["pix"].append(events.ravel())


