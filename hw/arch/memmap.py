"""Load port: one 32-bit address space over all memories that are written or read from outside.

Address bits: [15:0] word, [19:16] 32-bit part of the word (0 = least significant), [26:20] bank,
[29:27] memory. All but RES can be written. All but CTRL can be peeked at, by the same addresses,
while the core is idle; of pixel and residual memory bits 17:0, sign-extended.
"""

import enum
from typing import Any

MOST_WORDS = 1 << 16  #: Of a bank of any memory: addresses have 16 bits.


class Mem(enum.IntEnum):
    """Memories behind the load port."""

    PROG = 0  #: The program: prog_depth words of 32 bits.
    COL = 1  #: Column memory: C banks of col_depth words of W bits.
    ROW = 2  #: Row memory: R banks of row_depth words of W bits.
    PIX = 3  #: Pixel memory: pix_depth words of 18 bits, signed.
    CTRL = 4  #: One word; whatever is written, the next run is as the first after a reset.
    RES = 5  #: Residual memory: C banks of buffer A, then B's, of res_depth words of res_bits.
    OUT = 6  #: Memory outside, 32-bit words: the address bits below are a word's number.


#: Memories that only the core writes, and those that are not read from outside.
READ_ONLY, WRITE_ONLY = (Mem.RES,), (Mem.CTRL,)


class Stopped(enum.IntEnum):
    """What ended the last run before its HALT."""

    NO = 0  #: Nothing: it ran to its HALT, or runs.
    ABORTED = 1  #: An abort.
    WATCHDOG = 2  #: It had run for the cycles that were its limit.
    OUTSIDE = 3  #: The memory outside had given no word for `hw.arch.outside.PATIENCE` cycles.


LOG_DEPTH = 64  #: Instructions of a run, its first ones, whose cycle the core keeps.


def load_addr(mem: Mem, word: Any, bank: Any = 0, part: Any = 0) -> Any:
    """Return the load port address of a 32-bit part of a word; of integer arrays, theirs.

    ``word`` is 0 to 65535, ``part`` 0 to 15 (0 is the least significant), ``bank`` 0 to 127.
    """
    assert _within(word, MOST_WORDS) and _within(part, 16) and _within(bank, 128)
    return word | part << 16 | bank << 20 | int(mem) << 27


def out_addr(word: Any) -> Any:
    """Return the load port address of a word outside; of an integer array, theirs."""
    assert _within(word, 1 << 27)
    return word | int(Mem.OUT) << 27


def split_addr(addr: Any) -> tuple[Any, Any, Any, Any]:
    """Return number of memory, word, bank and part of a load port address, or of an array."""
    return addr >> 27, addr % MOST_WORDS, addr >> 20 & 127, addr >> 16 & 15


def extent(config: Any, mem: Mem) -> tuple[int, int, int]:
    """Return how many banks, parts of a word and words a memory has in a core of ``config``."""
    parts = config.width // 32
    return {
        Mem.PROG: (1, 1, config.prog_depth),
        Mem.COL: (config.cols, parts, config.col_depth),
        Mem.ROW: (config.rows, parts, config.row_depth),
        Mem.PIX: (1, 1, config.pix_depth),
        Mem.CTRL: (1, 1, 1),
        Mem.RES: (2 * config.cols, 1, config.res_depth),
        Mem.OUT: (config.outside, 16, MOST_WORDS),
    }[mem]


def _within(value: Any, end: int) -> bool:
    inside = (value >= 0) & (value < end)
    return bool(inside if isinstance(value, int) else inside.all())
