"""Requests and replies in order: each request is done once, whatever is lost on the line."""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hw.arch import link
from hw.arch.link import Command, Reason
from hw.common.errors import SpikeloomError
from sw.host.faultrate import FaultRate

SILENCE = 0.1  #: Seconds without a byte after which what was sent is taken for lost.
TRIES = 200  #: Times that one request is sent.
NOISE = 1 << 16  #: Bytes without a good frame among them after which no reply is waited for.
#: What counts for a silence where damaged bytes came: somebody is there.
DAMAGED_SILENCE = 0.1
MOST_SENT = 100  #: Frames on their way at most; there are 256 tags and sequence numbers.
_READS = (Command.STATUS, Command.READ, Command.RESULT, Command.CRC, Command.LOG)
_REASONS: dict[int, str] = {
    Reason.UNKNOWN: "it does not know this command",
    Reason.LENGTH: "it does not take this length",
    Reason.BUSY: "its core is running",
    Reason.ADDRESS: "it has no such address",
    Reason.RATE: "it does not have this baud rate",
}


class Transport(Protocol):
    """Bytes to and from a device."""

    def write(self, data: bytes, /) -> Any:
        """Send all bytes."""

    def read(self, wait: float, /) -> bytes:
        """Return the bytes that have come, at least one; b"" after ``wait`` seconds of silence."""
        ...

    def set_baud(self, baud: int, /) -> Any:
        """Send and receive at this rate from now on, once what was sent has left."""


class Refused(SpikeloomError):
    """The device refuses a request: it has changed nothing, nor has any that was posted later."""

    def __init__(self, command: Command, reason: int):
        self.command, self.reason = command, reason
        super().__init__(
            f"the device refuses {command.name}: {_REASONS.get(reason, f'reason {reason}')}"
        )


class NoReply(SpikeloomError):
    """Nothing valid came back, for so long that what was asked is given up."""


class Lost(SpikeloomError):
    """The device knows nothing of the session: it was reset, or others have used it."""

    def __init__(self) -> None:
        super().__init__(
            "the device was reset, or another program has talked to it, since this one began; "
            "load the program again"
        )


@dataclass(eq=False)
class Request:
    """One that was posted; ``reply`` is the payload of its reply, None until it has come."""

    command: Command
    payload: bytes = b""
    seconds: float = 0.0  #: How long the device may wait before it answers.
    reply: bytes | None = None
    sequence: int = 0
    tries: int = 0  #: Times it was sent with this sequence number.
    copies: int = 0  #: Of these, those that may still be answered.

    @property
    def size(self) -> int:
        """Bytes in the device's queue."""
        return 1 + link.HEAD.size + len(self.payload)


