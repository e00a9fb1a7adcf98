"""Loops of an instruction: its column tiles, and the tiles of one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hw.arch import timing
from hw.arch.config import Config
from hw.arch.isa import Instruction, Mod, Step


def group_size(config: Config, i: Instruction) -> int:
    """Tokens per destination group."""
    sizes = {
        Mod.ROWS: config.rows,
        Mod.COLS: config.cols,
        Mod.WORD: config.width,
        Mod.PAIR: 2 * config.rows,
    }
    return sizes[Mod(i.w_mod)]


class Tiles:
    """Indices of the tiles of a column tile, in order of issue: y, x, t (t innermost).

    Attributes
    ----------
    y, x, t : numpy.ndarray
    nb : numpy.ndarray
        Token counter, of the pooled image where a pool is fused.
    grid : numpy.ndarray
        Token counter of residuals and codes: as nb, or a tile a group where a pool is fused.
    tau : numpy.ndarray
        Issue cycle of the last word, from the first tile's.
    """

    def __init__(self, i: Instruction, rows: int):
        self.shape = (i.n_y, i.n_x, i.n_t)
        self.y, self.x, self.t = np.indices(self.shape).reshape(3, -1)
        unit = 2 * rows if i.w_mod == Mod.PAIR else rows
        counter, nb = [], 0
        for y in range(i.n_y):
            for x in range(i.n_x):
                counter.append(nb)
                valid = max(0, min(rows, i.img_w - x * rows))
                if i.pool and not y % 2 and y != i.n_y - 1:
                    continue
                if i.n_step == Step.ONE:
                    nb += 1 + (i.last_pix if x == i.n_x - 1 else i.n_pix)
                elif i.n_step == Step.HALF:
                    nb += -(-valid // 2) if i.flat else rows // 2
                else:
                    nb += valid if i.flat else rows
            if not i.flat:
                nb = -(-nb // unit) * unit
        self.nb = np.repeat(np.array(counter), i.n_t)
        self.count = self.nb.size
        self.grid = np.arange(self.count) // i.n_t * rows if i.pool else self.nb
        cycles = np.array([timing.tile_cycles(i, y) for y in range(i.n_y)])[self.y]
        self.tau = np.cumsum(cycles) - cycles[0]

    def sum(self, offsets: dict[str, np.ndarray]) -> np.ndarray:
        """Address of each tile's first word, from the column tile's."""
        return offsets["y"][self.y] + offsets["x"][self.x] + offsets["t"][self.t]


def word_sum(offsets: dict[str, np.ndarray]) -> np.ndarray:
    """Address of each word of a tile, from its first: k innermost, then dx, dy."""
    return (offsets["dy"][:, None, None] + offsets["dx"][:, None] + offsets["k"]).ravel()


def word_indices(i: Instruction) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dy, dx and k of each word of a tile."""
    dy, dx, k = np.indices((i.n_dy, i.n_dx, i.n_k)).reshape(3, -1)
    return dy, dx, k


@dataclass(frozen=True)
class ColumnTile:
    """One column tile."""

    head: int
    tile: int
    index: int  #: Column tiles before it.
    last: bool  #: Last of its head.
    tau: int  #: Issue cycle of the last word of the first tile.
    par: int  #: Address of its parameters.
    base: int  #: Destination: column part of the address.
    slot: int
    origin: int = 0  #: Column address from which its column addresses count.


def column_tiles(
    i: Instruction, at: int, taus: Sequence[int] | None = None
) -> Iterator[ColumnTile]:
    """Walk the column tiles of an instruction that starts in cycle ``at``.

    ``taus``: as `timing.column_taus`, which it is where nothing else is given.
    """
    taus = taus or timing.column_taus(i)
    par, base, slot, index = i.par_base, i.w_base, 0, 0
    for head in range(i.n_h):
        for tile in range(i.n_j):
            last = tile == i.n_j - 1
            yield ColumnTile(head, tile, index, last, at + taus[index], par, base, slot)
            par += i.par_h if last else i.par_j
            slot, index = slot + 1, index + 1
            if slot == i.slots or (last and i.head_align):
                slot, base = 0, base + i.w_j
