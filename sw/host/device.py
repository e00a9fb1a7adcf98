"""A device at the other end of a byte transport."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hw.arch import link
from hw.arch.link import Command, Reason
from hw.arch.memmap import MOST_WORDS, Mem, load_addr
from hw.common.errors import SpikeloomError
from sw.images import as_frames

OTHER_CYCLES = "the device took"  #: How the warning of an inference begins.
RETRIES = 3  #: Times a request is said again before it is given up.
SILENCE = 0.5  #: Seconds without a byte after which a reply is taken for lost.
_REASONS: dict[int, str] = {
    Reason.UNKNOWN: "it does not know this command",
    Reason.LENGTH: "it does not take this length",
    Reason.BUSY: "its core is running",
}


class Transport(Protocol):
    """Bytes to and from a device; what pyserial's ``Serial`` does."""

    def write(self, data: bytes, /) -> Any:
        """Send all bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, fewer after a silence (``SILENCE``) only."""
        ...


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


class _Refused(SpikeloomError):
    def __init__(self, command: Command, reason: int):
        self.reason = reason
        super().__init__(
            f"the device refuses {command.name}: {_REASONS.get(reason, f'reason {reason}')}"
        )


class Device:
    """A Spikeloom core behind a link.

    Requests whose frame or reply is damaged or lost are repeated up to ``RETRIES`` times; then,
    and when the device refuses one, SpikeloomError.

    Parameters
    ----------
    transport : Transport
        Where the device is; see ``open_port``.
    """

    def __init__(self, transport: Transport):
        self.transport = transport
        self._tag = 0
        self._identity: link.Identity | None = None

    @property
    def identity(self) -> link.Identity:
        """What the device is; asked once."""
        if self._identity is None:
            self._identity = link.Identity.decode(self.request(Command.IDENTIFY))
        return self._identity

    def request(self, command: Command, payload: bytes = b"", *, once: bool = False) -> bytes:
        """Send a request and return the payload of its reply.

        With ``once`` it is not repeated where the device may have done it already.
        """
        fault, reply = "", None
        for attempt in range(RETRIES + 1):
            self._tag = (self._tag + 1) & 0xFF
            self.transport.write(link.frame(command, self._tag, payload))
            reply = self._reply()
            if isinstance(reply, str):
                fault = reply
                if once:
                    break
                continue
            code, data = reply
            if code == link.REPLY | command:
                return data
            reason = data[0] if code == link.NAK and data else 0
            if reason in (Reason.CRC, Reason.TIMEOUT):
                fault = f"the device received a damaged frame ({Reason(reason).name})"
            elif reason == Reason.BUSY and command == Command.START and attempt:
                return b""  # it was started before, the reply was lost
            elif code == link.NAK:
                raise _Refused(command, reason)
            else:
                fault = f"the reply has code {code:#04x}"
        if once and isinstance(reply, str):
            raise SpikeloomError(
                f"{command.name}: {fault}; whether the step was done is not known, so the stream "
                "cannot go on: restart it"
            )
        raise SpikeloomError(
            f"{command.name} failed {RETRIES + 1} times: {fault}; check that the device is "
            "programmed, the port is the right one and the baud rate is the device's"
        )

    def _reply(self) -> tuple[int, bytes] | str:
        """Return code and payload of the next reply with our tag, or what is wrong with it."""
        while True:
            skipped = 0
            while (start := self.transport.read(1)) != bytes([link.SYNC]):
                skipped += 1
                if not start or skipped > 4096:
                    return "no reply" if skipped == 1 else f"no reply in {skipped} bytes of noise"
            body = self.transport.read(link.HEAD.size)
            if len(body) == link.HEAD.size:
                body += self.transport.read(body[-1] + 2)
            if len(body) < link.HEAD.size or len(body) < link.HEAD.size + body[2] + 2:
                return "the reply stops half way"
            if link.crc16(body):
                self._drain()
                return "the reply is damaged (CRC)"
            code, tag, _ = link.HEAD.unpack_from(body)
            data = body[link.HEAD.size : -2]
            if tag == self._tag or (code == link.NAK and data == bytes([Reason.TIMEOUT])):
                return code, data

    def _drain(self) -> None:
        """Skip what is left of a damaged reply."""
        while self.transport.read(256):
            pass

    def write(self, stream: np.ndarray, progress: Callable[[int], Any] | None = None) -> None:
        """Do load port writes, uint32 [n, 2] of (address, data), in order.

        ``progress`` is called with the number of words after each frame.
        """
        for addr, data in _bursts(np.asarray(stream, np.uint32)):
            narrow = data.max() < 256
            size = link.MAX_BYTES if narrow else link.MAX_WORDS
            command = Command.WRITE_BYTES if narrow else Command.WRITE
            for at in range(0, len(data), size):
                part = data[at : at + size]
                payload = (addr + at).to_bytes(4, "little")
                payload += part.astype(np.uint8 if narrow else "<u4").tobytes()
                self.request(command, payload)
                if progress:
                    progress(len(part))

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

    def status(self) -> tuple[bool, bool, int]:
        """Return busy, done and the cycle counter."""
        data = self.request(Command.STATUS)
        if len(data) != link.STATUS_PAYLOAD:
            raise SpikeloomError(f"the device's STATUS has {len(data)} bytes; build it anew")
        flags, cycles = link.STATUS_REPLY.unpack(data)
        return bool(flags & 1), bool(flags & 2), cycles

    def read(self, addr: int, n_words: int) -> np.ndarray:
        """Return pixel memory words from ``addr``, int64."""
        out = []
        for at in range(0, n_words, link.MAX_WORDS):
            n = min(link.MAX_WORDS, n_words - at)
            request = link.READ_REQUEST.pack(load_addr(Mem.PIX, addr + at), n)
            out.append(np.frombuffer(self.request(Command.READ, request), "<i4"))
            if len(out[-1]) != n:
                raise SpikeloomError(f"the device reads {len(out[-1])} words, asked for {n}")
        return np.concatenate(out).astype(np.int64)

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
        self.write(program.image_stream(frame))
        self.request(Command.START, once=program.stream)
        deadline = time.monotonic() + 2 * program.first_cycles / self.identity.clock + 5
        while True:
            busy, done, cycles = self.status()
            if done and not busy:
                break
            if time.monotonic() > deadline:
                raise SpikeloomError(
                    f"the device has run for {cycles} cycles and is not done; the forecast of "
                    f"{program.name!r} is {program.cycles}: load the program again"
                )
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
            logits=self.read(program.logits_base, program.classes),
            scale=program.logits_scale,
            cycles=cycles,
            forecast=forecast,
            seconds=cycles / self.identity.clock,
        )


