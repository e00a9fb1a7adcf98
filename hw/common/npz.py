"""Archives of arrays (.npz): written with the same bytes each time, read with bounds.

What is read comes from strangers: no member is unpacked before its declared size is known to be
sane, to agree with its array's shape, and, with those of all others, to stay below a limit.
"""

import ast
import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.files import digest, whole

EPOCH = (1980, 1, 1, 0, 0, 0)
DIGEST = "sha256"  #: Member of our own archives: the digest of all others.
MAX_BYTES = 4 << 30  #: Of all arrays together.
MAX_RATIO, FREE = 64, 64 << 20  #: Unpacked bytes for each packed one, beside so many for free.
MAX_MEMBERS = 100_000
MAX_HEADER = 10_000  #: Of an array.
KINDS = "?bBhHiIlLqQefdgFDG"  #: Types of arrays that hold numbers.


class ArchiveError(Exception):
    """Why an archive cannot be read, in a few words."""


def write(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write arrays and their digest, whole or not at all; same arrays, same bytes."""
    packed = {name: _pack(np.asarray(array)) for name, array in arrays.items()}
    packed[DIGEST] = _pack(np.frombuffer(bytes.fromhex(_seal(packed)), np.uint8))
    with whole(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, data in packed.items():
            info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data, compresslevel=6)
    return Path(path)


def _pack(array: np.ndarray) -> bytes:
    """Return an array as the bytes of a .npy file."""
    data = io.BytesIO()
    np.lib.format.write_array(data, array, version=(1, 0), allow_pickle=False)
    return data.getvalue()


def _seal(packed: Mapping[str, bytes]) -> str:
    """Return the digest of all members but the digest itself, in the order of their names."""
    names = sorted(name for name in packed if name != DIGEST)
    return digest(*(part for name in names for part in (name, packed[name])))


def read(
    path: str | os.PathLike,
    *,
    keep: Callable[[str], bool] | None = None,
    sealed: bool = False,
) -> dict[str, np.ndarray]:
    """Read an archive's arrays by name, without the digest.

    Parameters
    ----------
    keep : tells whether a member of that name is wanted; others are not unpacked. Default: all.
    sealed : the archive must carry a digest (one that is there is checked in any case, if all
        members are kept).

    Raises ArchiveError where it is no whole archive of plain arrays, SpikeloomError where the file
    cannot be opened.
    """
    try:
        file = open(path, "rb")
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check path and permissions"
        ) from None
    try:
        with file, zipfile.ZipFile(file) as archive:
            packed = _members(archive, os.fstat(file.fileno()).st_size, keep)
    except ArchiveError:
        raise
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        IndexError,
        MemoryError,
        OverflowError,
    ) as error:
        raise ArchiveError(_reason(error)) from None
    try:
        arrays = {name: _array(name, data) for name, data in packed.items()}
    except MemoryError:
        raise ArchiveError("more memory is needed than there is") from None
    seal = arrays.pop(DIGEST, None)
    if seal is None and sealed:
        raise ArchiveError("it carries no digest")
    if seal is not None and keep is None:
        if seal.dtype != np.uint8 or seal.tobytes().hex() != _seal(packed):
            raise ArchiveError("its digest does not agree with its contents")
    return arrays


def read_array(path: str | os.PathLike) -> np.ndarray:
    """Read the one array of a .npy file; ArchiveError where it is no whole array of numbers."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check path and permissions"
        ) from None
    return _array("the file", data)


def _reason(error: Exception) -> str:
    """Return an error's words on one line, 200 characters at most."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _members(
    archive: zipfile.ZipFile, size: int, keep: Callable[[str], bool] | None
) -> dict[str, bytes]:
    """Unpack the members, none of them before all sizes are known to be sane."""
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise ArchiveError(f"{len(infos)} members, at most {MAX_MEMBERS}")
    wanted: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        shown = info.filename[:80]
        if not info.filename.endswith(".npy"):
            raise ArchiveError(f"its member {shown!r} is no array")
        name = info.filename.removesuffix(".npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"its member {shown!r} is packed in an unknown way")
        if info.flag_bits & 1:
            raise ArchiveError(f"its member {shown!r} is encrypted")
        if name in wanted:
            raise ArchiveError(f"two members are called {shown!r}")
        if keep is None or keep(name):
            wanted[name] = info
    total = sum(info.file_size for info in wanted.values())
    most = min(MAX_BYTES, FREE + MAX_RATIO * size)
    if total > most:
        raise ArchiveError(f"its arrays take {total} bytes unpacked, at most {most} are read")
    out = {}
    for name, info in wanted.items():
        with archive.open(info) as member:
            out[name] = member.read(info.file_size + 1)
        if len(out[name]) != info.file_size:
            raise ArchiveError(f"its member {info.filename[:80]!r} is cut off")
    return out


def _array(name: str, data: bytes) -> np.ndarray:
    """Return the array of a member; its header is read here, so that nothing of it is believed."""
    fault = ArchiveError(f"its member {name[:80]!r} is no whole array of numbers")
    if data[:6] != b"\x93NUMPY" or len(data) < 12 or data[6] not in (1, 2, 3):
        raise fault
    width = 2 if data[6] == 1 else 4
    start = 8 + width
    length = int.from_bytes(data[8:start], "little")
    if length > MAX_HEADER or start + length > len(data):
        raise fault
    try:
        header = ast.literal_eval(data[start : start + length].decode("latin1").strip())
        order, shape, text = header["fortran_order"], header["shape"], header["descr"]
        if not isinstance(text, str) or text[:1] not in "<>|=" or not isinstance(order, bool):
            raise fault
        dtype = np.dtype(text)
        sides = all(type(side) is int and side >= 0 for side in shape)
        if not sides or not isinstance(shape, tuple) or len(shape) > 32:
            raise fault
        taken = math.prod(shape) * dtype.itemsize
        if dtype.char not in KINDS or taken != len(data) - start - length:
            raise fault
        array = np.frombuffer(data, dtype, offset=start + length)
        array = array.reshape(shape, order="F" if order else "C")
    except (
        SyntaxError,
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
        MemoryError,
        AttributeError,
        OverflowError,
    ):
        raise fault from None
    return array.astype(dtype.newbyteorder("="))