class Exchange:
    """The order of requests and replies over a transport.

    What is lost on the line, either way, is sent again until it is done. A request of which the
    reply alone was lost is not done again; if it reads, it is asked once more, after those that
    were posted since.

    Parameters
    ----------
    transport : Transport
    silent : callable
        What is done in a silence, which may raise; without an error all is sent again that has not
        been answered. It gets the number of silences in a row.
    """

    def __init__(self, transport: Transport, silent: Callable[[float], Any]):
        self.transport, self.silent = transport, silent
        self.faults = FaultRate()
        self.capacity = link.QUEUE  #: Bytes of the device's queue.
        self._due: deque[Request] = deque()  # not known to be done, in order of sequence
        self._next = 0  # which of them is sent next
        self._sent: deque[tuple[int, int, Request]] = deque()  # tag, sequence; may be answered
        self._late: dict[tuple[int, int], Request] = {}  # as _sent, but taken for lost
        self._sequence, self._tag = secrets.randbelow(256), secrets.randbelow(256)
        self._damaged, self._silences = 0, 0.0
        self._noise = self._heard = 0  # bytes since a good frame, and since a silence
        self._rest = b""  # of a frame whose END has not come

    def post(self, request: Request) -> Request:
        """Send a request, as soon as there is room for it in the device's queue; return it."""
        self._append(request)
        self._send()
        while self._next < len(self._due):
            self._turn()
        return request

    def wait(self, request: Request) -> bytes:
        """Return the payload of a posted request's reply; SpikeloomError if it was taken back."""
        while request.reply is None:
            if request not in self._due:
                raise SpikeloomError(
                    f"{request.command.name} was given up, by ABORT or by an error before it; "
                    "whether it was done is not known"
                )
            self._turn()
        return request.reply

    def flush(self) -> None:
        """Wait until all that was posted has been done."""
        while self._due:
            self._turn()

    def take_back(self) -> list[Request]:
        """Forget what is not known to be done, and return it."""
        out = list(self._due)
        self._due.clear()
        self._sent.clear()
        self._late.clear()
        self._next = self._damaged = self._noise = self._heard = 0
        self._silences = 0.0
        return out

    def go_on(self, held: list[Request], done: int) -> None:
        """Take up what `take_back` returned, of which the first ``done`` were done."""
        for n, request in enumerate(held):
            if n >= done or request.command in _READS:
                self._append(request)
            else:
                request.reply = b""

    # ---- sending -----------------------------------------------------------------------------

    def _append(self, request: Request) -> None:
        request.sequence, request.tries, request.copies = self._sequence, 0, 0
        self._sequence = (self._sequence + 1) & 0xFF
        self._due.append(request)

    def _send(self) -> None:
        """Send what is next while it fits into the queue."""
        room = min(self.capacity, self.faults.window)
        used = sum(request.size for n, request in enumerate(self._due) if n < self._next)
        out = b""
        while self._next < len(self._due) and len(self._sent) < MOST_SENT:
            request = self._due[self._next]
            used += request.size
            if self._next and used > room:
                break
            if request.tries == TRIES:
                raise NoReply(
                    f"{request.command.name} failed {TRIES} times on a line where about "
                    f"{self.faults.rate:.0e} of all bytes are broken; use another cable or a lower "
                    "baud rate"
                )
            self._tag = (self._tag + 1) & 0xFF
            self._sent.append((self._tag, request.sequence, request))
            request.tries += 1
            request.copies += 1
            out += link.frame(request.command, request.sequence, self._tag, request.payload)
            self._next += 1
        if out:
            self.transport.write(out)

    # ---- receiving ---------------------------------------------------------------------------

    def _turn(self) -> None:
        """Send what can be sent, and take what comes, or a silence."""
        self._send()
        longest = max((r.seconds for r in self._due if r.tries), default=0.0)
        data = self.transport.read(SILENCE + (0 if self._silences else longest))
        self._noise += len(data)
        self._heard += len(data)
        if not data or self._noise > NOISE:
            self._silences += 1 if not self._heard or data else DAMAGED_SILENCE
            self._heard = 0
            self._nothing_on_its_way()
            self.silent(self._silences)
            return
        *frames, self._rest = (self._rest + data).split(bytes([link.END]))
        for between in frames:
            if between and (reply := link.unframe(between)):
                self._take(*reply)
        self._go_back()

    def _take(self, code: int, sequence: int, tag: int, payload: bytes) -> None:
        """Take a good frame."""
        self._silences, self._noise, self._heard = 0.0, 0, 0
        reason, due = link.REFUSAL.unpack(payload) if code == link.NAK else (0, 0)
        if reason == Reason.DAMAGED:
            self._done_before(due)
            self._damaged += 1
            if self._damaged >= len(self._sent):  # it can have been any; now they all are
                self._nothing_on_its_way()
            return
        request = self._answered(tag, sequence)
        if request is None or request.sequence != sequence:  # to a request of before
            return
        if reason == Reason.CLOSED:
            self.take_back()
            raise Lost
        if reason:
            self._done_before(due)
            if reason != Reason.ORDER:
                self.take_back()
                self._sequence = due
                raise Refused(request.command, reason)
        elif code == link.REPLY | request.command and request in self._due:
            self._done_before(sequence, known=True)
            self._due.popleft()
            self._next = max(0, self._next - 1)
            request.reply = payload

    def _answered(self, tag: int, sequence: int) -> Request | None:
        """Return the request that an answer is to; those sent before it are lost."""
        if not any((tag, sequence) == sent[:2] for sent in self._sent):
            return self._late.pop((tag, sequence), None)
        self._damaged = 0
        self._late.clear()
        while True:
            its_tag, its_sequence, request = self._sent.popleft()
            found = (its_tag, its_sequence) == (tag, sequence)
            self._landed(request, its_sequence, lost=not found)
            if found:
                return request

    def _nothing_on_its_way(self) -> None:
        """All that was sent and not answered is lost."""
        for tag, sequence, request in self._sent:
            self._landed(request, sequence, lost=True)
            self._late[tag, sequence] = request
        self._sent.clear()
        self._damaged = 0
        self._go_back()

    def _landed(self, request: Request, sequence: int, *, lost: bool) -> None:
        self.faults.sent(len(request.payload), lost=lost)
        if request.sequence == sequence:
            request.copies -= 1

    def _go_back(self) -> None:
        """Send all again from the first request of which nothing is on its way any more."""
        if self._due and not self._due[0].copies:
            self._next = 0

    def _done_before(self, due: int, *, known: bool = False) -> None:
        """Requests before the one whose number is due are done, their replies lost."""
        if not self._due or (self._due[0].command in link.ANY_ORDER and not known):
            return
        count = (due - self._due[0].sequence) & 0xFF
        if count > sum(request.tries > 0 for request in self._due):
            self.take_back()
            raise Lost
        for _ in range(count):
            self._next = max(0, self._next - 1)
            self.go_on([self._due.popleft()], 1)
