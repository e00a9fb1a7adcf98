"""Requests, one after the other: which are granted, and what they do to the core."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link
from hw.arch.config import Config
from hw.arch.link import Command, Reason
from hw.arch.memmap import Mem
from hw.core.ports import driver_members
from hw.soc.answer import Asked, Flags
from hw.soc.places import Places
from hw.soc.queue import any_of

_ARGUMENTS = max(link.PAYLOADS.values())  # bytes of a payload that are kept, words apart


class Requests(wiring.Component):
    """Takes requests out of the queue, does what they ask if they are granted, has them answered.

    Latency: from a request's first byte to ``begin`` 8 cycles and one for each byte of its
    payload, and while RESULT and ABORT wait for the core. Throughput: a request at a time.

    Parameters
    ----------
    config : Config
    rates : ints
        Of ``link.RATES`` those that may be asked for.

    Members
    -------
    i : In(stream of 8), urgent : In(1)
        From `RequestQueue`.
    begin : Out(1), asked : Out(Asked), over : In(1)
        To `Answer`; ``asked`` stays from ``begin`` to ``over``.
    change, wanted : Out(1), Out(8)
        From the answer to RATE on, until ``changed``: take the rate of this index. Meanwhile no
        request is taken.
    changed : In(1)
    rests : Out(1)
        There is no request in hand.
    start, limit, abort, busy, done, stopped, log_count, load_valid, load_addr, load_data, load_wait
        To the ports of ``hw.core.core.Core`` of these names.
    """

    i: stream.Interface
    urgent: Signal
    begin: Signal
    asked: Any
    over: Signal
    change: Signal
    wanted: Signal
    changed: Signal
    rests: Signal
    start: Signal
    limit: Signal
    abort: Signal
    busy: Signal
    done: Signal
    stopped: Any
    log_count: Signal
    load_valid: Signal
    load_addr: Signal
    load_data: Signal
    load_wait: Signal

    #: Of the core's ports, those that are read, and those that are driven.
    READS = ("busy", "done", "stopped", "log_count", "load_wait")
    DRIVES = ("start", "limit", "abort", "load_valid", "load_addr", "load_data")

    def __init__(self, config: Config, rates: tuple[int, ...]):
        self.config, self.rates = config, rates
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "urgent": In(1),
                "begin": Out(1),
                "asked": Out(Asked),
                "over": In(1),
                "change": Out(1),
                "wanted": Out(8),
                "changed": In(1),
                "rests": Out(1),
                **driver_members(self.READS + self.DRIVES),
            }
        )

    def elaborate(self, platform):
        m, r = Module(), _Registers()
        m.submodules.places = places = Places(self.config)
        m.d.comb += [
            r.taken.eq(self.i.valid & self.i.ready),
            r.byte.eq(self.i.payload),
            self.asked.count.eq(Mux(r.code == Command.CRC, r.arguments[32:], r.arguments[32:40])),
            self.asked.addr.eq(r.addr),
            *(self.asked[name].eq(getattr(r, name)) for name in r.ASKED),
            places.addr.eq(r.addr),
            places.count.eq(r.count),
            places.writes.eq(any_of(r.code, link.WRITES)),
            self.load_addr.eq(r.addr),
            self.load_data.eq(r.word),
            self.wanted.eq(r.arguments[:8]),
        ]
        goes = self.load_valid & (self.load_addr[27:] == Mem.OUT)
        m.d.comb += r.lands.eq(self.load_wait | goes)
        r.exist, r.asked_for = places.exist, self.asked.count
        with m.If(self.changed):
            m.d.sync += self.change.eq(0)
        with m.If(self.load_valid):
            m.d.sync += r.arguments[:16].eq(r.arguments[:16] + 1)
        m.d.sync += [self.start.eq(0), self.load_valid.eq(0), self.abort.eq(0)]  # one cycle each
        with m.FSM() as states:
            m.d.comb += self.rests.eq(states.ongoing("REST") & ~self.change)
            self._take(m, r)
            self._check(m, r)
            self._decide(m, r)
            self._act(m, r)
        with m.If(self.urgent):
            m.d.sync += r.urgent.eq(1)
        return m

    def _take(self, m: Module, r: "_Registers") -> None:
        """States that take a request from the queue."""
        with m.State("REST"):
            m.d.comb += self.i.ready.eq(~self.change)
            m.d.sync += [r.index.eq(0), r.reason.eq(0), r.left.eq(r.byte)]
            with m.If(r.taken):
                m.next = "HEAD"
                with m.If(r.byte == 0):
                    m.d.sync += Cat(r.code, r.sequence, r.tag).eq(0)
                    self._refuse(m, r, Reason.DAMAGED)
        with m.State("HEAD"):
            m.d.comb += self.i.ready.eq(1)
            with m.If(r.taken):
                head = Cat(r.code, r.sequence, r.tag)
                m.d.sync += [
                    head.eq(Cat(head[8:], r.byte)),
                    r.left.eq(r.left - 1),
                    r.index.eq(r.index + 1),
                ]
                with m.If(r.index == link.HEAD.size - 1):
                    m.d.sync += r.index.eq(0)
                    m.next = "CHECK"
        with m.State("ARGUMENTS"):
            with m.If((r.left == 0) | (any_of(r.code, link.WRITES) & (r.index == link.ADDR_BYTES))):
                m.d.sync += r.index.eq(0)
                m.next = "COUNT"
            with m.Else():
                m.d.comb += self.i.ready.eq(1)
                with m.If(r.taken):
                    m.d.sync += [
                        r.arguments.word_select(r.index, 8).eq(r.byte),
                        r.left.eq(r.left - 1),
                        r.index.eq(r.index + 1),
                    ]
        with m.State("SKIP"):  # what is left of a request that is refused
            m.d.comb += self.i.ready.eq(r.left != 0)
            with m.If(r.left == 0):
                self._answer(m, r)
            with m.Elif(r.taken):
                m.d.sync += r.left.eq(r.left - 1)

    def _check(self, m: Module, r: "_Registers") -> None:
        """The state that looks at a request's header and length."""
        with m.State("CHECK"):
            known, allowed, busy, free = Signal(), Signal(), Signal(), Signal()
            with m.Switch(r.code):
                for command in Command:
                    with m.Case(command):
                        m.d.comb += [
                            known.eq(1),
                            allowed.eq(_payload_allowed(command, r.left)),
                            busy.eq(self.busy & int(command in link.NEED_IDLE)),
                            free.eq(int(command in link.ANY_ORDER)),
                        ]
            with m.If(any_of(r.code, link.URGENT)):
                m.d.sync += r.urgent.eq(0)
            m.next = "ARGUMENTS"
            with m.If(~r.opened & ~free):
                self._refuse(m, r, Reason.CLOSED)
            with m.Elif((r.sequence != r.due) & ~free):
                self._refuse(m, r, Reason.ORDER)
            with m.Elif(~known):
                self._refuse(m, r, Reason.UNKNOWN)
            with m.Elif(~allowed):
                self._refuse(m, r, Reason.LENGTH)
            with m.Elif(busy):
                self._refuse(m, r, Reason.BUSY)
            with m.Elif(r.code == Command.ABORT):
                m.d.sync += self.abort.eq(1)

    def _decide(self, m: Module, r: "_Registers") -> None:
        """The state that looks at a request's arguments, and may wait for the core."""
        with m.State("COUNT"):
            with m.Switch(r.code):
                with m.Case(Command.WRITE):
                    m.d.sync += r.count.eq(r.left >> 2)
                with m.Case(Command.WRITE_BYTES):
                    m.d.sync += r.count.eq(r.left)
                with m.Default():
                    m.d.sync += r.count.eq(r.asked_for)
            m.next = "LOOK"
        with m.State("LOOK"):  # registers take whether it is allowed
            few = Signal()
            with m.Switch(r.code):
                for command, (least, most) in link.WORDS.items():
                    with m.Case(command):
                        m.d.comb += few.eq((r.asked_for >= least) & (r.asked_for <= most))
                with m.Default():
                    m.d.comb += few.eq(1)
            logged = (r.addr + r.count) <= self.log_count
            nowhere = Mux(r.code == Command.LOG, ~logged, any_of(r.code, link.PLACES) & ~r.exist)
            m.d.sync += [r.crowd.eq(~few), r.nowhere.eq(nowhere)]
            m.next = "DECIDE"
        with m.State("DECIDE"):
            waits, rate = Signal(), Signal()
            again = r.arguments[:16] == r.run
            with m.Switch(r.arguments[:8]):
                for each in self.rates:
                    with m.Case(link.RATES.index(each)):
                        m.d.comb += rate.eq(1)
            with m.If(self.busy):
                with m.If(r.code == Command.RESULT):
                    m.d.comb += waits.eq(~r.urgent)
                with m.Elif(r.code == Command.ABORT):
                    m.d.comb += waits.eq(1)
            m.d.sync += [
                r.flags.busy.eq(self.busy),
                r.flags.done.eq(self.done),
                r.flags.stopped.eq(self.stopped),
            ]
            with m.If(r.crowd):
                self._refuse(m, r, Reason.LENGTH)
            with m.Elif(r.nowhere):
                self._refuse(m, r, Reason.ADDRESS)
            with m.Elif((r.code == Command.RATE) & ~rate):
                self._refuse(m, r, Reason.RATE)
            with m.Elif((r.code == Command.START) & self.busy & ~again):
                self._refuse(m, r, Reason.BUSY)
            with m.Elif(~waits):
                m.d.sync += r.due.eq(r.sequence + 1)
                with m.If(any_of(r.code, link.WRITES)):
                    m.next = "WRITE"
                with m.Else():
                    self._answer(m, r)
                with m.If((r.code == Command.START) & ~again):
                    m.d.sync += [
                        self.start.eq(1),
                        r.run.eq(r.arguments[:16]),
                        self.limit.eq(r.arguments[16:]),
                    ]
                with m.If(r.code == Command.IDENTIFY):
                    m.d.sync += r.opened.eq(1)
                    with m.If(r.arguments[:32] != r.session):
                        m.d.sync += r.run.eq(0)

    def _act(self, m: Module, r: "_Registers") -> None:
        """States that write words, and that wait for the answer to be given."""
        with m.State("WRITE"):
            bytes_ = r.code == Command.WRITE_BYTES
            m.d.comb += self.i.ready.eq(~r.lands)
            with m.If(r.taken):
                m.d.sync += [
                    r.word.eq(Mux(bytes_, r.byte, Cat(r.word[8:], r.byte))),
                    self.load_valid.eq(bytes_ | (r.index[:2] == 3)),
                    r.left.eq(r.left - 1),
                    r.index.eq(r.index + 1),
                ]
                with m.If(r.left == 1):
                    self._answer(m, r)
        with m.State("ANSWER"):
            m.d.comb += self.begin.eq(~r.begun & ~r.lands)
            with m.If(self.begin):
                m.d.sync += r.begun.eq(1)
            with m.If(self.over):
                m.next = "REST"
                with m.If((r.code == Command.IDENTIFY) & (r.reason == 0)):
                    m.d.sync += r.session.eq(r.arguments[:32])
                with m.If((r.code == Command.RATE) & (r.reason == 0)):
                    m.d.sync += self.change.eq(1)

    def _answer(self, m: Module, r: "_Registers") -> None:
        m.d.sync += r.begun.eq(0)
        m.next = "ANSWER"

    def _refuse(self, m: Module, r: "_Registers", reason: Reason) -> None:
        m.d.sync += r.reason.eq(reason)
        m.next = "SKIP"


