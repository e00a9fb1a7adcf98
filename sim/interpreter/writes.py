"""Write-back: spikes and x to row, column and pixel memory, each in its cycle."""

from dataclasses import dataclass

import numpy as np

from hw.arch import timing
from hw.arch.isa import Dest, Instruction, Mod, Pack
from sim.interpreter.machine import Memories
from sim.interpreter.walk import ColumnTile, Tiles, group_size


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """Channel-packed spikes: one entry of each array per write event."""

    payload: np.ndarray  #: uint8 (events, bytes).
    nb: np.ndarray  #: Token counter of the tile.
    r: np.ndarray  #: Tokens after it.
    step: np.ndarray
    cycle: np.ndarray
    token: np.ndarray
    x: np.ndarray  #: Destination image column.
    slot: int
    channel: int


def write_packed(m: Memories, i: Instruction, column: ColumnTile, p: Packed) -> None:
    """Write to ROW, ROW_TAPS or COL_TOKEN."""
    c, dest = m.config, Dest(i.dest)
    base = column.base + i.w_gs * (p.nb // group_size(c, i)) + p.step * i.w_t
    place = {"step": p.step, "head": column.head, "token": p.token, "channel": p.channel}
    n = p.nb + p.r
    if dest == Dest.ROW_TAPS:
        _write_taps(m, i, p, base, place)
        return
    if dest == Dest.ROW and i.w_mod == Mod.PAIR:
        bank, name, addr = n // 2 % c.rows, "row", base + np.where(n % 2, i.w_half, 0)
    elif dest == Dest.ROW:
        bank, name = n % c.rows, "row"
        addr = base + np.where(p.nb % c.rows + p.r >= c.rows, i.w_gs, 0)
    elif dest == Dest.COL_TOKEN:
        bank, name, addr = n % c.cols, "col", base
    else:
        raise AssertionError(f"{dest.name} is no destination here")
    m.write_words(name, _events(m, p.payload, bank, addr, p.cycle, p.slot * c.cols // 8, place))


def _write_taps(m: Memories, i: Instruction, p: Packed, base: np.ndarray, place: dict) -> None:
    """Write a token to its own word and to its neighbours'."""
    rows, size = m.config.rows, 1 << i.w_slot_log2
    parts = []
    taps = [(-1, 2), (0, 1), (1, 0)] if i.w_pack == Pack.TRIPLE else [(0, 1), (1, 0)]
    for shift, q in taps:
        ok = (p.x + shift >= 0) & (p.x + shift < i.w_img_w)
        at = p.nb % rows + p.r + shift
        parts.append(
            _events(
                m,
                p.payload[:, :size],
                (p.nb + p.r + shift) % rows,
                base + i.w_gs * (at // rows),
                p.cycle,
                q * size,
                place,
                extend=False,
            )[ok]
        )
    m.write_words("row", np.concatenate(parts))


def _events(
    m: Memories,
    payload: np.ndarray,
    bank: np.ndarray,
    addr: np.ndarray,
    cycle: np.ndarray,
    first: int | np.ndarray,
    place: dict,
    *,
    extend: bool = True,
) -> np.ndarray:
    """Events that write ``payload`` at byte ``first``; ``extend``: the whole word at byte 0."""
    count, width = payload.shape[1], m.config.width // 8
    at = np.asarray(first) + np.zeros(len(payload), np.int64)
    mask = np.where(extend & (at == 0), (1 << width) - 1, ((1 << count) - 1) << at)
    events = m.events(
        "row",
        len(payload),
        bank=bank,
        addr=addr,
        cycle=cycle,
        mask=mask,
        first=at,
        count=count,
        **place,
    )
    np.put_along_axis(events["data"], at[:, None] + np.arange(count), payload, axis=1)
    return events


def write_windows(
    m: Memories, i: Instruction, tiles: Tiles, column: ColumnTile, spikes: np.ndarray
) -> None:
    """Write the maxima of 3x3 windows of spikes (tiles, R, C; 0 where a row is no token).

    A window ends in an odd row of a tile, of an image row whose y is odd or the last.
    """
    c = m.config
    if c.rows // 2 * i.n_x * i.n_t > c.pool_depth or i.spread:
        raise AssertionError(f"instruction {m.instruction} leaves the line of the pool")
    image = spikes.reshape(i.n_y, i.n_x, i.n_t, c.rows, c.cols).swapaxes(1, 2)
    image = np.pad(image.reshape(i.n_y, i.n_t, -1, c.cols), ((1, 1), (0, 0), (1, 0), (0, 0)))
    pairs = image[:, :, :-1:2] | image[:, :, 1::2] | image[:, :, 2::2]
    windows = pairs[:-2:2] | pairs[1:-1:2] | pairs[2::2]  # (Y, T, columns, C)
    ends = (tiles.y % 2 == 1) | (tiles.y == i.n_y - 1)
    out_w = -(-i.img_w // 2)
    x = (tiles.x * c.rows // 2)[:, None] + np.arange(c.rows // 2)
    which, half = np.nonzero(ends[:, None] & (x < out_w))
    y, x, step = tiles.y[which] // 2, x[which, half], tiles.t[which]
    write_packed(
        m,
        i,
        column,
        Packed(
            payload=np.packbits(windows[y, step, x], axis=-1, bitorder="little"),
            nb=tiles.nb[which],
            r=half,
            step=step,
            cycle=column.tau + tiles.tau[which] + timing.write_cycle(c) + 2 * half + 1,
            token=y * out_w + x,
            x=x,
            slot=column.slot,
            channel=column.tile * c.cols,
        ),
    )


def write_transposed(
    m: Memories,
    i: Instruction,
    tiles: Tiles,
    column: ColumnTile,
    spikes: np.ndarray,
    token: np.ndarray,
) -> None:
    """Write token-packed spikes (tiles, R, C): one byte (R = 16: two) per lane and tile."""
    c, count = m.config, tiles.count
    bits = spikes.transpose(0, 2, 1)  # (tiles, C, R)
    first = (tiles.nb % c.width) // 8
    origin = token[:, 0]
    if c.rows == 4:  # the even tile's half is kept for the odd one, per step
        half = bits.reshape(-1, i.n_t, c.cols, 4)
        odd = (tiles.nb % 8 == 4).reshape(-1, i.n_t)[..., None, None]
        kept = np.concatenate([np.zeros_like(half[:1]), half[:-1]])
        empty = np.zeros_like(half)
        bits = np.concatenate(
            [np.where(odd, kept, half), np.where(odd, half, empty)], axis=-1
        ).reshape(count, c.cols, 8)
        origin = np.where(tiles.nb % 8 == 4, origin - 4, origin)
    payload = np.packbits(bits, axis=-1, bitorder="little")  # (tiles, C, 1 or 2)
    address = column.base + i.w_gs * (tiles.nb // c.width) + tiles.t * i.w_t
    tau = column.tau + tiles.tau + timing.write_cycle(c)
    lane = np.tile(np.arange(c.cols), count)
    each = np.repeat(np.arange(count), c.cols)
    place = {
        "step": tiles.t[each],
        "head": column.head,
        "token": origin[each],
        "channel": column.tile * c.cols + lane,
    }
    bank, addr, cycle, name = lane, address[each], tau[each] + c.rows - 1, "col"
    if i.dest == Dest.ROW_CHANNEL:
        part = lane // c.rows
        bank, name = lane % c.rows, "row"
        addr, cycle = addr + part * i.w_chan_gs, tau[each] + c.rows + part
    m.write_words(
        name, _events(m, payload.reshape(len(lane), -1), bank, addr, cycle, first[each], place)
    )


def write_pixels(
    m: Memories,
    i: Instruction,
    tiles: Tiles,
    column: ColumnTile,
    value: np.ndarray,
    place: dict,
) -> None:
    """Write x (tiles, C) to pixel memory."""
    c, lanes = m.config, np.arange(m.config.cols)
    base = column.base + i.w_gs * (tiles.nb // group_size(c, i)) + tiles.t * i.w_t
    addr = m.check(base[:, None] + lanes, c.pix_depth, "pixel")
    m.pix[addr.ravel()] = value.ravel()
    if m.recording:
        cycle = column.tau + tiles.tau + timing.write_cycle(c)
        m.record(
            "pix",
            m.events(
                "pix",
                addr.shape,
                cycle=cycle[:, None] + lanes,
                addr=addr,
                value=value,
                head=column.head,
                channel=column.tile * c.cols + lanes,
                **place,
            ),
        )
