"""How the tokens of an image are numbered."""

import enum

from hw.arch.isa import Mod
from sw.compiler.plan.layout import ceil_div


class Numbering(enum.IntEnum):
    """Gaps between image rows."""

    FLAT = 0  #: None.
    GRID = 1  #: Image rows are padded to a multiple of R.
    PAIR = 2  #: Image rows are padded to a multiple of 2 R (split layouts).

    def pitch(self, width: int, rows: int) -> int:
        """Tokens from an image row to the next."""
        unit = (1, rows, 2 * rows)[self]
        return ceil_div(width, unit) * unit

    def groups(self, shape: tuple[int, ...], rows: int) -> int:
        """Groups of R tokens of an image (C, H, W)."""
        return ceil_div(shape[1] * self.pitch(shape[2], rows), rows)

    def fields(self) -> dict[str, int]:
        """Instruction fields of a layer that writes no spikes."""
        return {
            "flat": int(self == Numbering.FLAT),
            "w_mod": Mod.PAIR if self == Numbering.PAIR else Mod.ROWS,
        }
