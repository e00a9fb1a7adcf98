"""What lanes do with x: residual, neuron, membranes; and what they leave in residual memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.arch import formats, timing
from hw.arch.isa import Instruction, Keep, Res
from hw.arch.memmap import MOST_WORDS
from sim.interpreter.machine import Memories, signed
from sim.interpreter.walk import ColumnTile, Tiles

WORD_BITS = formats.MEMBRANE_BITS
HALF_BITS = WORD_BITS // 2  #: Of a word of buffer A: a byte of codes and a 0.


def scaled(m: Memories, i: Instruction, p: np.ndarray, shift: int | None = None) -> np.ndarray:
    """Return x of accumulators P; ``shift``: index into SHIFTS, if not the instruction's."""
    if np.abs(p).max(initial=0) >= 1 << (formats.PRODUCT_BITS - 1):
        raise AssertionError(f"instruction {m.instruction} overflows the lane accumulator")
    return formats.saturate(p >> formats.SHIFTS[i.shift if shift is None else shift])


def make_table(i: Instruction) -> np.ndarray:
    """Table that a TABLE instruction loads, (cells, 2): thresholds before a cell, place in it."""
    cell = formats.state_cell(formats.STATE_SHIFTS[i.state_shift])
    table = np.zeros((formats.STATE_CELLS, 2), np.int64)
    table[:, 1] = formats.STATE_CELL_COARSE
    for count, threshold in enumerate(i.table, 1):
        at = threshold // cell
        table[at + 1 :, 0] = count
        table[at, 1] = threshold % cell
    return table


