"""Serial ports: which there are, and one as a transport."""

import errno
import time
from collections.abc import Callable
from typing import Any

from hw.arch.link import BAUD, END, RATES
from hw.common.errors import SpikeloomError
from sw.host.device import Device

QUIET = 0.05  #: Seconds without a byte after which a port is taken for silent.
CHATTER = 1.0  #: Seconds for which bytes may come before: what is left of answers to others.
_KEPT = 64  #: Bytes of what was heard last.


def _serial() -> tuple[Any, Any]:
    try:
        import serial
        from serial.tools import list_ports
    except ModuleNotFoundError:
        raise SpikeloomError(
            "pyserial is not installed, and a serial port needs it: pip install pyserial"
        ) from None
    return serial, list_ports


def ports() -> list[Any]:
    """Return the serial ports of this machine, as pyserial tells of them, by name."""
    return sorted(_serial()[1].comports(), key=lambda port: port.device)


def only_port() -> str:
    """Return the port of the one board; SpikeloomError where there is none, or several.

    Of the ports of one USB device the last is taken: the first one of an FTDI chip is its JTAG.
    """
    found = [port for port in ports() if port.vid is not None]
    devices = {(port.location or port.device).partition(":")[0] for port in found}
    if len(devices) == 1:
        return found[-1].device
    if found:
        names = ", ".join(port.device for port in found)
        raise SpikeloomError(f"several serial ports are there, {names}; choose one by --port")
    raise SpikeloomError(
        "no serial port of a USB device is there: plug the board in, or name its port by --port; "
        "python -m sim.board simulates a board, and prints its port"
    )


def open_port(port: str | None = None, most: int = max(RATES)) -> Device:
    """Return the device on a serial port; close it, or use it as a context manager.

    ``port``: its name; None: `only_port`. ``most``: the baud rate that is not to be exceeded.
    SpikeloomError where it cannot be opened, is in use, or something speaks there unasked.
    """
    serial, _ = _serial()
    name = only_port() if port is None else port
    try:
        line = serial.Serial(name, BAUD, write_timeout=10, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        raise SpikeloomError(_refusal(name, error)) from None
    transport = SerialPort(line, name)
    try:
        transport.drain()
    except BaseException:
        transport.close()
        raise
    return Device(transport, most)


def _refusal(name: str, error: Any) -> str:
    """Why a port cannot be opened, and what to do."""
    number = getattr(error, "errno", None)
    start = f"cannot open serial port {name!r}: "
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK):
        return f"{start}another program uses it; end that one (fuser {name} tells its number)"
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"{start}you may not use it; let the administrator add you to its group (sudo usermod "
            "-aG dialout $USER), and log in again"
        )
    found = ", ".join(each.device for each in ports()) or "none"
    return f"{start}{error}; ports of this machine: {found}"


class SerialPort:
    """A pyserial port as a Transport, whose failures are SpikeloomErrors.

    Members
    -------
    heard : bytes
        The last bytes that came, ENDs of frames left out.
    sent : bytes
        The last that were sent, likewise.
    """

    def __init__(self, line: Any, name: str):
        self.line, self.name = line, name
        self.heard = self.sent = b""

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        self.sent = (self.sent + data.replace(bytes([END]), b""))[-_KEPT:]
        self._do(lambda: self.line.write(data))

    def read(self, wait: float) -> bytes:
        """Return what has come, b"" after ``wait`` seconds of silence."""
        data = self._do(lambda: self._read(wait))
        self.heard = (self.heard + data.replace(bytes([END]), b""))[-_KEPT:]
        return data

    def set_baud(self, baud: int) -> None:
        """Change the rate, when what was written has left."""
        self._do(lambda: self._set_baud(baud))

    def drain(self) -> None:
        """Drop what comes until nothing does; SpikeloomError where that does not end."""
        self._do(self.line.reset_input_buffer)
        until = time.monotonic() + CHATTER
        while self.read(QUIET).strip(bytes([END])):
            if time.monotonic() > until:
                raise SpikeloomError(
                    f"serial port {self.name!r}: for {CHATTER:g} s something has spoken there "
                    f"unasked, {self.heard[-16:]!r}: it is no Spikeloom device; choose another "
                    "port (python -m sw.host list)"
                )
        self.heard = b""

    def close(self) -> None:
        """Let others have the port."""
        self.line.close()

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
        except (OSError, TypeError) as e:  # serial.SerialException is one; a closed line the other
            raise SpikeloomError(
                f"serial port {self.name!r} failed ({e}): is the board still connected? plug it in "
                "and repeat the command; nothing of what it held is counted on"
            ) from None
