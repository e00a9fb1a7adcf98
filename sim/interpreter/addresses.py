"""Address streams: from an instruction's deltas back to what each index adds."""

import numpy as np

from hw.arch.isa import LEVELS, Instruction
from sw.compiler.addresses import OUTER, PAIRED, offset


def offsets(i: Instruction, prefix: str) -> dict[str, np.ndarray]:
    """Return what each index of each level adds to an instruction's base, int64 (count,).

    dy counts from the first row of taps, also where that is left out: y starts so much lower.
    """
    out, inner = {}, 0
    for level in LEVELS:
        if level == OUTER:
            inner = 0
        even = i.delta(prefix, level) + inner
        odd = i.delta(prefix, level, odd=True) + inner if level in PAIRED else even
        out[level] = offset((even, odd), np.arange(i.count(level)))
        if level == "y":
            out[level] += _ups(i, prefix)
        inner += int(out[level][-1])
    if i.clip:
        out["y"] -= out["dy"][[i.first_dy(y) for y in range(i.n_y)]]
    return out


def _ups(i: Instruction, prefix: str) -> np.ndarray:
    """Sum of what advances of y added because fewer rows are left out after them, int64 (n_y,)."""
    first = np.array([i.first_dy(y) for y in range(i.n_y)])
    times = np.where(first[:-1] > 0, np.where((first[:-1] == 3) & (i.y_twice == 1), 2, 1), 0)
    up = {"row": i.row_up, "col": i.col_up}[prefix]
    return np.concatenate([[0], np.cumsum(times) * up])
