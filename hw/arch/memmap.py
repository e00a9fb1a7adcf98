"""Load port: one 32-bit address space over all memories that are written from outside.

Address bits: [15:0] word, [19:16] 32-bit part of the word (0 = least significant), [26:20] bank,
[29:27] memory. Pixel memory (bits 17:0, read back sign-extended) can also be read.
"""

import enum


class Mem(enum.IntEnum):
    """Memories behind the load port."""

    PROG = 0  #: prog_depth x 32
    COL = 1  #: C banks of col_depth x W
    ROW = 2  #: R banks of row_depth x W
    PIX = 3  #: pix_depth x 18; readable
    CTRL = 4  #: one word; a write of anything makes membranes in memory 0 for the next run


def load_addr(mem: Mem, word: int, bank: int = 0, part: int = 0) -> int:
    """Return the load port address of a 32-bit part of a word."""
    assert 0 <= word < 1 << 16 and 0 <= part < 16 and 0 <= bank < 128
    return word | part << 16 | bank << 20 | int(mem) << 27
