"""Where data files lie, and writing them so that a name stands for a whole file."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from hw.common.errors import SpikeloomError

CHUNK = 1 << 20
ALGORITHMS = {32: "md5", 128: "sha512"}  #: By hexadecimal digits of the digest.


def cache_folder() -> Path:
    """Where fetched data lie, one folder per data set; not created here.

    ``$SPIKELOOM_CACHE/data``, else ``$XDG_CACHE_HOME/spikeloom/data``, else
    ``~/.cache/spikeloom/data``.
    """
    home = os.environ.get("SPIKELOOM_CACHE")
    if not home:
        xdg = os.environ.get("XDG_CACHE_HOME")
        home = Path(xdg) / "spikeloom" if xdg else Path.home() / ".cache" / "spikeloom"
    return Path(home).absolute() / "data"


def _hash(digest: str):
    return hashlib.new(ALGORITHMS[len(digest)], usedforsecurity=False)


def digest_of(data: bytes, like: str) -> str:
    """Hexadecimal digest of ``data`` by the algorithm of ``like``."""
    found = _hash(like)
    found.update(data)
    return found.hexdigest()


def file_digest(path: Path, like: str) -> str:
    """Hexadecimal digest of a file by the algorithm of ``like``."""
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


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Tell a full or read-only disk in one sentence."""
    try:
        yield
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be written ({error.strerror or error}); free space there or set "
            "SPIKELOOM_CACHE to another folder, then run the same command again, which goes on "
            "from what has arrived"
        ) from error


def put(part: Path, path: Path) -> None:
    """Give the whole, checked file ``part`` its final name."""
    with disk_errors(path):
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)


def write(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    part = path.with_name(path.name + ".part")
    with disk_errors(path):
        try:
            part.write_bytes(data)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    put(part, path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make ``folder``, and be the only one to write there."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w", encoding="utf-8")
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # no such locks on this system
        except BlockingIOError:
            raise SpikeloomError(
                f"{folder}: another fetch is writing here; wait for it to end"
            ) from None
        yield
