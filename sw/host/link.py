"""A device at the other end of a byte transport: sessions and commands of `hw.arch.link`."""

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from hw.arch import link
from hw.arch.link import Command, Identity, State
from hw.common.errors import SpikeloomError
from sw.host.exchange import SILENCE, Exchange, Lost, NoReply, Request, Transport

SILENCES = 4  #: In a row; then the device is looked for at the rate after reset.
FALLBACK = link.TICK_MS * (link.FALLBACK_TICKS + 1) / 1e3  #: Seconds; then a device is at BAUD.
OPENINGS = SILENCES + round(FALLBACK / SILENCE)  #: Silences until a device is given up.
#: A frame of version 1 of the link that asks what the device is.
VERSION_1 = bytes([0xA5, 1, 0, 0, 0x37, 0x30])

Bursts = Sequence[tuple[int, np.ndarray]]  #: Load port address, and words from there on.


class Link:
    """A session with a device.

    `begin` it first. What `write` and `start` send may still be on its way when they return; what
    waits for a reply waits for them too, and so does `flush`. All is done in the order of the
    calls, each once, over any line of which some frames get through both ways: damaged and lost
    frames are sent again, of a size for the line's faults. A device that falls silent is looked
    for at the rate after reset, and the session goes on if it is still this one.

    Raises SpikeloomError: Refused, by the device; NoReply, after SILENCES + OPENINGS silences of
    SILENCE seconds each; Lost, where the device was reset. After Refused the link is as good as
    before, after the others `begin` is the next call.

    Parameters
    ----------
    transport : Transport
        Where the device is; its rate is ``link.BAUD`` at first.
    """

    identity: Identity  #: What the device is; known once it has begun.

    def __init__(self, transport: Transport):
        self.exchange = Exchange(transport, self._silent)
        self.baud = link.BAUD  #: The rate of both sides.
        self._session = self._run = 0
        self._stuck: Request | None = (
            None  # what was not answered when the device was last looked for
        )
        self._seeking = 0  # silences until what looks for the device gives up; 0: none does

    # ---- sessions ----------------------------------------------------------------------------

    def begin(self) -> Identity:
        """Begin a session; nothing that was sent before is done any more. Runs count from 1."""
        self._session, self._run = secrets.randbelow((1 << 32) - 1) + 1, 0
        try:
            self._find(OPENINGS)
        except NoReply:
            self._older_version()
            raise
        return self.identity

    def negotiate(self, most: int = max(link.RATES)) -> int:
        """Go to the fastest rate of the device that is not above ``most`` and works; return it."""
        self.flush()
        for rate in sorted(self.identity.rates, reverse=True):
            if self.baud < rate <= most and self._change(rate):
                break
        return self.baud

    def flush(self) -> None:
        """Wait until all that was sent has been done."""
        self.exchange.flush()

    def _change(self, rate: int) -> bool:
        """Go to a rate; False, with both at BAUD, where nothing is heard at it."""
        try:
            self._seek(2, Command.RATE, link.RATE_REQUEST.pack(link.RATES.index(rate)))
        except NoReply:
            pass  # the reply may be what is lost
        self._set_baud(rate)
        try:
            self._seek(2, Command.IDENTIFY, link.SESSION.pack(self._session))
        except NoReply:
            self._find(OPENINGS)
            return False
        return True

    def _set_baud(self, baud: int) -> None:
        self.exchange.transport.set_baud(baud)
        self.baud = baud

    def _find(self, silences: int) -> int:
        """Look for the device at BAUD; return the session that it had."""
        self._set_baud(link.BAUD)
        reply = self._seek(silences, Command.IDENTIFY, link.SESSION.pack(self._session))
        self.identity = Identity.decode(reply[link.SESSION.size :])
        self.exchange.capacity = self.identity.queue
        return link.SESSION.unpack_from(reply)[0]

    def _seek(self, silences: int, command: Command, payload: bytes = b"") -> bytes:
        """Ask alone; NoReply after so many silences."""
        self.exchange.take_back()
        before, self._seeking = self._seeking, silences
        try:
            return self.exchange.wait(self.exchange.post(Request(command, payload)))
        finally:
            self._seeking = before

    def _silent(self, silences: float) -> None:
        """What to do in a silence."""
        if silences < (self._seeking or SILENCES):
            return
        if self._seeking:
            raise NoReply(
                f"no reply from the device in {silences * SILENCE:.1f} s; check that it is "
                "programmed, that the port is the right one and that no other program uses it"
            )
        self._reopen()

    def _reopen(self) -> None:
        """Go on with the session of a device that went back to BAUD, or missed too much."""
        fast, held = self.baud, self.exchange.take_back()
        if held and held[0] is self._stuck:
            raise NoReply(
                f"the device is there, but does not answer {held[0].command.name}: its core runs "
                "on; stop it (python -m sw.host abort), and load the program again"
            )
        self._stuck = held[0] if held else None
        if self._find(OPENINGS) != self._session:
            raise Lost
        if fast != self.baud:
            self._change(fast)
        run = State.decode(self._seek(SILENCES, Command.STATUS)).run
        starts = [n for n, r in enumerate(held) if r.command == Command.START and _run(r) == run]
        self.exchange.go_on(held, starts[0] + 1 if starts else 0)  # those before it were done too

    def _older_version(self) -> None:
        """Raise SpikeloomError if the device speaks version 1, which has other frames."""
        self.exchange.take_back()
        self.exchange.transport.write(VERSION_1)
        if link.MAGIC in self.exchange.transport.read(SILENCE):
            raise SpikeloomError(
                "the device speaks version 1 of the link, this host version "
                f"{link.VERSION}: its bitstream is older than this software; build it anew and "
                "program the device with it"
            )

    # ---- memories ----------------------------------------------------------------------------

    def write(
        self, addr: int, words: np.ndarray, progress: Callable[[int], Any] | None = None
    ) -> None:
        """Write words, uint32, from a load port address on; ``progress`` gets how many, by frame.

        They go to consecutive addresses of one bank. Those below 256 are sent as bytes.
        """
        words = np.asarray(words, np.uint32)
        narrow = bool(words.size) and int(words.max()) < 256
        command = Command.WRITE_BYTES if narrow else Command.WRITE
        data = words.astype(np.uint8 if narrow else "<u4").tobytes()
        width, at = 1 if narrow else 4, 0
        while at < len(data):
            part = data[at : at + self.exchange.faults.payload]
            payload = (addr + at // width).to_bytes(link.ADDR_BYTES, "little") + part
            self.exchange.post(Request(command, payload))
            at += len(part)
            if progress:
                progress(len(part) // width)

    def read(self, addr: int, count: int) -> np.ndarray:
        """Return words, uint32 (count,); those of fewer bits are sign-extended."""
        return self._words(Command.READ, addr, count)

    def log(self, count: int, first: int = 0) -> np.ndarray:
        """Return the cycles, uint32 (count,), in which the last run's instructions started.

        ``first`` is the number of the first of them; `State.logged` tells how many there are.
        """
        return self._words(Command.LOG, first, count)

    def _words(self, command: Command, addr: int, count: int) -> np.ndarray:
        asked, at = [], 0
        while at < count:
            n = min(count - at, self.exchange.faults.payload // 4, link.MAX_WORDS)
            asked.append(self._post(command, link.READ_REQUEST.pack(addr + at, n)))
            at += n
        replies = b"".join(self.exchange.wait(request) for request in asked)
        return np.frombuffer(replies, "<u4").astype(np.uint32)

    def crc(self, addr: int, count: int) -> int:
        """Return the CRC-32 (zlib.crc32) of the words that `read` gives, 4 bytes each."""
        reply = self.ask(Command.CRC, link.CRC_REQUEST.pack(addr, count))
        return link.CRC_REPLY.unpack(reply)[0]

    # ---- runs --------------------------------------------------------------------------------

    def start(self, limit: int = 0) -> int:
        """Run the program once; return the run's number. ``limit``: cycles at most, 0: no limit."""
        self._run = self._run % 0xFFFF + 1
        self._post(Command.START, link.START_REQUEST.pack(self._run, limit))
        return self._run

    def status(self) -> State:
        """Return what the core does now."""
        return State.decode(self.ask(Command.STATUS))

    def result(self, addr: int, count: int, seconds: float = 0.0) -> tuple[State, np.ndarray]:
        """Wait for the core; return its state, and words as `read` does, none if it still runs.

        ``seconds`` is how long a run may take.
        """
        states, words = self._results(self._post_results(addr, count, seconds))
        return states[-1], words

    def abort(self) -> State:
        """Stop the core, whatever it does; return its state. What was posted is given up."""
        self.exchange.take_back()
        return State.decode(self.ask(Command.ABORT))

    def runs(
        self,
        images: Iterable[Bursts],
        addr: int,
        count: int,
        *,
        limit: int = 0,
        seconds: float = 0.0,
    ) -> Iterator[tuple[State, np.ndarray]]:
        """Write each image, run the program, yield what `result` returns, in order.

        An image is sent while the one before is computed. A run whose result was lost after the
        next had begun is done once more: not for programs that keep membranes from run to run.
        """
        launched: deque[tuple[Bursts, int, list[Request]]] = deque()
        for bursts in images:
            launched.append(self._launch(bursts, addr, count, limit, seconds))
            if len(launched) > 1:
                yield self._land(launched.popleft(), addr, count, limit, seconds)
        while launched:
            yield self._land(launched.popleft(), addr, count, limit, seconds)

    def _launch(self, bursts: Bursts, addr: int, count: int, limit: int, seconds: float) -> Any:
        for at, words in bursts:
            self.write(at, words)
        run = self.start(limit)
        return bursts, run, self._post_results(addr, count, seconds)

    def _land(self, launched: Any, addr: int, count: int, limit: int, seconds: float) -> Any:
        bursts, run, asked = launched
        while True:
            states, words = self._results(asked)
            if any(state.run != run for state in states):
                _, run, asked = self._launch(bursts, addr, count, limit, seconds)
            elif any(state.busy for state in states):  # a `status` was asked for meanwhile
                asked = self._post_results(addr, count, seconds)
            else:
                return states[-1], words

    def _post_results(self, addr: int, count: int, seconds: float) -> list[Request]:
        requests = []
        for at in range(0, max(count, 1), link.RESULT_WORDS):
            payload = link.READ_REQUEST.pack(addr + at, min(link.RESULT_WORDS, count - at))
            requests.append(self._post(Command.RESULT, payload, seconds))
        return requests

    def _results(self, asked: list[Request]) -> tuple[list[State], np.ndarray]:
        replies = [self.exchange.wait(request) for request in asked]
        words = b"".join(reply[link.STATE_PAYLOAD :] for reply in replies)
        states = [State.decode(reply) for reply in replies]
        return states, np.frombuffer(words, "<u4").astype(np.uint32)

    def ask(self, command: Command, payload: bytes = b"") -> bytes:
        """Send a request and return the payload of its reply."""
        return self.exchange.wait(self._post(command, payload))

    def _post(self, command: Command, payload: bytes = b"", seconds: float = 0.0) -> Request:
        return self.exchange.post(Request(command, payload, seconds))


def _run(start: Request) -> int:
    """Number of the run that a START begins."""
    return link.START_REQUEST.unpack(start.payload)[0]