class _Registers:
    """Registers and signals of the request in hand, and of the session."""

    ASKED = ("code", "sequence", "tag", "reason", "due", "flags", "run", "session")

    def __init__(self):
        self.code, self.sequence, self.tag = Signal(8), Signal(8), Signal(8)
        self.left = Signal(8)  # bytes of it in the queue
        self.index = Signal(3)  # bytes of this part of it that were taken
        self.arguments = Signal(8 * _ARGUMENTS)  # the payload, without words to write
        self.addr = self.arguments[: 8 * link.ADDR_BYTES]
        self.reason = Signal(Reason)  # 0: granted
        self.count = Signal(16)  # words that it writes or asks for
        self.word = Signal(32)  # that is written
        self.flags: Any = Signal(Flags)  # when it was granted
        self.exist: Any = None  # its places do
        self.asked_for: Any = None  # words, of one that asks for some
        self.taken, self.byte = Signal(), Signal(8)  # one of it, in this cycle
        self.crowd, self.nowhere = Signal(), Signal()  # words asked for: too many, no such place
        self.begun = Signal()  # the answer was
        self.lands = Signal()  # a word that was written last is on its way
        self.urgent = Signal()  # one has come that ends a RESULT's waiting
        self.opened, self.session = Signal(), Signal(32)
        self.due = Signal(8)  # sequence number
        self.run = Signal(16)


def _payload_allowed(command: Command, length: Value) -> Value:
    """Tell whether a request's payload may have this length, which is no more than MAX_PAYLOAD."""
    if command == Command.WRITE:
        return (length[:2] == 0) & (length > link.ADDR_BYTES)
    if command == Command.WRITE_BYTES:
        return length > link.ADDR_BYTES
    return length == link.PAYLOADS[command]
