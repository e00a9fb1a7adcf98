"""Whether the pixels of a PNG file are all there; Pillow reads some that are not as zeros."""

import struct
import zlib
from pathlib import Path

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  #: By colour type.
_PASSES = (  #: Of an interlaced picture: first column and row, steps between columns and rows.
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_PIECE = 1 << 20  #: Bytes that are unpacked at a time.


def pixel_bytes(path: Path) -> tuple[int, int]:
    """Return how many bytes of pixels a PNG file holds, at most those wanted, and the wanted ones.

    The file has been read once by a decoder that checks headers and checksums.
    """
    data, at, packed = path.read_bytes(), 8, []
    header = data[16:29]
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IDAT":
            packed.append(data[at + 8 : at + 8 + size])
        elif packed:  # those that follow others are not of the picture
            break
        at += 12 + size
    wanted = _wanted(header)
    return min(_unpacked(b"".join(packed), wanted), wanted), wanted


def _wanted(header: bytes) -> int:
    """Return the bytes of all rows, each with the byte that names its filter."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    total = 0
    for x, y, dx, dy in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = len(range(x, width, dx)), len(range(y, height, dy))
        if columns:
            total += rows * (1 + (columns * _CHANNELS[colour] * depth + 7) // 8)
    return total


def _unpacked(packed: bytes, most: int) -> int:
    """Return the length of what a zlib stream holds, as far as it is sound, or over ``most``."""
    unpacker, count = zlib.decompressobj(), 0
    try:
        while count < most and not unpacker.eof:
            piece = unpacker.decompress(packed, _PIECE)
            packed = unpacker.unconsumed_tail
            if not piece and not packed:
                break
            count += len(piece)
    except zlib.error:
        pass
    return count
