"""Address streams: from strides to an instruction's deltas."""

from collections.abc import Mapping, Sequence

from hw.arch.isa import LEVELS
from hw.arch.memmap import MOST_WORDS

#: Address change from an index to the next; of dx and dy also a pair: from even, from odd ones.
Stride = int | tuple[int, int]
PAIRED = ("dx", "dy")  #: Levels whose odd indices have a delta of their own.
OUTER = "t"  #: The innermost level whose deltas go from tile to tile.


def _pair(stride: Stride) -> tuple[int, int]:
    return stride if isinstance(stride, tuple) else (stride, stride)


def offset(stride: tuple[int, int], index):
    """Address of an index (or of an array of them), from that of index 0."""
    return (index + 1) // 2 * stride[0] + index // 2 * stride[1]


def _signed(delta: int) -> int:
    delta %= MOST_WORDS
    return delta - MOST_WORDS if 2 * delta >= MOST_WORDS else delta


def stream(
    prefix: str,
    counts: dict[str, int],
    strides: Mapping[str, Stride],
    base: int,
    first_dy: Sequence[int] = (0,),
) -> dict[str, int]:
    """Return base and delta fields of an address stream, a sum of an offset for each loop index.

    A delta undoes what the inner levels added: inside a tile from word to word, then from first
    word to first word. ``first_dy``: of the tiles of each output row.
    """
    skipped = [offset(_pair(strides.get("dy", 0)), dy) for dy in first_dy]
    out, inner = {f"{prefix}_base": (base + skipped[0]) % MOST_WORDS}, 0
    for level in LEVELS:
        if level == OUTER:
            inner = 0
        stride = _pair(strides.get(level, 0))
        out[f"{prefix}_{level}"] = _signed(stride[0] - inner)
        if level in PAIRED:
            out[f"{prefix}_{level}2"] = _signed(stride[1] - inner)
        inner += offset(stride, counts.get(f"n_{level}", 1) - 1)
        if level == "y":
            inner += skipped[-1] - skipped[0]
    if up := _up(first_dy, skipped):
        out[f"{prefix}_up"] = _signed(up)
    return out


def _up(first_dy: Sequence[int], skipped: Sequence[int]) -> int:
    """Field ``up`` of a stream: what an advance of y adds where fewer rows are skipped after it."""
    ups = set()
    for n, dy in enumerate(first_dy[:-1]):
        if dy:
            twice = dy == 3 and first_dy[n + 1] == 1  # two rows fewer, of three
            ups.add((skipped[n + 1] - skipped[n]) / (2 if twice else 1))
    assert len(ups) <= 1, (first_dy, skipped)
    return int(ups.pop()) if ups else 0
