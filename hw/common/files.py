"""Files that appear under their name whole or not at all, locks, digests, caches, JSON."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError

CURE = "free space there, or choose another place"
MAX_JSON = 16 << 20  #: Bytes of a JSON file that is read.
MAX_NAME = 100  #: Characters of a name that becomes part of a path.


@contextlib.contextmanager
def disk_errors(path: Path, cure: str = CURE) -> Iterator[None]:
    """Tell a full, read-only or missing place on the disk in one sentence.

    ``path`` is named where the system's error names none that a user knows.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        named = error.filename if isinstance(error.filename, str) else None
        place = path if named is None or _is_part(named) else named
        raise SpikeloomError(f"{place}: cannot be written ({error.strerror}); {cure}") from error


def _is_part(name: str) -> bool:
    """Return whether a file is the unfinished part of another."""
    return Path(name).name.endswith(".part")


@contextlib.contextmanager
def whole(path: str | os.PathLike, cure: str = CURE) -> Iterator[Path]:
    """Give a path to write to; when the block ends well the file gets its name, else it is gone.

    Folders are made. A link stays one, and what it points to is replaced; what is no regular file
    (a pipe, a device) is written to. SpikeloomError where the disk does not let us.
    """
    path = Path(path)
    with disk_errors(path, cure):
        target = Path(os.path.realpath(path))
        special = _special(path)
        if path.is_dir():
            raise IsADirectoryError(21, "is a folder", str(path))
        if special:
            folder = Path(tempfile.gettempdir())
        else:
            folder = target.parent
            folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{secrets.token_hex(8)}.part"
        try:
            yield part
            if special:
                with open(part, "rb") as source, open(path, "wb") as sink:
                    shutil.copyfileobj(source, sink)
            else:
                with open(part, "rb+") as file:
                    os.fsync(file.fileno())
                os.replace(part, target)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _special(path: Path) -> bool:
    """Return whether something is there that no file can take the place of."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write(path: str | os.PathLike, content: bytes | str, cure: str = CURE) -> Path:
    """Write a file whole or not at all; a text as UTF-8 with plain line ends."""
    data = content.encode() if isinstance(content, str) else content
    with whole(path, cure) as part:
        part.write_bytes(data)
    return Path(path)


def write_json(path: str | os.PathLike, value: Any, cure: str = CURE) -> Path:
    """Write JSON with a final line end, whole or not at all."""
    return write(path, json.dumps(value, indent=1) + "\n", cure)


def read_json(path: str | os.PathLike, cure: str = "mend or remove it") -> Any:
    """Read a JSON file of UTF-8, with a byte order mark or without.

    SpikeloomError where it is not there, too large, nested too deep or no JSON.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_JSON:
            raise ValueError(f"{size} bytes, at most {MAX_JSON}")
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SpikeloomError(f"{path}: cannot be read ({error.strerror}); {cure}") from None
    except RecursionError:
        raise SpikeloomError(f"{path}: not readable as JSON (nested too deep); {cure}") from None
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise SpikeloomError(f"{path}: not readable as JSON ({reason}); {cure}") from None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*parts: bytes | str) -> str:
    """Return the SHA-256 of texts and bytes, each with its length before it, hexadecimal."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()


def plain_name(text: object) -> str:
    """Return ``text`` as one part of a path: letters, digits and ``._+-`` of it, never empty.

    Names come from strangers' files; this is what may stand in a file name of ours.
    """
    known = unicodedata.normalize("NFKC", str(text))[: 4 * MAX_NAME]
    safe = re.sub(r"[^\w.+-]+", "-", known).strip(".-_ ")[:MAX_NAME].rstrip(".-_ ")
    return safe or "network"


@contextlib.contextmanager
def locked(path: Path, busy: str | None = None, cure: str = CURE) -> Iterator[None]:
    """Hold an advisory lock on the file ``path``, which is made.

    ``busy`` is the sentence of the SpikeloomError where another process holds it; without it,
    wait. Where the system has no such locks there is none.
    """
    with disk_errors(path, cure):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w", encoding="utf-8")
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except ImportError:
            pass
        except BlockingIOError:
            raise SpikeloomError(busy) from None
        except OSError:
            pass  # a file system without locks
        yield


def cache_folder(kind: str) -> Path:
    """Return the folder of cached things of one kind, which is made and can be written.

    ``$SPIKELOOM_CACHE/KIND``, else ``$XDG_CACHE_HOME/spikeloom/KIND``, else
    ``~/.cache/spikeloom/KIND``, else, where there is no home or none to write to, a folder of this
    user in the system's temporary one. Deleting it is always safe. SpikeloomError where the one
    that ``SPIKELOOM_CACHE`` names cannot be written.
    """
    given = os.environ.get("SPIKELOOM_CACHE")
    if given:
        folder = Path(given).absolute() / kind
        problem = _unwritable(folder)
        if problem:
            raise SpikeloomError(
                f"cannot write to the cache folder {folder}: {problem}; set SPIKELOOM_CACHE to a "
                "writable folder"
            )
        return folder
    places = []
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        places.append(Path(xdg) / "spikeloom")
    with contextlib.suppress(RuntimeError, OSError):
        places.append(Path.home() / ".cache" / "spikeloom")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    places.append(Path(tempfile.gettempdir()) / f"spikeloom-{user}")
    problem = None
    for place in places:
        folder = place.absolute() / kind
        problem = _unwritable(folder)
        if problem is None:
            return folder
    raise SpikeloomError(
        f"no place for cached files can be written ({places[-1]}: {problem}); set SPIKELOOM_CACHE "
        "to a writable folder"
    )


def _unwritable(folder: Path) -> str | None:
    """Make a folder; return why it cannot be used, or None where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if hasattr(os, "getuid") and folder.parent.parent == Path(tempfile.gettempdir()):
            if folder.parent.stat().st_uid != os.getuid():
                return "belongs to another user"
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
