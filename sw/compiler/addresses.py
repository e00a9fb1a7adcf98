"""Address streams: from strides to an instruction's deltas."""

from collections.abc import Mapping

from hw.arch.isa import LEVELS
from hw.arch.memmap import MOST_WORDS

#: Address change from an index to the next; of dx and dy also a pair: from even, from odd ones.
Stride = int | tuple[int, int]
PAIRED = ("dx", "dy")  #: Levels whose odd indices have a delta of their own.


def _pair(stride: Stride) -> tuple[int, int]:
    return stride if isinstance(stride, tuple) else (stride, stride)


def offset(stride: tuple[int, int], index):
    """Address of an index (or of an array of them), from that of index 0."""
    return (index + 1) // 2 * stride[0] + index // 2 * stride[1]


def _signed(delta: int) -> int:
    delta %= MOST_WORDS
    return delta - MOST_WORDS if 2 * delta >= MOST_WORDS else delta


def stream(
    prefix: str, counts: dict[str, int], strides: Mapping[str, Stride], base: int
) -> dict[str, int]:
    """Return base and delta fields of an address stream, a sum of an offset for each loop index.

    A delta undoes what the inner levels added.
    """
    out, inner = {f"{prefix}_base": base % MOST_WORDS}, 0
    for level in LEVELS:
        stride = _pair(strides.get(level, 0))
        out[f"{prefix}_{level}"] = _signed(stride[0] - inner)
        if level in PAIRED:
            out[f"{prefix}_{level}2"] = _signed(stride[1] - inner)
        inner += offset(stride, counts.get(f"n_{level}", 1) - 1)
    return out