def find_code(w: np.ndarray, shift: int, table: np.ndarray) -> np.ndarray:
    """Code of membranes: the cell's count, and one comparison."""
    size = np.minimum(np.abs(w), formats.STATE_MAX)
    cell = formats.state_cell(shift)
    count, at = np.moveaxis(table[np.minimum(size // cell, formats.STATE_CELLS - 1)], -1, 0)
    return np.sign(w) * (count + (size % cell >= at))


def fire(
    i: Instruction, y: np.ndarray, table: np.ndarray, code: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (bool) of y (frames, steps, ...), and the codes after the last step.

    ``code`` (frames, ...): before the first step, 0 if not given.
    """
    fired = np.zeros(y.shape, bool)
    v = np.zeros_like(y[:, 0]) if code is None else code
    if not i.theta:
        return fired, v
    left = formats.STATE_SHIFTS[i.state_shift]
    for t in range(y.shape[1]):
        u = (v << left) + y[:, t] if i.leak else (v + y[:, t]) >> 1
        fired[:, t] = u >= i.theta
        v = np.where(fired[:, t], u - i.theta if i.soft and not i.leak else 0, u)
        if i.leak:
            v = find_code(v, left, table)
    return fired, v


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows of all tiles of a column tile."""

    valid: np.ndarray  #: bool (tiles, rows).
    token: np.ndarray  #: Token in the image, (tiles, rows).

    def places(self, tiles: Tiles, column: ColumnTile, cols: int) -> dict[str, Any]:
        """Place of each valid row's lanes, for events (rows, C)."""
        which, row = np.nonzero(self.valid)
        return {
            "step": tiles.t[which][:, None],
            "head": column.head,
            "token": self.token[which, row][:, None],
            "channel": column.tile * cols + np.arange(cols),
        }


def finish(
    m: Memories,
    i: Instruction,
    tiles: Tiles,
    column: ColumnTile,
    rows: Rows,
    x: np.ndarray,
    shortcut: np.ndarray | None = None,
) -> np.ndarray:
    """Add residuals to x (tiles, rows, C), step the neurons, store; return spikes (bool)."""
    c, r = m.config, np.arange(x.shape[1])
    nb = tiles.grid[:, None]
    group = column.index * i.res_j + i.res_gs * (nb // c.rows)
    group = group + np.where(nb % c.rows + r >= c.rows, i.res_gs, 0)  # (tiles, rows)
    lane = (nb + r) % c.rows
    addr = m.truncate((group + tiles.t[:, None]) * c.rows + lane, c.res_depth)
    touches = i.keep != Keep.NONE or i.res in (Res.ADD, Res.AVERAGE)
    if touches and (addr[rows.valid] >= c.res_depth).any():
        raise AssertionError(f"instruction {m.instruction} leaves the residual memory")
    y = formats.saturate(x + _added(m, i, np.minimum(addr, c.res_depth - 1), shortcut))
    frames = y.reshape(-1, i.n_t, *y.shape[1:])
    if i.persist:
        if i.n_t != 1 or i.res == Res.AVERAGE or (i.keep and not i.res_dest):
            raise AssertionError(f"instruction {m.instruction} uses buffer A twice")
        index = ((group + i.st_base) * c.rows + lane) % MOST_WORDS
        old = _read_codes(m, i, np.where(rows.valid, index, index[:, :1]))
        fired, code = fire(i, frames, m.table, old.code)
        _write_codes(m, i, tiles, column, rows, index, old, code)
    else:
        fired, _ = fire(i, frames, m.table)
    fired = fired.reshape(y.shape)
    if (what := i.keep | i.mean) != Keep.NONE:
        kept = fired.astype(np.int64) if what == Keep.SPIKE else y
        if i.keep:
            _store(m, i, tiles, column, rows, addr, kept)
        if i.mean:
            _mean(m, i, tiles, column, kept[rows.valid].sum(axis=0))
    lanes = np.arange(c.cols) < (i.lanes if column.last else c.cols)
    return fired & rows.valid[..., None] & lanes


def _mean(m: Memories, i: Instruction, tiles: Tiles, column: ColumnTile, total: np.ndarray) -> None:
    """Write the mean of what was kept in each lane, summed over a column tile: total (C,)."""
    c, lanes = m.config, np.arange(m.config.cols)
    if not c.means or (i.keep and i.keep != i.mean):
        raise AssertionError(f"instruction {m.instruction} sums what it cannot")
    bias, factor = m.mean_parameters(column.par)
    value = scaled(m, i, total * factor + bias, i.mean_shift)
    addr = m.check(i.mean_base + column.index * c.cols + lanes, c.pix_depth, "pixel")
    m.pix[addr] = value
    if m.recording:
        tau = column.tau + tiles.tau[-1] + timing.mean_row(c)
        place = {"head": column.head, "channel": column.tile * c.cols + lanes}
        cycle = tau + timing.write_cycle(c) + lanes
        m.record("pix", m.events("pix", c.cols, cycle=cycle, addr=addr, value=value, **place))


def _added(
    m: Memories, i: Instruction, addr: np.ndarray, shortcut: np.ndarray | None
) -> np.ndarray | int:
    """What is added to x."""
    lanes = np.arange(m.config.cols)
    match Res(i.res):
        case Res.SPIKE:
            assert shortcut is not None, "Res.SPIKE without shortcut"
            return shortcut.astype(np.int64) * i.sc_value
        case Res.ADD:
            return m.res[1][lanes, addr[..., None]]
        case Res.AVERAGE:
            return (m.res[0][lanes, addr[..., None]] + m.res[1][lanes, addr[..., None]]) >> 1
    return 0


def _store(
    m: Memories,
    i: Instruction,
    tiles: Tiles,
    column: ColumnTile,
    rows: Rows,
    addr: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Write y or spikes to residual memory."""
    lanes, (which, row) = np.arange(m.config.cols), np.nonzero(rows.valid)
    addr, kept = addr[which, row][:, None], kept[which, row]
    m.res[i.res_dest, lanes, addr] = kept
    if m.recording:
        cycle = column.tau + tiles.tau[which] + timing.RES_WRITE + row
        m.record(
            "res",
            m.events(
                "res",
                kept.shape,
                cycle=cycle[:, None] + lanes,
                buffer=i.res_dest,
                lane=lanes,
                addr=addr,
                value=kept,
                **rows.places(tiles, column, m.config.cols),
            ),
        )


# ---- codes in memory -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class _Old:
    """What memory held where a column tile's codes are; arrays (tiles, rows, C)."""

    byte: np.ndarray
    code: np.ndarray


def _read_codes(m: Memories, i: Instruction, index: np.ndarray) -> _Old:
    """Codes at ``index`` (tiles, rows), and the bytes they are in."""
    bits = formats.STATE_BITS[i.state_bits]
    byte_at = index * bits // 8
    word = m.check(byte_at // 2, m.config.res_depth, "residual")
    data = m.res[0][np.arange(m.config.cols), word[..., None]]
    byte = (data >> (HALF_BITS * (byte_at % 2))[..., None]) & 0xFF
    if m.cold:
        byte = np.zeros_like(byte)
    return _Old(byte=byte, code=signed(byte >> (index * bits % 8)[..., None], bits))


def _write_codes(
    m: Memories,
    i: Instruction,
    tiles: Tiles,
    column: ColumnTile,
    rows: Rows,
    index: np.ndarray,
    old: _Old,
    code: np.ndarray,
) -> None:
    """Write each valid row's byte: lower codes as new, its own, higher ones as they were."""
    bits = formats.STATE_BITS[i.state_bits]
    per, unit = 8 // bits, (1 << bits) - 1
    which, row = np.nonzero(rows.valid)
    n, new, byte = index[which, row], code[which, row] & unit, old.byte[which, row]
    place = n % per
    above = (bits * (place + 1))[:, None]
    value = byte >> above << above
    value |= new << (bits * place)[:, None]
    for back in range(1, per):
        before = np.zeros(n.size, bool)
        before[back:] = (n[back:] - n[:-back] == back) & (place[back:] >= back)
        at = np.flatnonzero(before)
        value[at] |= new[at - back] << (bits * (place[at] - back))[:, None]
    byte_at = n * bits // 8
    word, half, lanes = byte_at // 2, byte_at % 2, np.arange(m.config.cols)
    for h in (0, 1):
        mine = half == h
        at, shift = word[mine][:, None], HALF_BITS * h
        there = m.res[0][lanes, at] & ~(((1 << HALF_BITS) - 1) << shift)
        m.res[0][lanes, at] = signed(there | value[mine] << shift, WORD_BITS)
    if m.recording:
        cycle = column.tau + tiles.tau[which] + timing.CODE_WRITE + row
        m.record(
            "mem",
            m.events(
                "mem",
                value.shape,
                cycle=cycle[:, None] + lanes,
                lane=lanes,
                addr=word[:, None],
                half=half[:, None],
                value=value,
                **rows.places(tiles, column, m.config.cols),
            ),
        )
