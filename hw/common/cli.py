"""What all command lines have in common: how they end.

``main(argv=None) -> int`` of a command is wrapped by ``command``: a user's mistake is one message
and status 1, wrong usage 2 (argparse), an interrupt 130, termination 143, and a reader that closed
the pipe ends the command quietly. A full disk is one message too, under its output as anywhere
else. Warnings are lines that begin so. Any other exception is a defect, with its traceback.
"""

import contextlib
import errno
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
            _open_streams()
            _encodable()
            with _signals(), _warnings():
                try:
                    try:
                        status = main(argv)
                    except SystemExit:  # argparse, which has printed help or what is wrong
                        sys.stdout.flush()
                        _hush()
                        raise
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
                except OSError as error:
                    text = _place_error(error)
                    if text is None:
                        raise
                    return _end(1, f"{SpikeloomError.label}: {text}")

        return wrapped

    return decorate


def prog(module: str) -> str:
    """Return the name of the command of ``module`` as the user typed it, for its usage and help.

    That is ``python -m sw.train``, or ``spikeloom train`` where that command runs it.
    """
    called = sys.argv[0] if sys.argv else ""
    by_name = called.removeprefix("python -m ").startswith("spikeloom ")
    return called if by_name else f"python -m {module}"


def _end(status: int, text: str) -> int:
    """Say how a command ends, where anybody reads it, and return its exit status."""
    for stream, words in ((sys.stdout, ""), (sys.stderr, f"{text}\n")):
        try:
            stream.write(words)
            stream.flush()
        except OSError:  # nobody reads, or no room: nothing more can be said there
            _hush()
    return status


def _place_error(error: OSError) -> str | None:
    """Return one sentence about a place that cannot be written; None for other errors."""
    try:
        sys.stdout.flush()
    except OSError as lost:
        _hush()
        return f"the output cannot be written ({lost.strerror}); redirect it to another place"
    if error.errno == errno.ENOENT and "temporary directory" in str(error):
        return "no folder for temporary files can be written; let TMPDIR name one that can"
    if error.errno == errno.ENOENT and error.filename is None and _folder_is_gone():
        return "the current folder is not there any more; change to one that is"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        place = error.filename if isinstance(error.filename, str) else "the output, or a file,"
        return f"{place} cannot be written ({error.strerror}); free space, or choose another place"
    return None


def _folder_is_gone() -> bool:
    """Return whether the current folder has been deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _open_streams() -> None:
    """Let a standard stream that is closed lead nowhere, so that no file takes its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))


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
    """Show a character that the terminal's encoding lacks escaped instead of failing."""
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
def _signals() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated`` where nobody else handles it, and SIGINT as usual."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of our start, see spikeloom
        signal.signal(signal.SIGINT, signal.default_int_handler)
    ours = main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
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
