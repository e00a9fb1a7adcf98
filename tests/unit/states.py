"""Stored membranes by their definition, and the table that should come of their thresholds."""

import numpy as np

from hw.arch.formats import STATE_CELL_COARSE, STATE_CELLS, STATE_MAX, STATE_SHIFTS, state_cell
from hw.core.table import CELL_BITS, Entry, StateTable, TableWrite

AT = Entry.as_shape()["at"].offset
WRITE = {name: TableWrite.as_shape()[name].offset for name in ("en", "cell", "entry")}


def code_of(w, thresholds):
    """``sw/network.py``: sign(w) * (number of thresholds <= min(|w|, STATE_MAX))."""
    reached = sum(t <= min(abs(w), STATE_MAX) for t in thresholds)
    return -reached if w < 0 else reached


def last_cell(cell):
    """Number of cells that may have a threshold."""
    return STATE_CELLS - (cell < STATE_CELL_COARSE)


def entries(thresholds, cell):
    """Entries of a table as numbers: count of the thresholds below a cell, place of its own.

    Places are those of a coarse cell: of a fine one they count 8 times.
    """
    own: dict[int, int] = {}
    for t in thresholds:
        if t <= STATE_MAX:
            assert t > 0
            assert t // cell < last_cell(cell)
            assert t // cell not in own
            own[t // cell] = t % cell * (STATE_CELL_COARSE // cell)
    out, count = [], 0
    for n in range(STATE_CELLS):
        out.append(count | own.get(n, STATE_CELL_COARSE) << AT)
        count += n in own
    return out


def reader(table):
    """Return what answers a bench as `StateTable` does: the entry of a cell, ``latency`` later."""
    waiting = [0] * (StateTable.latency - 1)

    def react(_, out):
        waiting.append(table[out["cell"]])
        return {"entry": waiting.pop(0)}

    return react


def write_of(cell, entry):
    """An enabled TableWrite as a number."""
    assert cell < 1 << CELL_BITS
    return 1 << WRITE["en"] | cell << WRITE["cell"] | entry << WRITE["entry"]


def thresholds_of(rng, levels, shift, top=STATE_MAX):
    """Ascending thresholds up to about ``top`` for a state of index ``shift``.

    At most one in a cell; a third of them each at a cell's first place, its last, and anywhere.
    """
    cell = state_cell(STATE_SHIFTS[shift])
    cells = np.sort(rng.choice(min(top // cell + 1, last_cell(cell)), size=levels, replace=False))
    places = rng.choice(np.array([0, cell - 1, -1]), size=levels)
    places = np.where(places < 0, rng.integers(cell, size=levels), places)
    return np.clip(cells * cell + places, 1, STATE_MAX)
