"""What all command lines have in common: how they end.

``main(argv=None) -> int`` of a command is wrapped by ``command``: a user's mistake is one message
and status 1, wrong usage 2 (argparse), an interrupt 130, termination 143, and a reader that closed
the pipe ends the command quietly. Warnings are lines that begin so. Any other exception is a
defect, with its traceback.
"""

import contextlib
import functools
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

from hw.common.errors import SpikeloomError

Main = Callable[..., int]
INTERRUPTED, TERMINATED, CLOSED = 130, 143, 141


class Terminated(BaseException):
    """SIGTERM arrived; unwinds like an interrupt, so that nothing half-done stays."""


def command(interrupted: str = "interrupted") -> Callable[[Main], Main]:
    """Return the decorator of a command's ``main``; ``interrupted`` is said after an interrupt."""

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def wrapped(argv=None) -> int:
            _encodable()
            with _sigterm(), _warnings():
                try:
                    status = main(argv)
                    sys.stdout.flush()
                    return status
                except SpikeloomError as error:
                    return _end(1, f"{error.label}: {error}")
                except KeyboardInterrupt:
                    return _end(INTERRUPTED, interrupted)
                except Terminated:
                    return _end(TERMINATED, interrupted.replace("interrupted", "terminated", 1))
                except BrokenPipeError:
                    _hush()
                    return CLOSED

        return wrapped

    return decorate


def _end(status: int, text: str) -> int:
    try:
        sys.stdout.flush()
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        _hush()
    return status


def _hush() -> None:
    """Let the interpreter's last flush go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                os.dup2(nowhere, stream.fileno())


def _encodable() -> None:
    """Where the terminal's encoding lacks a character, show it escaped instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _warnings() -> Iterator[None]:
    """Tell our warnings as lines of the command, each once; others as Python does."""
    told: set[str] = set()
    plain = warnings.showwarning

    def show(message, category, filename, lineno, file=None, line=None):
        if category is not UserWarning or file is not None:
            plain(message, category, filename, lineno, file, line)
        elif str(message) not in told:
            told.add(str(message))
            with contextlib.suppress(OSError, ValueError):
                print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def _sigterm() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated`` where nobody else handles it."""
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not ours:
        yield
        return

    def handle(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
