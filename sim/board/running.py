"""A simulated board at work: bytes to and from its pins."""

import os
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from boards import Board
from hw.arch import link
from hw.common.process import kill
from hw.soc.uart import STEPS
from sim.board.compiled import compile_board
from sw.compiler import Program

_PERIOD, _BYTES, _REST = struct.Struct("<cI"), struct.Struct("<cH"), struct.Struct("<cI")
_MOST = 1 << 12  #: Bytes in a message.


class RunningBoard:
    """A board's top in a simulator, which holds ``program`` from the start.

    Bits come and go by the pins, in the length that `set_baud` said. Time passes for the board
    while it works, and while it rests as it does for everyone. EOFError where the simulator has
    ended.

    Parameters
    ----------
    board : Board
    program : sw.compiler.Program
        For the board's core.

    Members
    -------
    output : int
        File descriptor that can be read when `read` has something to say.
    rests : bool
        Whether nothing is to be done or said, as far as `read` has told.
    """

    def __init__(self, board: Board, program: Program):
        executable = compile_board(board)
        self.clock = board.core_clock
        self._folder = tempfile.TemporaryDirectory(prefix="spikeloom-board-")
        contents = Path(self._folder.name) / "contents"
        contents.write_bytes(program.load_stream().astype("<u4").tobytes())
        ticks = self.clock * link.TICK_MS // 1000
        outside = contents.with_name("outside")
        outside.write_bytes(program.outside.astype(">u4").tobytes())
        command = [executable, contents, str(self.clock), str(ticks), f"+outside={outside}"]
        self._process: Any = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=os.name == "posix",  # an interrupt is for us
        )
        self.output: int = self._process.stdout.fileno()
        self._messages, self._rested, self._rest, self._baud = 0, -1, b"", 0

    @property
    def rests(self) -> bool:
        return self._rested == self._messages

    def set_baud(self, baud: float) -> None:
        """Send and hear at this rate from now on; bytes that were sent keep theirs."""
        if baud != self._baud:
            self._baud = baud
            self._tell(_PERIOD.pack(b"b", round(STEPS * self.clock / baud)))

    def send(self, data: bytes) -> None:
        """Put bytes on the line."""
        for at in range(0, len(data), _MOST):
            part = data[at : at + _MOST]
            self._tell(_BYTES.pack(b"w", len(part)) + part)

    def read(self) -> bytes:
        """Return bytes that the board has sent; waits until there is something to say."""
        came = os.read(self.output, 1 << 12)
        if not came:
            raise EOFError
        data, out, at = self._rest + came, bytearray(), 0
        while at < len(data):
            size = 2 if data[at : at + 1] == b"d" else _REST.size
            if len(data) < at + size:
                break
            if size == 2:
                out.append(data[at + 1])
            else:
                self._rested = _REST.unpack_from(data, at)[1]
            at += size
        self._rest = data[at:]
        return bytes(out)

    def _tell(self, message: bytes) -> None:
        try:
            self._process.stdin.write(message)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EOFError from None
        self._messages += 1

    def close(self) -> None:
        """End the simulator."""
        kill(self._process)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
