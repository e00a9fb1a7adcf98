"""Row operands: words of all tiles of a column tile, shifted and masked."""

import numpy as np

from hw.arch.isa import CENTRES, Instruction, Pack, Taps
from sim.interpreter.addresses import offsets
from sim.interpreter.machine import Memories
from sim.interpreter.walk import ColumnTile, Tiles, word_indices, word_sum


def shifts(i: Instruction, dx: np.ndarray) -> np.ndarray:
    """Horizontal shift of each word."""
    match Taps(i.taps):
        case Taps.STRIDE:
            return np.where((dx == 0) & (i.shift_left > 0), -1, 0)
        case Taps.POOL:
            return (dx >> 1) - i.shift_left
    return dx - i.shift_left


def row_words(
    m: Memories, i: Instruction, tiles: Tiles, offset: int
) -> tuple[np.ndarray, np.ndarray]:
    """Masked words and masks, both uint8 (tiles, R, plain words, W / 8).

    ``offset``: address of the column tile, from the instruction's base.
    """
    c, walk = m.config, offsets(i, "row")
    rows, width = c.rows, c.width // 8
    dy, dx, _ = word_indices(i)
    shift = shifts(i, dx)
    r = np.arange(rows)[:, None]
    bank, wrap = (r + shift) % rows, (r + shift) // rows  # (R, words)
    word = word_sum(walk) + wrap * i.row_gs
    addr = i.row_base + offset + tiles.sum(walk)[:, None, None] + word
    data = m.read(m.row, bank[None] + 0 * addr, addr)
    x = (tiles.x * rows)[:, None, None] + r  # (tiles, R, 1)
    y = (tiles.y << i.y_twice)[:, None, None] + dy - i.pad_y
    inside = (x < i.img_w) & (y >= 0) & (y < i.img_h)  # (tiles, R, words)
    at = x + shift
    if i.pack == Pack.NONE:
        if i.taps == Taps.STRIDE and i.odd_w:  # the odd plane has a column less
            at = at + (dx == 2)
        inside &= (at >= 0) & (at < i.img_w)
        mask = np.repeat(inside[..., None], width, axis=-1)
    else:
        slot = np.arange(width) >> i.slot_bytes_log2
        at = at[..., None] + slot - 1
        mask = inside[..., None] & (at >= 0) & (at < i.img_w) & (slot <= 2)
        if i.pack == Pack.PAIR:
            mask &= np.where(dx[:, None] == 0, slot <= 1, slot == 1)
    mask = np.where(mask, 255, 0).astype(np.uint8)
    return data & mask, mask


def pixels(m: Memories, i: Instruction, tiles: Tiles, xpos: np.ndarray, offset: int) -> np.ndarray:
    """Pixels of a MAC as the lanes multiply them, (tiles, pixels, plain words).

    ``xpos`` (tiles, pixels): their columns in the image that is written; ``offset``: address of
    the column tile.
    """
    c, walk = m.config, offsets(i, "row")
    dy, dx, k = word_indices(i)
    y = ((tiles.y << i.y_twice)[:, None] + dy - i.pad_y)[:, None]
    x = (xpos << i.x_twice)[..., None] + dx - i.shift_left
    inside = (x >= 0) & (x < i.img_w) & (y >= 0) & (y < i.img_h)
    addr = offset + (tiles.sum(walk)[:, None] + word_sum(walk))[:, None]
    if i.image:
        value = m.read(m.row, x % c.rows, addr + x // c.rows)
        value = np.take_along_axis(value, (k + 0 * x)[..., None], axis=-1)[..., 0].astype(np.int64)
    else:
        value = m.pix[np.minimum(m.truncate(addr, c.pix_depth), c.pix_depth - 1)]
    centre = np.array([i.centre(n) for n in range(CENTRES)])[k % CENTRES]
    return np.where(inside, (value << i.pix_shift) - centre, 0)


def shortcut_bits(
    m: Memories, i: Instruction, tiles: Tiles, column: ColumnTile
) -> np.ndarray | None:
    """Spikes of the shortcut, uint8 (tiles, R, C); None where an instruction has none."""
    if not i.shortcut:
        return None
    c = m.config
    word, first = divmod(i.sc_byte + column.index * c.cols // 8, c.width // 8)
    group = tiles.y * i.n_x + tiles.x
    addr = i.sc_base + word + group * i.sc_gs + tiles.t * i.sc_t
    banks = np.arange(c.rows)
    data = m.read(m.row, banks[None] + 0 * addr[:, None], addr[:, None] + 0 * banks)
    bits = np.unpackbits(data, axis=-1, bitorder="little")
    out = np.zeros((*bits.shape[:2], c.cols), np.uint8)
    mine = bits[..., 8 * first : 8 * first + c.cols]
    out[..., : mine.shape[-1]] = mine
    return out
