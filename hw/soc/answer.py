"""Answers: what a reply holds, word by word."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link, timing
from hw.arch.config import Config
from hw.arch.link import Command, Reason
from hw.arch.memmap import Stopped
from hw.core.ports import driver_members
from hw.soc.framing import CRC32

_STATE_WORDS = link.STATE_PAYLOAD // 4


class Flags(data.Struct):
    """What the core does, as State says it."""

    busy: unsigned(1)
    done: unsigned(1)
    stopped: Stopped


class Asked(data.Struct):
    """A request that is to be answered."""

    code: unsigned(8)
    sequence: unsigned(8)
    tag: unsigned(8)
    reason: Reason  #: Why it is refused; 0: it is granted.
    due: unsigned(8)  #: Sequence number that is due, for one that is refused.
    addr: unsigned(
        32
    )  #: Of the first word asked for, in the load port; or an instruction's number.
    count: unsigned(16)  #: Words asked for.
    flags: Flags
    run: unsigned(16)
    session: unsigned(32)


class Answer(wiring.Component):
    """Gives the bytes of a reply, reading of the core what it asks for.

    Latency: the first byte is valid 1 cycle after ``begin``; of CRC, `timing.peek_cycles` and 38
    cycles a word later. Throughput: 4 bytes in 5 cycles, and `timing.peek_cycles` more where they
    are read from a memory.

    Parameters
    ----------
    config : Config
    identity : bytes
        Identity of the device.

    Members
    -------
    begin : In(1), asked : In(Asked)
        Answer this, which stays until ``over``.
    over : Out(1)
        The last byte is taken in this cycle.
    o : Out(stream of ``byte`` and ``last``)
        Header and payload of the reply.
    pc, cycles, stalls, log_count, log_addr, log_data, peek, peek_addr, peek_data, peek_wait
        To the ports of ``hw.core.core.Core`` of these names.
    """

    begin: Signal
    asked: Any
    over: Signal
    o: stream.Interface
    pc: Signal
    cycles: Signal
    stalls: Signal
    log_count: Signal
    log_addr: Signal
    log_data: Signal
    peek: Signal
    peek_addr: Signal
    peek_data: Signal
    peek_wait: Signal

    #: Of the core's ports, those that are read, and those that are driven.
    READS = ("pc", "cycles", "stalls", "log_count", "log_data", "peek_data", "peek_wait")
    DRIVES = ("log_addr", "peek", "peek_addr")

    def __init__(self, config: Config, identity: bytes):
        self.config, self.identity = config, identity
        assert link.SESSION.size + len(identity) >= link.IDENTITY_PAYLOAD
        super().__init__(
            {
                "begin": In(1),
                "asked": In(Asked),
                "over": Out(1),
                "o": Out(stream.Signature(data.StructLayout({"byte": 8, "last": 1}))),
                **driver_members(self.READS + self.DRIVES),
            }
        )

    def elaborate(self, platform):
        m, asked = Module(), self.asked
        m.submodules.crc = crc = CRC32()
        o: Any = self.o.payload
        refused, sums, logs = Signal(), Signal(), Signal()
        word, addr, left = Signal(32), Signal(32), Signal(8)  # left: bytes of payload
        index = Signal(8)  # bytes of header, and then of payload, that were given
        words, wait = Signal(16), Signal(range(timing.peek_cycles(self.config)))
        put = Signal()
        m.d.comb += [
            refused.eq(asked.reason != 0),
            sums.eq((asked.code == Command.CRC) & ~refused),
            logs.eq(asked.code == Command.LOG),
            put.eq(self.o.valid & self.o.ready),
            self.over.eq(put & o.last),
            self.peek_addr.eq(addr),
            self.log_addr.eq(addr),
            crc.i.payload.eq(word[:8]),
        ]
        with m.FSM():
            with m.State("REST"):
                m.d.comb += crc.clear.eq(1)
                m.d.sync += [
                    addr.eq(asked.addr),
                    words.eq(asked.count),
                    left.eq(self._payload(m)),
                    index.eq(0),
                ]
                with m.If(self.begin):
                    m.next = "HEAD"
                    with m.If(sums):
                        m.next = "ASK"
            with m.State("HEAD"):
                code = Mux(refused, link.NAK, link.REPLY | asked.code)
                head = Cat(code[:8], asked.sequence, asked.tag)
                m.d.comb += [
                    self.o.valid.eq(1),
                    o.byte.eq(head.word_select(index[:2], 8)),
                    o.last.eq((index == link.HEAD.size - 1) & (left == 0)),
                ]
                with m.If(put):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == link.HEAD.size - 1):
                        m.d.sync += index.eq(0)
                        m.next = "WORD"
                        with m.If(left == 0):
                            m.next = "REST"
            with m.State("WORD"):
                m.d.sync += word.eq(self._word(m, index[2:], crc.crc))
                m.next = "GIVE"
                reads = (asked.code == Command.READ) | logs
                reads |= (asked.code == Command.RESULT) & (index[2:] >= _STATE_WORDS)
                with m.If(reads & ~refused):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.peek.eq(~logs)
                m.d.sync += wait.eq(timing.peek_cycles(self.config) - 1)
                m.next = "READ"
            with m.State("READ"):
                with m.If(wait != 0):
                    m.d.sync += wait.eq(wait - 1)
                with m.Elif(~self.peek_wait):
                    m.d.sync += [
                        word.eq(Mux(logs, self.log_data, self.peek_data)),
                        addr[:16].eq(addr[:16] + 1),
                        words.eq(words - 1),
                    ]
                    m.next = "GIVE"
                    with m.If(sums):
                        m.next = "SUM"
            with m.State("SUM"):
                m.d.comb += crc.i.valid.eq(1)
                with m.If(crc.i.ready):
                    m.d.sync += [word.eq(word >> 8), index.eq(index + 1)]
                    with m.If(index[:2] == 3):
                        m.d.sync += index.eq(0)
                        m.next = "ASK"
                        with m.If(words == 0):
                            m.next = "SUMMED"
            with m.State("SUMMED"):
                with m.If(crc.i.ready):
                    m.next = "HEAD"
            with m.State("GIVE"):
                m.d.comb += [self.o.valid.eq(1), o.byte.eq(word[:8]), o.last.eq(left == 1)]
                with m.If(put):
                    m.d.sync += [word.eq(word >> 8), index.eq(index + 1), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "REST"
                    with m.Elif(index[:2] == 3):
                        m.next = "WORD"
        return m

    def _payload(self, m: Module) -> Signal:
        """Bytes of the reply's payload."""
        asked, size = self.asked, Signal(8)
        words = asked.count[:6] << 2
        with m.If(asked.reason != 0):
            m.d.comb += size.eq(link.REFUSAL.size)
        with m.Else():
            with m.Switch(asked.code):
                with m.Case(Command.IDENTIFY):
                    m.d.comb += size.eq(link.SESSION.size + len(self.identity))
                with m.Case(Command.STATUS, Command.ABORT):
                    m.d.comb += size.eq(link.STATE_PAYLOAD)
                with m.Case(Command.RESULT):
                    m.d.comb += size.eq(link.STATE_PAYLOAD + Mux(asked.flags.busy, 0, words))
                with m.Case(Command.READ, Command.LOG):
                    m.d.comb += size.eq(words)
                with m.Case(Command.CRC):
                    m.d.comb += size.eq(link.CRC_REPLY.size)
        return size

    def _word(self, m: Module, number, crc) -> Signal:
        """A word of the reply that is not read from a memory."""
        asked, word = self.asked, Signal(32)
        parts = range(0, len(self.identity), 4)
        rom = [int.from_bytes(self.identity[at : at + 4], "little") for at in parts]
        size = (len(rom) + 1 - 1).bit_length()
        rom = Choice(Const(value, 32) for value in [0, *rom, *[0] * ((1 << size) - 1 - len(rom))])
        state = Choice(
            [
                Cat(asked.flags, Const(0, 12), asked.run),
                Cat(self.pc, Const(0, 16) | self.log_count),
                self.cycles,
                self.stalls,
            ]
        )
        with m.If(asked.reason != 0):
            m.d.comb += word.eq(asked.reason | asked.due << 8)
        with m.Elif(asked.code == Command.IDENTIFY):
            m.d.comb += word.eq(Mux(number == 0, asked.session, rom[number[:size]]))
        with m.Elif(asked.code == Command.CRC):
            m.d.comb += word.eq(crc)
        with m.Else():
            m.d.comb += word.eq(state[number[:2]])
        return word
