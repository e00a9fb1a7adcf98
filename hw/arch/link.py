"""Link packets: what host and device say to each other over a byte stream.

Frame, in both directions::

    END | code | sequence | tag | payload (0 to 252 bytes) | CRC-32 (4 bytes) | END

Between the two ENDs a byte that is END or ESCAPE is sent as ESCAPE and the byte XOR ``STUFFING``,
so END stands at the ends of frames alone: a damaged frame is over at the next END, whatever was
damaged, and no silence has to be waited for. Frames without a byte are skipped. The CRC-32
(zlib.crc32) is that of everything before it, of bytes as they are before stuffing. Numbers are
little endian.

The device buffers a request whole and checks it before anything of it is done, and does requests
in the order of their sequence numbers, each once. The host may send on without waiting for
replies, as long as the unanswered frames (payload, header and 1 byte each) fit into the device's
queue; Identity tells its size. A reply has the code ``REPLY | command``, and sequence and tag of
its request; one that refuses has code NAK, and as payload a Reason and the sequence number that is
due. What is refused has changed nothing, and its sequence number stays due, so that nothing sent
after it is done either. A request that comes a second time is not due any more: it is not done
again, and NAK with ``Reason.ORDER`` tells that it was done. The tag is the host's, another for each
time that it sends a request; so it knows which of them a reply belongs to, and since the line
keeps the order, those sent before whose reply is missing are lost. A damaged frame is answered
with ``Reason.DAMAGED``, sequence and tag 0.

| command | payload | payload of the reply |
|---|---|---|
| IDENTIFY | session (4) | the session before (4), Identity |
| WRITE | load port address (4), words (4 each) | |
| WRITE_BYTES | load port address (4), words of one byte each | |
| START | run (2), cycle limit (4) | |
| STATUS | | State |
| READ | load port address (4), number of words (1) | words (4 each) |
| RESULT | load port address (4), number of words (1) | State, and words unless the core is busy |
| CRC | load port address (4), number of words (2) | CRC-32 of the words that READ gives (4) |
| LOG | first instruction (4), number of words (1) | words (4 each) |
| ABORT | | State |
| RATE | index into RATES (1) | |

* Addresses (`hw.arch.memmap`) that no memory has are refused, before a word is written or read.
  WRITE, WRITE_BYTES, READ, RESULT and CRC go to consecutive word addresses (bits 15:0). Any memory
  but CTRL is read; words of fewer than 32 bits are sign-extended.
* WRITE, WRITE_BYTES, START, READ, CRC and LOG are refused while the core is busy. RESULT waits
  until it is not, while requests behind it gather in the queue: the next image is sent while one
  is computed. It stops waiting when an IDENTIFY, STATUS or ABORT has come behind it.
* IDENTIFY opens a session: it is done whatever its sequence number, and the one after it is due.
  Before the first one since reset all but IDENTIFY and ABORT is refused. ``session`` is a number
  that the host draws, not 0; the reply tells the one before, 0 if there was none since reset. With
  another session than before, ``run`` is 0.
* START runs the program once. ``run`` is a number that the host gives this run, not 0; a START
  whose ``run`` is that of the START before is granted and not done again. After ``limit`` cycles
  the core stops itself; 0 is no limit.
* ABORT stops the core as soon as its frame has been checked, before it is its turn in the queue,
  and again in its turn; it is done whatever its sequence number, and the one after it is due. Its
  reply comes when the core has stopped.
* RATE changes the baud rate behind its reply's last bit. After reset it is ``BAUD``. At another
  rate, ``FALLBACK_TICKS`` of ``TICK_MS`` from the change, or from the first byte that is part of no
  good frame, and without a good frame in between, the device goes back to ``BAUD``.
"""

import enum
import struct
import zlib
from dataclasses import dataclass

from hw.arch.config import Config
from hw.arch.memmap import Stopped
from hw.common.errors import SpikeloomError

RATES = (1_000_000, 2_000_000, 3_000_000)  #: Bits per second, 8N1; a device has some of them.
BAUD = RATES[0]  #: The rate after reset, if nothing else is said; every device has it.
END = 0x7E  #: At both ends of a frame.
ESCAPE = 0x7D  #: Before a byte that was END or ESCAPE, which is sent XOR STUFFING.
STUFFING = 0x20  #: What makes another byte of END and ESCAPE.
REPLY = 0x80  #: Added to the command's code in an answer that grants it.
NAK = 0xFF  #: Code of an answer that refuses.
MAX_PAYLOAD = 252  #: Bytes; a longer frame is taken for a damaged one.
CRC_BYTES = 4  #: Of the check sum at the end of a frame.
CRC_RESIDUE = 0x2144DF1C  #: zlib.crc32 of anything with its CRC-32 behind it.
ADDR_BYTES = 4  #: Address at the head of WRITE, WRITE_BYTES, READ, RESULT, CRC and LOG.
MAX_WORDS = (MAX_PAYLOAD - ADDR_BYTES) // 4  #: Words in one WRITE, and in a reply to READ or LOG.
MAX_BYTES = MAX_PAYLOAD - ADDR_BYTES  #: Words in one WRITE_BYTES.
QUEUE = 2048  #: Bytes of requests that the device keeps, each with its header and 1 byte more.
TICK_MS = 40  #: Milliseconds between ticks of the device's timer.
FALLBACK_TICKS = 8  #: Ticks without a good frame after which a device is back at BAUD.
MAGIC = b"SPKL"  #: Where an IDENTIFY reply's Identity begins.
VERSION = 3  #: Of this protocol.