def _bursts(stream: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Split (address, data) pairs where addresses are not consecutive words of one bank."""
    if not len(stream):
        return
    addr = stream[:, 0].astype(np.int64)
    cuts = np.flatnonzero((np.diff(addr) != 1) | (addr[1:] % MOST_WORDS == 0)) + 1
    for part in np.split(stream, cuts):
        yield int(part[0, 0]), part[:, 1]


def open_port(port: str, baud: int = link.BAUD) -> Device:
    """Return the device on a serial port; SpikeloomError if there is none or no pyserial."""
    try:
        import serial
        from serial.tools import list_ports
    except ModuleNotFoundError:
        raise SpikeloomError(
            "pyserial is not installed, and a serial port needs it: pip install pyserial"
        ) from None
    try:
        line = serial.Serial(port, baud, timeout=SILENCE + 3000 / baud, write_timeout=10)
    except (serial.SerialException, OSError, ValueError) as e:
        found = ", ".join(sorted(p.device for p in list_ports.comports())) or "none"
        raise SpikeloomError(
            f"cannot open serial port {port!r} at {baud} baud: {e}; ports of this machine: {found}"
        ) from None
    line.reset_input_buffer()
    return Device(_Port(line, port))


class _Port:
    """A pyserial port whose failures are SpikeloomErrors."""

    def __init__(self, line: Any, name: str):
        self.line, self.name = line, name

    def write(self, data: bytes) -> None:
        self._do(lambda: self.line.write(data))

    def read(self, size: int) -> bytes:
        return self._do(lambda: self.line.read(size))

    def _do(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as e:  # serial.SerialException is one
            raise SpikeloomError(
                f"serial port {self.name!r} failed: {e}; is the board still connected?"
            ) from None
