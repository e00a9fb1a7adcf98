"""Pictures to read, and what is said of those that are refused."""

import struct
import zlib

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.host.image import read_image

GREY, RGB = (1, 8, 8), (3, 8, 8)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)


def refused(source, shape, words):
    with pytest.raises(SpikeloomError, match=words) as e:
        read_image(str(source), shape)
    assert len(str(e.value)) < 1200
    return str(e.value)


def saved(path, pixels, mode=None):
    """A picture's path; without Pillow the test is left out."""
    pytest.importorskip("PIL.Image").fromarray(pixels, mode).save(path)
    return str(path)


def png(width, height, depth=8, colour=0, body=b"", interlaced=0, cut=99, tail=b""):
    """Return a PNG file whose packed pixels end in ``tail``, cut in pieces of ``cut`` bytes."""

    def chunk(kind, data):
        size, crc = (struct.pack(">I", n) for n in (len(data), zlib.crc32(kind + data)))
        return size + kind + data + crc

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(body) + tail
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"PLTE", bytes(768)) if colour == 3 else b"",
            *(chunk(b"IDAT", packed[n : n + cut]) for n in range(0, len(packed), cut)),
            chunk(b"IEND", b""),
        ]
    )
