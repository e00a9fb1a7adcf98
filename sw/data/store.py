"""Where data files lie, and writing them so that a name stands for a whole file."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from hw.common import files
from hw.common.errors import SpikeloomError

CHUNK = 1 << 20
CURE = (
    "free space there or set SPIKELOOM_CACHE to another folder, then run the same command again, "
    "which goes on from what has arrived"
)
ALGORITHMS = {32: "md5", 128: "sha512"}  #: By hexadecimal digits of the digest.


def cache_folder() -> Path:
    """Return where fetched data lie, one folder for each data set.

    ``$SPIKELOOM_CACHE/data``, else ``$XDG_CACHE_HOME/spikeloom/data``, else
    ``~/.cache/spikeloom/data``: one that is there may be read only. Where no home can be written,
    `hw.common.files.cache_folder` finds another place.
    """
    if home := os.environ.get("SPIKELOOM_CACHE"):
        return Path(home).absolute() / "data"
    with contextlib.suppress(RuntimeError, OSError):  # no home
        xdg = os.environ.get("XDG_CACHE_HOME")
        base = Path(xdg) if xdg else Path.home() / ".cache"
        known = (base / "spikeloom" / "data").absolute()
        if known.is_dir():
            return known
    return files.cache_folder("data")


def _hash(digest: str):
    """Return a new hash of the algorithm that a digest's length tells."""
    return hashlib.new(ALGORITHMS[len(digest)], usedforsecurity=False)


def digest_of(data: bytes, like: str) -> str:
    """Return the hexadecimal digest of ``data`` by the algorithm of ``like``."""
    found = _hash(like)
    found.update(data)
    return found.hexdigest()


def file_digest(path: Path, like: str) -> str:
    """Return the hexadecimal digest of a file by the algorithm of ``like``."""
    found = _hash(like)
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                found.update(chunk)
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check the permissions"
        ) from error
    return found.hexdigest()


def disk_errors(path: Path) -> contextlib.AbstractContextManager[None]:
    """Return a context that tells a full or read-only disk in one sentence."""
    return files.disk_errors(path, CURE)


def put(part: Path, path: Path) -> None:
    """Give the whole, checked file ``part`` its final name."""
    with disk_errors(path):
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)


def write(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    files.write(path, data, CURE)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make ``folder``, and be the only one to write there."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    busy = f"{folder}: another fetch is writing here; wait for it to end"
    with files.locked(folder / ".lock", busy):
        yield
