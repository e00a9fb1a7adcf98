"""Link packets: what host and device say to each other over a byte stream.

Frame, in both directions::

    SYNC (0xA5) | code | tag | length | payload (length bytes) | CRC (2 bytes, high byte first)

The CRC is CRC-16/XMODEM of everything after SYNC, so over frame and CRC it is 0. Numbers in
payloads are little endian. The host sends a request and waits for its reply before the next one;
the reply's code is ``REPLY | command``, or ``NAK`` with one byte of Reason, and its tag is the
request's. A frame is buffered whole and checked before anything of it is done: one that is
refused has changed nothing. A half-received frame is given up after a silence and answered with
``Reason.TIMEOUT``; bytes before a SYNC are skipped.

| command | payload | payload of the reply |
|---|---|---|
| IDENTIFY | | Identity |
| WRITE | load port address (4), words (4 each) | |
| WRITE_BYTES | load port address (4), words of one byte each | |
| START | | |
| STATUS | | flags (4: bit 0 busy, bit 1 done), cycles (4) |
| READ | pixel address (4), number of words (1) | words (4 each, signed) |

WRITE and WRITE_BYTES go to consecutive word addresses (``hw.arch.memmap``, bits 15:0). WRITE,
WRITE_BYTES, START and READ are refused while the core is busy.
"""

import dataclasses
import enum
import struct
from dataclasses import dataclass

from hw.arch.config import Config
from hw.common.errors import SpikeloomError

BAUD = 1_000_000  #: Bits per second of the UART, 8N1, if nothing else is said.
SYNC = 0xA5  #: First byte of a frame.
REPLY = 0x80  #: Added to the command's code in an answer that grants it.
NAK = 0xFF  #: Code of an answer that refuses.
MAX_PAYLOAD = 252  #: Bytes; a longer frame is taken in whole and refused.
ADDR_BYTES = 4  #: Address at the head of WRITE, WRITE_BYTES and READ.
MAX_WORDS = (MAX_PAYLOAD - ADDR_BYTES) // 4  #: Words in one WRITE, and in a READ's reply.
MAX_BYTES = MAX_PAYLOAD - ADDR_BYTES  #: Words in one WRITE_BYTES.
READ_PAYLOAD = ADDR_BYTES + 1  #: Bytes of a READ.
STATUS_PAYLOAD = 8  #: Bytes of a STATUS reply.
TIMEOUT_MS = 40  #: A silence of this to twice this ends a half-received frame.
MAGIC = b"SPKL"  #: The first bytes of an IDENTIFY reply.
VERSION = 1  #: Of this protocol.

HEAD = struct.Struct("<BBB")  #: code, tag, length.
STATUS_REPLY = struct.Struct("<II")  #: flags, cycles.
READ_REQUEST = struct.Struct("<IB")  #: address, number of words.
_CONFIG = tuple(f.name for f in dataclasses.fields(Config))
_IDENTITY = struct.Struct(f"<4sHHII{len(_CONFIG)}I")
IDENTITY_PAYLOAD = _IDENTITY.size  #: Bytes of an IDENTIFY reply.


class Command(enum.IntEnum):
    """Code of a request."""

    IDENTIFY = 1  #: Tell what the device is.
    WRITE = 2  #: Write words of 32 bits through the load port.
    WRITE_BYTES = 3  #: Write words of which only the low byte is sent, such as pixels.
    START = 4  #: Run the program once.
    STATUS = 5  #: Tell whether the core runs, and how many cycles it took.
    READ = 6  #: Read words of pixel memory, such as logits.


class Reason(enum.IntEnum):
    """Why a request was refused."""

    CRC = 1  #: The frame is damaged.
    UNKNOWN = 2  #: No such command.
    LENGTH = 3  #: The payload's length, or READ's number of words, is not allowed.
    BUSY = 4  #: The core is running.
    TIMEOUT = 5  #: The frame stopped half way.


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a device says about itself."""

    version: int  #: VERSION of the device.
    digest: int  #: Config.digest of the device.
    clock: int  #: Hz.
    config: Config  #: Sizes of the device's core.

    def encode(self) -> bytes:
        """Return the payload."""
        values = self.config.as_dict().values()
        return _IDENTITY.pack(MAGIC, self.version, MAX_PAYLOAD, self.digest, self.clock, *values)

    @classmethod
    def decode(cls, payload: bytes) -> "Identity":
        """Return the identity in a payload; SpikeloomError for a device that is not ours."""
        if payload[:4] != MAGIC:
            raise SpikeloomError(f"the device answers {payload[:4]!r}, not {MAGIC!r}: no Spikeloom")
        version = int.from_bytes(payload[4:6], "little")
        if version != VERSION or len(payload) != _IDENTITY.size:
            raise SpikeloomError(
                f"the device speaks version {version} of the link ({len(payload)} bytes of "
                f"identity), this host version {VERSION} ({_IDENTITY.size}); build one of them anew"
            )
        _, version, _, digest, clock, *values = _IDENTITY.unpack(payload)
        config = Config(**dict(zip(_CONFIG, values, strict=True)))
        return cls(version=version, digest=digest, clock=clock, config=config)


def crc16(data: bytes, crc: int = 0) -> int:
    """Return the CRC-16/XMODEM of ``data``: polynomial 0x1021, high bit first, start 0."""
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def frame(code: int, tag: int, payload: bytes = b"") -> bytes:
    """Return a whole frame, SYNC and CRC included; ``payload`` has 0 to 255 bytes."""
    body = HEAD.pack(code, tag, len(payload)) + payload
    return bytes([SYNC]) + body + crc16(body).to_bytes(2, "big")
