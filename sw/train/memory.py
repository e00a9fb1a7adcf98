"""Memory of a training process."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  #: Of glibc's mallopt.


def keep_memory() -> None:
    """Let glibc keep what is freed; elsewhere nothing happens.

    Every step frees and asks for the same large tensors; giving their pages back and faulting them
    in again costs a fifth of a small network's step.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MMAP_THRESHOLD, 1 << 30)
        library.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
