"""One file over HTTP: resumed where a run ended, checked, and only then given its name."""

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from sw.data.catalogue import File
from sw.data.store import disk_errors, file_digest, put

TIMEOUT = 20.0  #: Seconds without a byte.
TRIES = 4  #: Of a connection that breaks after some bytes.
PAUSE = 1.0  #: Seconds before the next of them.
CHUNK = 1 << 18
LARGEST = 32 << 30  #: Bytes of a file of unpublished size.

#: Called with the name of the file, its bytes so far and all of its bytes (0 if not known).
Progress = Callable[[str, int, int], None]


class Unreachable(Exception):
    """An address does not give the file; another may."""


class _Broken(Unreachable):
    """The connection broke on the way."""


def _write(file: IO[bytes], data: bytes) -> None:
    """Write all of ``data``, however little a write takes."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _length(part: Path) -> int:
    """Return the bytes that have arrived of a file."""
    return part.stat().st_size if part.exists() else 0


def _open(url: str, start: int) -> Any:
    """Open ``url`` from byte ``start`` on."""
    headers = {"User-Agent": "spikeloom", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)


def _why(error: Exception) -> str:
    """Return why an address did not answer, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def _receive(url: str, part: Path, file: File, report: Callable[[int, int], None]) -> None:
    """Append to ``part`` what is missing of it, or begin anew where the server cannot go on."""
    start = _length(part)
    try:
        reply = _open(url, start)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:  # no bytes past the end: not the file that was begun
            with disk_errors(part):
                part.unlink()
            return _receive(url, part, file, report)
        raise Unreachable(_why(error)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(_why(error)) from error
    with reply:
        if reply.status not in (200, 206):
            raise Unreachable(f"HTTP status {reply.status}")
        if reply.status == 206:
            begins = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
            if not begins or int(begins[1]) != start:
                raise Unreachable("another range than the one asked for")
        else:
            start = 0
        length = reply.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else file.size
        if file.size and total != file.size:
            raise Unreachable(f"{total} bytes, wanted {file.size}")
        limit = total or LARGEST
        if limit > LARGEST:
            raise Unreachable(f"{total} bytes, wanted at most {LARGEST}")
        with disk_errors(part):
            out = open(part, "ab" if start else "wb", buffering=0)
        with out:
            done = start
            report(done, total)
            while True:
                try:
                    data = reply.read(CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise _Broken(f"{_why(error)} after {done} bytes") from error
                if not data:
                    break
                done += len(data)
                if done > limit:
                    raise Unreachable(f"more than {limit} bytes")
                with disk_errors(part):
                    _write(out, data)
                report(done, total)
    if total and done < total:
        raise _Broken(f"ended after {done} of {total} bytes")


def _receive_all(url: str, part: Path, file: File, report: Callable[[int, int], None]) -> None:
    """`_receive`, going on after a broken connection as long as bytes arrive."""
    for left in range(TRIES - 1, -1, -1):
        before = _length(part)
        try:
            return _receive(url, part, file, report)
        except _Broken:
            if not left or _length(part) <= before:
                raise
            time.sleep(PAUSE)


def download(url: str, file: File, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch ``url`` as ``folder / file.name``.

    What has arrived waits in NAME.part, which the next call goes on with, from any address. The
    file gets its name when size and checksum are right.

    Raises
    ------
    Unreachable
        This address does not give it; .part is kept, unless its checksum is wrong.
    SpikeloomError
        The disk refuses.
    """
    path = folder / file.name
    part = folder / f"{file.name}.part"

    def report(done: int, total: int) -> None:
        if progress:
            progress(file.name, done, total)

    if file.size and _length(part) > file.size:
        with disk_errors(part):
            part.unlink()
    while True:
        resumed = _length(part)
        if not (file.size and resumed == file.size):
            _receive_all(url, part, file, report)
        found = file_digest(part, file.digest)
        if found == file.digest:
            break
        with disk_errors(part):
            part.unlink()
        if not resumed:  # else: once more, from the first byte
            raise Unreachable(f"checksum {found[:32]}, wanted {file.digest[:32]}")
    put(part, path)
    return path
