"""Address streams: from an instruction's deltas back to what each index adds."""

import numpy as np

from hw.arch.isa import LEVELS, Instruction
from sw.compiler.addresses import PAIRED, offset


def offsets(i: Instruction, prefix: str) -> dict[str, np.ndarray]:
    """Return what each index of each level adds to an instruction's base, int64 (count,)."""
    out, inner = {}, 0
    for level in LEVELS:
        even = i.delta(prefix, level) + inner
        odd = i.delta(prefix, level, odd=True) + inner if level in PAIRED else even
        out[level] = offset((even, odd), np.arange(i.count(level)))
        inner += int(out[level][-1])
    return out
