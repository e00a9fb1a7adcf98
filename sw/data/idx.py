"""The idx files of MNIST and its kin."""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError

UINT8 = 8  #: Code of the element type, the only one used here.


def parse_idx(raw: bytes, dimensions: int, where: str) -> np.ndarray:
    """Return the array of an idx file of uint8, a writable copy.

    Parameters
    ----------
    raw : bytes
        The whole file: two zero bytes, type, dimensions, sizes as big-endian uint32, elements.
    dimensions : int
        1 for labels, 3 for images.
    where : str
        Names the file in messages.
    """
    header = 4 + 4 * dimensions
    if len(raw) < header:
        raise SpikeloomError(
            f"{where}: {len(raw)} bytes, wanted a header of {header}; the file is cut short, "
            "fetch it again"
        )
    magic = bytes((0, 0, UINT8, dimensions))
    if raw[:4] != magic:
        raise SpikeloomError(
            f"{where}: begins with {raw[:4].hex()}, wanted {magic.hex()} (idx, uint8, "
            f"{dimensions} dimensions); this is another kind of file"
        )
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, header, 4)]
    if len(raw) - header != prod(shape):
        raise SpikeloomError(
            f"{where}: {len(raw) - header} bytes of data, wanted {prod(shape)} for "
            f"{'x'.join(map(str, shape))}; the file is cut short or damaged, fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape).copy()


def read_plain(path: Path, size: int) -> bytes:
    """Return the bytes of a file, unpacked if it is a .gz, up to one past ``size``."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            return file.read(size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SpikeloomError(
            f"{path}: cannot be unpacked ({error}), wanted a whole gzip file; fetch it again"
        ) from error
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check the permissions"
        ) from error