HEAD = struct.Struct("<BBB")  #: code, sequence, tag.
SESSION = struct.Struct("<I")  #: IDENTIFY's payload, and where its reply begins.
START_REQUEST = struct.Struct("<HI")  #: run, cycle limit.
READ_REQUEST = struct.Struct("<IB")  #: address, number of words; RESULT's and LOG's too.
CRC_REQUEST = struct.Struct("<IH")  #: address, number of words.
CRC_REPLY = struct.Struct("<I")  #: CRC-32.
RATE_REQUEST = struct.Struct("<B")  #: Index into RATES.
REFUSAL = struct.Struct("<BB")  #: Reason, sequence number that is due.
_STATE = struct.Struct("<BxHHHII")
STATE_PAYLOAD = _STATE.size  #: Bytes of a State.
RESULT_WORDS = (MAX_PAYLOAD - STATE_PAYLOAD) // 4  #: Words in a reply to RESULT.
_CONFIG = tuple(Config().as_dict())
_MOVER = ("block_depth", "outside")  #: Settings of cores with a mover, which only these tell.
_IDENTITY = struct.Struct(f"<4sHHIIHH{len(_CONFIG)}I")
_MOVING = struct.Struct(f"<{len(_MOVER)}I")
#: Bytes of an IDENTIFY reply; of a core with a mover its settings follow, a word each.
IDENTITY_PAYLOAD = SESSION.size + _IDENTITY.size


class Command(enum.IntEnum):
    """Code of a request."""

    IDENTIFY = 1  #: Open a session; tell what the device is.
    WRITE = 2  #: Write words of 32 bits through the load port.
    WRITE_BYTES = 3  #: Write words of which only the low byte is sent, such as pixels.
    START = 4  #: Run the program once.
    STATUS = 5  #: Tell what the core does, without waiting.
    READ = 6  #: Read words of a memory.
    RESULT = 7  #: Wait for the core, tell what it did and read words, such as logits.
    CRC = 8  #: Tell the check sum of a block of a memory.
    LOG = 9  #: Read the cycles in which the last run's instructions started.
    ABORT = 10  #: Stop the core.
    RATE = 11  #: Go to another baud rate.


class Reason(enum.IntEnum):
    """Why a request was refused."""

    DAMAGED = 1  #: The frame's CRC is wrong, or it is too long or too short.
    ORDER = 2  #: Another sequence number is due: the request was done before, or one is missing.
    UNKNOWN = 3  #: No such command.
    LENGTH = 4  #: The payload's length, or a number of words, is not allowed.
    BUSY = 5  #: The core is running.
    ADDRESS = 6  #: No memory has this address, or not so many words from it on.
    CLOSED = 7  #: There was no IDENTIFY since reset.
    RATE = 8  #: The device does not have this rate.


WRITES = (Command.WRITE, Command.WRITE_BYTES)  #: Their payloads are an address and words.
#: Their addresses are a memory's.
PLACES = (*WRITES, Command.READ, Command.RESULT, Command.CRC)
#: Refused while the core is busy; so is START, but for a run that was started.
NEED_IDLE = (*WRITES, Command.READ, Command.CRC, Command.LOG)
ANY_ORDER = (Command.IDENTIFY, Command.ABORT)  #: Done whatever sequence number is due.
URGENT = (Command.IDENTIFY, Command.STATUS, Command.ABORT)  #: They end a RESULT's waiting.
#: Bytes of the payloads of the others than WRITES.
PAYLOADS = {
    Command.IDENTIFY: SESSION.size,
    Command.START: START_REQUEST.size,
    Command.STATUS: 0,
    Command.READ: READ_REQUEST.size,
    Command.RESULT: READ_REQUEST.size,
    Command.CRC: CRC_REQUEST.size,
    Command.LOG: READ_REQUEST.size,
    Command.ABORT: 0,
    Command.RATE: RATE_REQUEST.size,
}
#: Fewest and most words that may be asked for.
WORDS = {
    Command.READ: (1, MAX_WORDS),
    Command.LOG: (1, MAX_WORDS),
    Command.RESULT: (0, RESULT_WORDS),
    Command.CRC: (1, 0xFFFF),
}


