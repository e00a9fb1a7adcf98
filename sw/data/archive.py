"""Archives, read with a bound on everything that they claim; nothing is taken on trust."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from hw.common.errors import SpikeloomError

CHUNK = 1 << 20
SLACK = 16 << 20  #: Bytes of headers and of members that nobody asked for.
RATIO = 30  #: An archive may unpack to this many times its size, and `UNPACK_SLACK`.
UNPACK_SLACK = 1 << 30
MEMBERS = 200_000
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


def _damaged(path: Path, what: object) -> SpikeloomError:
    """Return the error of an archive that is not as it was published."""
    return SpikeloomError(
        f"{path}: damaged archive ({what}), wanted it as published; delete it and fetch it again"
    )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong while an archive is read is a SpikeloomError that names it."""
    try:
        yield
    except DAMAGE as error:
        raise _damaged(path, error or type(error).__name__) from error
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check the permissions"
        ) from error


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than ``limit`` bytes."""

    def __init__(self, file: IO[bytes], limit: int):
        self.file, self.left = file, limit

    def read(self, size: int = -1) -> bytes:
        # One byte more than is left tells an end from an excess, whatever was asked for.
        got = self.file.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(got)
        if self.left < 0:
            raise ValueError("it unpacks to more than it should hold")
        return got


def read_members(path: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Return the contents of members of a .tar.gz by name; other members are passed over.

    Parameters
    ----------
    path : Path
        The archive.
    wanted : mapping
        Name to size in bytes. Each must be there, a plain file of just that size.
    """
    found: dict[str, bytes] = {}
    with (
        _reading(path),
        gzip.open(path) as plain,
        tarfile.open(
            fileobj=_Limited(plain, sum(wanted.values()) + SLACK),  # pyright: ignore
            mode="r|",
        ) as tar,
    ):
        for member in tar:
            if member.name not in wanted or member.name in found:
                continue
            size = wanted[member.name]
            if not member.isreg() or member.issparse() or member.size != size:
                kind = "file" if member.isreg() else "link or folder"
                raise ValueError(
                    f"{member.name} is a {kind} of {member.size} bytes, wanted a file of {size}"
                )
            file = tar.extractfile(member)
            data = file.read() if file else b""
            if len(data) != size:
                raise ValueError(f"{member.name} ends after {len(data)} of {size} bytes")
            found[member.name] = data
            if len(found) == len(wanted):
                break
    if missing := [name for name in wanted if name not in found]:
        raise _damaged(path, f"{missing[0]} is not in it")
    return found


def read_zip_members(path: Path, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Return the contents of members of a .zip by name and size, as `read_members` does."""
    found: dict[str, bytes] = {}
    with _reading(path), zipfile.ZipFile(path) as archive:
        for name, size in wanted.items():
            try:
                info = archive.getinfo(name)
            except KeyError:
                raise ValueError(f"{name} is not in it") from None
            if info.file_size != size:
                raise ValueError(f"{name} has {info.file_size} bytes, wanted {size}")
            with archive.open(info) as file:
                found[name] = file.read(size + 1)
            if len(found[name]) != size:
                raise ValueError(f"{name} does not unpack to the {size} bytes that it tells")
    return found


def _target(name: str, into: Path) -> Path:
    """Return where a member goes; what would leave ``into`` is refused."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise ValueError(f"member {name!r} would be written outside its folder")
    return into.joinpath(*parts)


def _zip_members(path: Path) -> Iterator[tuple[str, bool, IO[bytes] | None]]:
    """Yield name, whether it is a folder, and open file of each member of a .zip."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            if info.is_dir():
                yield info.filename, True, None
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise ValueError(f"member {info.filename!r} is no plain file")
            else:
                with archive.open(info) as file:
                    yield info.filename, False, file


def _tar_members(path: Path, limit: int) -> Iterator[tuple[str, bool, IO[bytes] | None]]:
    """Yield the same of a .tar.gz that unpacks to at most ``limit`` bytes."""
    with (
        gzip.open(path) as plain,
        tarfile.open(fileobj=_Limited(plain, limit), mode="r|") as tar,  # pyright: ignore
    ):
        for member in tar:
            if member.isdir():
                yield member.name, True, None
            elif not member.isreg() or member.issparse():
                raise ValueError(f"member {member.name!r} is no plain file")
            else:
                yield member.name, False, tar.extractfile(member)


def unpack(path: Path, into: Path) -> None:
    """Unpack a .zip or .tar.gz into the folder ``into``, made anew; archives inside stay packed.

    Refuses links, special files, names that leave ``into``, and contents far larger than the
    archive; then nothing of it is left.
    """
    try:
        limit = left = RATIO * path.stat().st_size + UNPACK_SLACK
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        members = _zip_members(path) if path.suffix == ".zip" else _tar_members(path, limit)
        for i, (name, is_folder, file) in enumerate(members):
            if i >= MEMBERS:
                raise ValueError(f"it has more than {MEMBERS} members")
            target = _target(name, into)
            if is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as out:
                while file and (chunk := file.read(CHUNK)):
                    left -= len(chunk)
                    if left < 0:
                        raise ValueError(f"it unpacks to more than {limit} bytes")
                    out.write(chunk)
    except BaseException as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            raise _damaged(path, f"two members have the name {error.filename}") from error
        if isinstance(error, DAMAGE):
            raise _damaged(path, error or type(error).__name__) from error
        if isinstance(error, OSError):
            raise SpikeloomError(
                f"{path}: cannot be unpacked into {into} ({error.strerror or error}); free space "
                "there and run the same command again"
            ) from error
        raise


def place(source: Path, into: Path) -> None:
    """Move each entry of the folder ``source`` into ``into``, over what is there."""
    for entry in sorted(source.iterdir()):
        target = into / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(entry, target)
    source.rmdir()
