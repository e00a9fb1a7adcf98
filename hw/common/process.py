"""Outside programs, none of which outlives us.

On POSIX each runs in a process group of its own. If we end by an exception the group is killed; if
we are killed ourselves (SIGKILL) a guard does it: a tiny shell that knows the groups alive and
whose standard input, held by us alone, then ends.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_POSIX = os.name == "posix"
_GUARD = (
    'alive=" "; while read -r op group; do case $op in '
    '+) alive="$alive$group ";; '
    '-) case $alive in *" $group "*) alive="${alive%%" $group "*} ${alive#*" $group "}";; esac;; '
    'esac; done; for group in $alive; do kill -s KILL -- "-$group" 2>/dev/null; done'
)
_lock = threading.Lock()
_guard: tuple[int, IO[bytes]] | None = None  # the process that it guards, its input


def run(
    argv: Sequence[str | os.PathLike],
    *,
    cwd: str | os.PathLike | None = None,
    env: Mapping[str, str] | None = None,
    output: str | os.PathLike | None = None,
    result: str | os.PathLike | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without input; like ``subprocess.run`` with captured text.

    Parameters
    ----------
    output : file that takes both of its outputs (``stdout`` and ``stderr`` of the result are then
        empty); else both are captured, as UTF-8 with what is none replaced.
    result : file that takes its standard output, byte for byte; ``output`` then has the rest.
    timeout : seconds, after which its group is killed and ``subprocess.TimeoutExpired`` raised.

    OSError where it cannot be started.
    """
    with contextlib.ExitStack() as stack:
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if output is not None:
            sink = stack.enter_context(Path(output).open("wb"))
            streams = {"stdout": sink, "stderr": subprocess.STDOUT}
        if result is not None:
            rest = streams["stdout"] if output is not None else streams["stderr"]
            streams = {"stdout": stack.enter_context(Path(result).open("wb")), "stderr": rest}
        _tell("+", 0)  # first: a guard that starts after the program could come too late
        process: subprocess.Popen[Any] = subprocess.Popen(
            [os.fspath(a) for a in argv],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            start_new_session=_POSIX,
            **streams,
        )
        try:
            _tell("+", process.pid)
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            kill(process)
            raise
        finally:
            _tell("-", process.pid)
    text = [bytes(part or b"").decode(errors="replace") for part in (out, err)]
    return subprocess.CompletedProcess(process.args, process.returncode, *text)


def kill(process: subprocess.Popen) -> None:
    """Kill a process that ``start_new_session`` began, with all that it started."""
    with contextlib.suppress(OSError):
        if _POSIX:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _listening() -> IO[bytes] | None:
    """Return the input of our guard, which is started where there is none; None without a shell."""
    global _guard
    shell = shutil.which("sh") if _POSIX else None
    if shell is None:
        return None
    if _guard is None or _guard[0] != os.getpid():
        guard = subprocess.Popen(
            [shell, "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        assert guard.stdin is not None
        guard.returncode = 0  # it is not waited for: it ends after us
        _guard = os.getpid(), guard.stdin
    return _guard[1]


def _tell(op: str, group: int) -> None:
    """Tell the guard that a process group began or ended (group 0: only that it must be there)."""
    with _lock, contextlib.suppress(OSError):
        guard = _listening()
        if guard is not None and group:
            guard.write(f"{op} {group}\n".encode())
            guard.flush()
