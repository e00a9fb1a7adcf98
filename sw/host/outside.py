"""A program's words in the memory outside a device's core: written, checked, gone on with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hw.arch.link import crc32
from hw.arch.memmap import out_addr
from hw.arch.outside import ADDRESS_BITS
from hw.common.errors import SpikeloomError
from sw.host.link import Link

IMAGE = "flash.bin"  #: What a build calls these words, where the device has them in a flash.
PART = 1 << 14  #: Words that are written and checked at a time.


def parts(program: Any) -> list[tuple[int, np.ndarray]]:
    """Return what a program wants outside: (load port address, words) of each part."""
    words = program.outside
    return [(out_addr(at), words[at : at + PART]) for at in range(0, len(words), PART)]


def has(link: Link, addr: int, words: np.ndarray) -> bool:
    """Whether the device holds words at a load port address, by their check sum."""
    return link.crc(addr, len(words)) == crc32(words.astype("<u4").tobytes())


def faults(link: Link, program: Any) -> list[str]:
    """Return a sentence for each part of the memory outside that is not the program's."""
    return [
        f"the memory outside: its {_named(addr, words)} are not the program's"
        for addr, words in parts(program)
        if not has(link, addr, words)
    ]


def _named(addr: int, words: np.ndarray) -> str:
    first = addr % (1 << ADDRESS_BITS)
    return f"words {first} to {first + len(words) - 1}"


def load(link: Link, program: Any, progress: Callable[[int], Any] | None = None) -> None:
    """Write what the device does not hold already, so that a load that broke off goes on.

    A memory that the link does not write, a flash, is found by its first word. ``progress`` is
    called with the number of words of each frame, and of each part that is left as it is.
    SpikeloomError where the memory does not hold what it must.
    """
    tried = False
    for addr, words in parts(program):
        if has(link, addr, words):
            if progress:
                progress(len(words))
            continue
        if not tried:
            _write(link, addr, words[:1])
            tried = True
        _write(link, addr, words, progress)


def _write(
    link: Link, addr: int, words: np.ndarray, progress: Callable[[int], Any] | None = None
) -> None:
    """Write words; SpikeloomError where they do not stay."""
    link.write(addr, words, progress)
    link.flush()
    if has(link, addr, words):
        return
    raise SpikeloomError(
        "the device's memory outside does not hold the program's words, and what the link wrote to "
        f"{_named(addr, words)} did not stay: if it is a flash, write the file "
        f"{IMAGE} of this network's build with the command that the build tells (openFPGALoader -b "
        f"BOARD --write-flash --verify --offset OFFSET {IMAGE}; python -m hw.build --to compile "
        "makes the file anew); if it is an SDRAM, it does not answer, or is damaged; then program "
        "the device anew and load again"
    )