@dataclass(frozen=True, kw_only=True)
class State:
    """What the core does or did."""

    busy: bool  #: It runs.
    done: bool  #: It has run to the program's end since it was last started.
    stopped: Stopped  #: Why it did not.
    run: int  #: Of the last START in this session, 0 if there was none.
    pc: int  #: Address of the instruction that it is at, or stopped at.
    logged: int  #: Instructions whose first cycles LOG can read.
    cycles: int  #: Cycles that the last run took, or has taken.
    stalls: int = 0  #: Those of them that passed for nothing but a wait for the memory outside.

    def encode(self) -> bytes:
        """Return the payload."""
        flags = self.busy | self.done << 1 | self.stopped << 2
        return _STATE.pack(flags, self.run, self.pc, self.logged, self.cycles, self.stalls)

    @classmethod
    def decode(cls, payload: bytes) -> "State":
        """Return the state at the beginning of a payload of STATE_PAYLOAD bytes or more."""
        flags, run, pc, logged, cycles, stalls = _STATE.unpack_from(payload)
        return cls(
            busy=bool(flags & 1),
            done=bool(flags & 2),
            stopped=Stopped(flags >> 2 & 3),
            run=run,
            pc=pc,
            logged=logged,
            cycles=cycles,
            stalls=stalls,
        )


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a device says about itself."""

    version: int  #: VERSION of the device.
    digest: int  #: Config.digest of the device.
    clock: int  #: Hz.
    queue: int = QUEUE  #: Bytes of requests that it keeps.
    rates: tuple[int, ...] = (BAUD,)  #: Those of RATES that it has.
    config: Config  #: Sizes of the device's core.

    def encode(self) -> bytes:
        """Return the payload, without the session that a reply to IDENTIFY begins with."""
        rates = sum(1 << RATES.index(rate) for rate in self.rates)
        values = (getattr(self.config, name) for name in _CONFIG)
        head = (MAGIC, self.version, MAX_PAYLOAD, self.digest, self.clock, self.queue, rates)
        moving = (getattr(self.config, name) for name in _MOVER)
        more = _MOVING.pack(*moving) if self.config.block_depth else b""
        return _IDENTITY.pack(*head, *values) + more

    @classmethod
    def decode(cls, payload: bytes) -> "Identity":
        """Return the identity in a payload; SpikeloomError for a device that is not ours."""
        if payload[:4] != MAGIC:
            raise SpikeloomError(f"the device answers {payload[:4]!r}, not {MAGIC!r}: no Spikeloom")
        version = int.from_bytes(payload[4:6], "little")
        if version != VERSION:
            older, newer = ("device's bitstream", "host's software")[
                :: 1 if version < VERSION else -1
            ]
            raise SpikeloomError(
                f"the device speaks version {version} of the link, this host version {VERSION}: "
                f"the {older} is older than the {newer}; build or install the older one anew"
            )
        if len(payload) not in (_IDENTITY.size, _IDENTITY.size + _MOVING.size):
            raise SpikeloomError(
                f"the device's identity has {len(payload)} bytes, this host knows one of "
                f"{_IDENTITY.size}: their cores have other settings; build one of them anew"
            )
        _, version, _, digest, clock, queue, rates, *values = _IDENTITY.unpack_from(payload)
        moving = payload[_IDENTITY.size :] or bytes(_MOVING.size)
        settings = zip((*_CONFIG, *_MOVER), (*values, *_MOVING.unpack(moving)), strict=True)
        return cls(
            version=version,
            digest=digest,
            clock=clock,
            queue=queue,
            rates=tuple(rate for n, rate in enumerate(RATES) if rates >> n & 1),
            config=Config(**dict(settings)),
        )


def crc32(data: bytes) -> int:
    """Return the CRC-32 of ``data``, zlib's: what frames end with, and what CRC answers."""
    return zlib.crc32(data)


def frame(code: int, sequence: int, tag: int, payload: bytes = b"") -> bytes:
    """Return a whole frame, ENDs, stuffing and CRC included; ``payload`` has 0 to 252 bytes."""
    body = HEAD.pack(code, sequence, tag) + payload
    body += crc32(body).to_bytes(CRC_BYTES, "little")
    for byte in (ESCAPE, END):  # in this order: what stuffs END has an ESCAPE
        body = body.replace(bytes([byte]), bytes([ESCAPE, byte ^ STUFFING]))
    return bytes([END]) + body + bytes([END])


def unframe(between: bytes) -> tuple[int, int, int, bytes] | None:
    """Return code, sequence, tag and payload of what stood between two ENDs; None if damaged."""
    first, *parts = between.split(bytes([ESCAPE]))
    if not all(parts):  # an ESCAPE at the end, or before another
        return None
    body = first + b"".join(bytes([part[0] ^ STUFFING]) + part[1:] for part in parts)
    most = HEAD.size + MAX_PAYLOAD + CRC_BYTES
    if not HEAD.size + CRC_BYTES <= len(body) <= most or crc32(body) != CRC_RESIDUE:
        return None
    code, sequence, tag = HEAD.unpack_from(body)
    return code, sequence, tag, body[HEAD.size : -CRC_BYTES]
