"""A serial port of this machine with a running board at its other end."""

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Any, Self

from hw.arch import link
from hw.common.errors import SpikeloomError
from sim.board.running import RunningBoard

BREATH = 0.03  #: Seconds of silence from a board that works; a host waits `sw.host`'s SILENCE.
_PIECE = 1 << 10  #: Bytes that are read at a time.


class Terminal:
    """A pseudo terminal whose slave is a serial port, ``port``, for any program that opens one.

    The board hears and says bytes at the rate that the port was set to.

    A simulated board is slower than one, which a host would take for silence. So while it works
    and no frame of it is on the line, an END comes every BREATH seconds: an empty frame, which
    says nothing.

    Parameters
    ----------
    board : RunningBoard
    there, back : callable
        What becomes of bytes to the board and from it; see `sim.line.Faults`.
    """

    def __init__(
        self,
        board: RunningBoard,
        there: Callable[[bytes], bytes] = bytes,
        back: Callable[[bytes], bytes] = bytes,
    ):
        try:
            import termios
            import tty
        except ModuleNotFoundError:
            raise SpikeloomError(
                "this system has no pseudo terminals, which the simulated board's serial port is; "
                "use Linux, or WSL"
            ) from None
        self._termios: Any = termios
        self.board, self.there, self.back = board, there, back
        self._master, self._slave = os.openpty()  # the slave stays open when hosts come and go
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._stop = os.pipe()
        self._open = [self._master, self._slave, *self._stop]
        self._rates = {
            getattr(termios, name): int(name[1:])
            for name in dir(termios)
            if name[0] == "B" and name[1:].isdecimal() and int(name[1:])
        }
        self._framed = False  # a frame of the board has begun on the line

    def serve(self) -> None:
        """Carry bytes until `stop`, or for ever; SpikeloomError where the simulator ends."""
        try:
            self._serve()
        except EOFError:
            raise SpikeloomError("the simulator has ended; start the board again") from None

    def _serve(self) -> None:
        said, inputs = time.monotonic(), [self._master, self.board.output, self._stop[0]]
        while True:
            ready, _, _ = select.select(inputs, [], [], None if self.board.rests else BREATH)
            if self._stop[0] in ready:
                return
            if self._master in ready:
                self._hear()
            out = b""
            if self.board.output in ready:
                out = self.back(self._read())
            elif not self.board.rests and not self._framed and time.monotonic() - said > BREATH:
                out = bytes([link.END])
            if out:
                said = time.monotonic()
                with contextlib.suppress(BlockingIOError):  # nobody reads: as on any serial line
                    os.write(self._master, out)

    def stop(self) -> None:
        """Let `serve` return; from another thread."""
        os.write(self._stop[1], b".")

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, _PIECE)
            speed = self._termios.tcgetattr(self._slave)[5]
            self.board.set_baud(self._rates.get(speed, link.BAUD))
            self.board.send(self.there(data))

    def _read(self) -> bytes:
        data = self.board.read()
        self._framed = not self.board.rests and self._framed ^ (data.count(link.END) % 2 == 1)
        return data

    def close(self) -> None:
        """Take the port away, as pulling a cable does; `serve` must have returned."""
        while self._open:
            os.close(self._open.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
