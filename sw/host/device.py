"""A Spikeloom core at the other end of a byte transport."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.arch.link import BAUD, RATES, Identity, State
from hw.arch.memmap import MOST_WORDS, Mem, load_addr
from hw.common.errors import SpikeloomError
from sw.host.exchange import Transport
from sw.host.link import Link
from sw.images import as_frames

OTHER_CYCLES = "the device took"  #: How the warning of an inference begins.
PATIENCE = 1.0  #: Seconds that a run may take more than twice its forecast.


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one inference gave."""

    logits: np.ndarray  #: (classes,), int64.
    scale: float  #: Float logit = integer logit * scale.
    cycles: int  #: Busy cycles of the core.
    forecast: int  #: Those that such a run takes; with others the logits are not to be trusted.
    seconds: float  #: These cycles at the device's clock.

    @property
    def prediction(self) -> int:
        """The most likely class."""
        return int(np.argmax(self.logits))


class Device:
    """A Spikeloom core behind a link.

    What is damaged or lost on the line is sent again (`Link`); where that does not help, and where
    the device refuses a request, SpikeloomError.

    Parameters
    ----------
    transport : Transport
        Where the device is, at ``hw.arch.link.BAUD``; see ``open_port``.
    most : int
        Baud rate that is not to be exceeded.
    """

    def __init__(self, transport: Transport, most: int = max(RATES)):
        self.most = most
        self._link = Link(transport)
        self._opened = False

    @property
    def link(self) -> Link:
        """The session with the device, which the first use opens."""
        if not self._opened:
            self._link.open()
            self._link.negotiate(self.most)
            self._opened = True
        return self._link

    @property
    def identity(self) -> Identity:
        """What the device is."""
        return self.link.identity

    def write(self, stream: np.ndarray, progress: Callable[[int], Any] | None = None) -> None:
        """Do load port writes, uint32 [n, 2] of (address, data), in order.

        ``progress`` is called with the number of words of each frame.
        """
        for addr, words in bursts(stream):
            self.link.write(addr, words, progress)
        self.link.flush()

    def check(self, program: Any) -> None:
        """Refuse a program that was compiled for another core; SpikeloomError."""
        if program.digest != self.identity.digest:
            mine, its = program.config.as_dict(), self.identity.config.as_dict()
            other = [f"{k} {mine[k]} (device {its[k]})" for k in its if mine[k] != its[k]]
            raise SpikeloomError(
                f"program {program.name!r} has digest {program.digest:#010x}, the device "
                f"{self.identity.digest:#010x}: "
                + (", ".join(other) or "another instruction set")
                + "; compile the network for the device's configuration"
            )

    def load(self, program: Any, progress: Callable[[int], Any] | None = None) -> None:
        """Write program and weights of a ``sw.compiler.Program``."""
        self.check(program)
        self.write(program.load_stream(), progress)

    def restart(self) -> None:
        """Begin a new stream: the next run takes membranes in memory as 0. So does `load`."""
        self.write(np.array([[load_addr(Mem.CTRL, 0), 0]], np.uint32))

    def status(self) -> State:
        """Return what the core does."""
        return self.link.status()

    def read(self, addr: int, n_words: int) -> np.ndarray:
        """Return pixel memory words from ``addr``, int64."""
        return _signed(self.link.read(load_addr(Mem.PIX, addr), n_words))

    def infer(self, program: Any, image: np.ndarray) -> Answer:
        """Run one image on the program, which the device must hold; see `load`.

        Of a stream program the image is the next step, and the logits are those of the step.
        A warning is given where the cycles are not the forecast's.
        """
        self.check(program)
        *steps, channels, height, width = program.input_shape
        (frame,) = as_frames(
            image[None] if isinstance(image, np.ndarray) else [image],
            channels=channels,
            steps=program.steps,
            size=(height, width),
            per_step=bool(steps),
        )
        for addr, words in bursts(program.image_stream(frame)):
            self.link.write(addr, words)
        most = 2 * program.first_cycles
        self.link.start(most)
        state, words = self.link.result(
            load_addr(Mem.PIX, program.logits_base),
            program.classes,
            most / self.identity.clock + PATIENCE,
        )
        if not state.done:
            raise SpikeloomError(
                f"the device has run for {state.cycles} cycles and is not done; the forecast of "
                f"{program.name!r} is {program.cycles}: load the program again"
            )
        cycles = state.cycles
        loads = cycles == program.first_cycles  # its table, as the first run after a load does
        forecast = program.first_cycles if loads else program.cycles
        if cycles != forecast:
            warnings.warn(
                f"{OTHER_CYCLES} {cycles} cycles, the forecast of {program.name!r} is "
                f"{program.cycles}: it holds another program or a damaged one, and the logits are "
                "not to be trusted; load the program again, and where that does not help, program "
                "the device anew",
                stacklevel=2,
            )
        return Answer(
            logits=_signed(words),
            scale=program.logits_scale,
            cycles=cycles,
            forecast=forecast,
            seconds=cycles / self.identity.clock,
        )


def bursts(stream: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Split load port writes, uint32 [n, 2], where addresses are not one bank's next words.

    Yields the first address of each part and its words, uint32.
    """
    stream = np.asarray(stream, np.uint32)
    if not len(stream):
        return
    addr = stream[:, 0].astype(np.int64)
    cuts = np.flatnonzero((np.diff(addr) != 1) | (addr[1:] % MOST_WORDS == 0)) + 1
    for part in np.split(stream, cuts):
        yield int(part[0, 0]), part[:, 1]


def _signed(words: np.ndarray) -> np.ndarray:
    return words.astype(np.int32).astype(np.int64)


def open_port(port: str, most: int = max(RATES)) -> Device:
    """Return the device on a serial port; SpikeloomError if there is none or no pyserial.

    ``most`` is the baud rate that is not to be exceeded.
    """
    try:
        import serial
        from serial.tools import list_ports
    except ModuleNotFoundError:
        raise SpikeloomError(
            "pyserial is not installed, and a serial port needs it: pip install pyserial"
        ) from None
    try:
        line = serial.Serial(port, BAUD, write_timeout=10)
    except (serial.SerialException, OSError, ValueError) as e:
        found = ", ".join(sorted(p.device for p in list_ports.comports())) or "none"
        raise SpikeloomError(
            f"cannot open serial port {port!r}: {e}; ports of this machine: {found}"
        ) from None
    line.reset_input_buffer()
    return Device(SerialPort(line, port), most)


class SerialPort:
    """A pyserial port as a Transport, whose failures are SpikeloomErrors."""

    def __init__(self, line: Any, name: str):
        self.line, self.name = line, name

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        self._do(lambda: self.line.write(data))

    def read(self, wait: float) -> bytes:
        """Return what has come, b"" after ``wait`` seconds of silence."""
        return self._do(lambda: self._read(wait))

    def set_baud(self, baud: int) -> None:
        """Change the rate, when what was written has left."""
        self._do(lambda: self._set_baud(baud))

    def _read(self, wait: float) -> bytes:
        self.line.timeout = wait
        first = self.line.read(1)
        return first + self.line.read(self.line.in_waiting) if first else first

    def _set_baud(self, baud: int) -> None:
        if baud != self.line.baudrate:
            self.line.flush()
            self.line.baudrate = baud

    def _do(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as e:  # serial.SerialException is one
            raise SpikeloomError(
                f"serial port {self.name!r} failed: {e}; is the board still connected?"
            ) from None
