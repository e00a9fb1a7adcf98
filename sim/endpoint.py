"""What a device's endpoint does with the bytes that come, without the time that it takes."""

from collections import deque
from typing import Protocol

from hw.arch import link
from hw.arch.config import Config
from hw.arch.link import Command, Reason, State
from hw.arch.memmap import READ_ONLY, WRITE_ONLY, Mem, Stopped, extent, split_addr


class Core(Protocol):
    """The core behind an endpoint; see `hw.core.core.Core`, whose ports these stand for."""

    busy: bool
    done: bool
    stopped: Stopped
    pc: int
    cycles: int
    stalls: int
    log: list[int]  #: Cycle of each instruction of the last run, as many as the core keeps.

    def load(self, addr: int, word: int) -> None:
        """Take a word from the load port."""

    def peek(self, addr: int) -> int:
        """Return the 32 bits of a word."""
        ...

    def start(self, limit: int) -> None:
        """Begin a run."""

    def abort(self) -> None:
        """End it."""

    def run_on(self) -> None:
        """Time passes, in which the run may end."""


class Endpoint:
    """The device's side of `hw.arch.link`; what `hw.soc.link.LinkEndpoint` answers, it answers.

    Give it bytes by `take`; `out` holds what it has answered. Call `go_on` when the core has
    stopped running, and `tick` when time has passed.

    Parameters
    ----------
    config : Config
    core : Core
    clock : int
        Hz; told to the host.
    rates : ints
        Of ``link.RATES``; told to the host.
    """

    def __init__(
        self, config: Config, core: Core, *, clock: int, rates: tuple[int, ...] = link.RATES
    ):
        self.config, self.core, self.rates = config, core, rates
        self.identity = link.Identity(
            version=link.VERSION, digest=config.digest, clock=clock, rates=rates, config=config
        ).encode()
        self.baud = link.BAUD  #: The rate that it has now.
        self.out = bytearray()  #: Bytes to the host.
        self.commands: list[int] = []  #: Codes of the requests that were granted.
        self._rest = b""  # of a frame whose END has not come
        self._queue: deque[tuple[int, int, int, bytes] | None] = deque()  # None: a damaged one
        self._used = 0  # bytes of the queue
        self._urgent = self._opened = self._doubt = False
        self._due = self._session = self._run = self._ticks = 0

    def take(self, data: bytes) -> None:
        """Bytes have come."""
        self._doubt |= bool(data)
        *frames, self._rest = (self._rest + data).split(bytes([link.END]))
        for between in frames:
            if between:
                self._enqueue(link.unframe(between))
                self.go_on()

    def tick(self) -> None:
        """``link.TICK_MS`` have passed."""
        self._ticks = self._ticks + 1 if self._doubt else 0
        if self._ticks == link.FALLBACK_TICKS:
            self._ticks, self.baud = 0, link.BAUD

    def go_on(self) -> None:
        """Do requests, until the next one waits for the core."""
        while self._queue:
            request = self._queue[0]
            reason = Reason.DAMAGED if request is None else self._reason(*request)
            code, sequence, tag, payload = request or (0, 0, 0, b"")
            if code == Command.RESULT and self.core.busy and not (reason or self._urgent):
                return
            self._used -= _size(self._queue.popleft())
            self._urgent &= code not in link.URGENT
            if reason:
                refusal = link.REFUSAL.pack(reason, self._due)
                self.out += link.frame(link.NAK, sequence, tag, refusal)
                continue
            self._due = (sequence + 1) & 0xFF
            self.commands.append(code)
            answer = self._do(Command(code), payload)
            self.out += link.frame(link.REPLY | code, sequence, tag, answer)
            if code == Command.RATE:
                self.baud, self._doubt, self._ticks = link.RATES[payload[0]], True, 0

    def _enqueue(self, request: tuple[int, int, int, bytes] | None) -> None:
        if request is not None:
            self._doubt, self._ticks = False, 0
            if self._used + _size(request) + link.CRC_BYTES > link.QUEUE:
                request = None
        if self._used + _size(request) >= link.QUEUE:
            return
        self._queue.append(request)
        self._used += _size(request)
        if request is not None:
            self._urgent |= request[0] in link.URGENT
            if request[0] == Command.ABORT:
                self.core.abort()

    def _reason(self, code: int, sequence: int, _tag: int, payload: bytes) -> Reason | None:
        """Why a request is refused."""
        free = code in link.ANY_ORDER
        if not self._opened and not free:
            return Reason.CLOSED
        if sequence != self._due and not free:
            return Reason.ORDER
        if code not in list(Command):
            return Reason.UNKNOWN
        if code in link.WRITES:
            unit = 4 if code == Command.WRITE else 1
            if len(payload) <= link.ADDR_BYTES or len(payload) % unit:
                return Reason.LENGTH
            count = (len(payload) - link.ADDR_BYTES) // unit
        elif len(payload) != link.PAYLOADS[Command(code)]:
            return Reason.LENGTH
        else:
            count = int.from_bytes(payload[link.ADDR_BYTES :], "little")
        if self.core.busy and code in link.NEED_IDLE:
            return Reason.BUSY
        addr = int.from_bytes(payload[: link.ADDR_BYTES], "little")
        if code in link.WORDS and not (
            link.WORDS[Command(code)][0] <= count <= link.WORDS[Command(code)][1]
        ):
            return Reason.LENGTH
        if code in link.PLACES and not self._exist(addr, count, code in link.WRITES):
            return Reason.ADDRESS
        if code == Command.LOG and addr + count > len(self.core.log):
            return Reason.ADDRESS
        if code == Command.RATE and payload[0] not in map(link.RATES.index, self.rates):
            return Reason.RATE
        if code == Command.START and self.core.busy:
            if link.START_REQUEST.unpack(payload)[0] != self._run:
                return Reason.BUSY
        return None

    def _exist(self, addr: int, count: int, writes: bool) -> bool:
        mem, word, bank, part = split_addr(addr)
        if mem not in list(Mem) or mem in (READ_ONLY if writes else WRITE_ONLY):
            return False
        banks, parts, depth = extent(self.config, Mem(mem))
        return bank < banks and part < parts and word + count <= depth

    def _do(self, command: Command, payload: bytes) -> bytes:
        """Do a request that is granted; return its reply's payload."""
        core = self.core
        if command == Command.IDENTIFY:
            before, self._session = self._session, link.SESSION.unpack(payload)[0]
            self._opened = True
            self._run = self._run if before == self._session else 0
            return link.SESSION.pack(before) + self.identity
        if command in link.WRITES:
            self._write(payload, 4 if command == Command.WRITE else 1)
        elif command == Command.START:
            run, limit = link.START_REQUEST.unpack(payload)
            if run != self._run:
                self._run = run
                core.start(limit)
        elif command == Command.ABORT:
            core.abort()
        elif command == Command.CRC:
            words = self._words(*link.CRC_REQUEST.unpack(payload))
            return link.CRC_REPLY.pack(link.crc32(words))
        elif command == Command.LOG:
            first, count = link.READ_REQUEST.unpack(payload)
            return b"".join(w.to_bytes(4, "little") for w in core.log[first : first + count])
        answer = b""
        if command in (Command.STATUS, Command.RESULT, Command.ABORT):
            answer = self._state().encode()
        if command == Command.READ or (command == Command.RESULT and not core.busy):
            answer += self._words(*link.READ_REQUEST.unpack(payload))
        return answer

    def _write(self, payload: bytes, unit: int) -> None:
        addr = int.from_bytes(payload[: link.ADDR_BYTES], "little")
        words = payload[link.ADDR_BYTES :]
        for n in range(0, len(words), unit):
            self.core.load(addr + n // unit, int.from_bytes(words[n : n + unit], "little"))

    def _words(self, addr: int, count: int) -> bytes:
        return b"".join(self.core.peek(addr + n).to_bytes(4, "little") for n in range(count))

    def _state(self) -> State:
        core = self.core
        return State(
            busy=core.busy,
            done=core.done,
            stopped=core.stopped,
            run=self._run,
            pc=core.pc,
            logged=len(core.log),
            cycles=core.cycles,
            stalls=core.stalls,
        )


def _size(request: tuple[int, int, int, bytes] | None) -> int:
    """Bytes in the queue."""
    return 1 if request is None else 1 + link.HEAD.size + len(request[3])
