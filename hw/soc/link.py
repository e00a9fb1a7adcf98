"""Link endpoint: takes frames, does what they ask of the core, answers."""

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link, timing
from hw.arch.config import Config
from hw.arch.link import Command, Reason
from hw.arch.memmap import Mem, load_addr

_WORDS = (Command.WRITE, Command.WRITE_BYTES)  # requests that the buffer is walked for
_IDLE_CORE = (*_WORDS, Command.READ, Command.START)  # requests refused while the core is busy


class LinkEndpoint(wiring.Component):
    """The device's side of ``hw.arch.link``: half duplex, one request at a time.

    A frame is kept in a block RAM until its CRC has been checked; only then is anything done.
    Bytes that arrive before a reply's last byte has been sent are not taken.

    Latency: the reply begins 2 cycles after the frame's last byte; 3 more per payload byte of
    WRITE, WRITE_BYTES and READ. Throughput: 1 byte per cycle in; out 1 per cycle and 2 cycles
    per 4 payload bytes.

    Parameters
    ----------
    config : Config
        Told to the host, with its digest.
    clk_freq : int
        Hz; told to the host.

    Members
    -------
    i, o : In, Out(stream of 8)
        Bytes from and to the host.
    tick : In(1)
        Pulses; a half-received frame is given up at the second one after its last byte.
    start, busy, done, cycles, load_valid, load_addr, load_data, peek, peek_addr, peek_data
        To the ports of ``hw.core.core.Core`` of these names.
    """

    i: stream.Interface
    o: stream.Interface
    tick: Signal
    start: Signal
    busy: Signal
    done: Signal
    cycles: Signal
    load_valid: Signal
    load_addr: Signal
    load_data: Signal
    peek: Signal
    peek_addr: Signal
    peek_data: Signal

    def __init__(self, config: Config, *, clk_freq: int):
        self.wait = timing.peek_cycles(config, Mem.PIX)
        self.identity = link.Identity(
            version=link.VERSION, digest=config.digest, clock=int(clk_freq), config=config
        ).encode()
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "tick": In(1),
                "start": Out(1),
                "busy": In(1),
                "done": In(1),
                "cycles": In(32),
                "load_valid": Out(1),
                "load_addr": Out(32),
                "load_data": Out(32),
                "peek": Out(1),
                "peek_addr": Out(32),
                "peek_data": In(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        f = _Frame()
        m.submodules.buffer = buffer = memory.Memory(
            shape=8, depth=256, init=[], attrs={"ram_style": "block"}
        )
        write, read = buffer.write_port(), buffer.read_port()
        m.d.comb += [
            f.taken.eq(self.i.valid & self.i.ready),
            f.sent.eq(self.o.valid & self.o.ready),
            f.following.eq(f.index + 1),
            f.refused.eq(f.reason != 0),
            f.read.eq(read.data),
            self.load_addr.eq(f.addr),
            self.load_data.eq(f.word),
            self.peek_addr.eq(f.addr[:16] | load_addr(Mem.PIX, 0)),
            write.addr.eq(f.index),
            write.data.eq(self.i.payload),
            write.en.eq(f.write),
            read.addr.eq(f.index),
        ]
        new_crc = _crc_step(f.crc, Mux(self.i.ready, self.i.payload, self.o.payload))
        with m.If(f.taken | f.sent):
            m.d.sync += f.crc.eq(new_crc)
        with m.If(f.taken):
            m.d.sync += f.stale.eq(0)
        with m.Elif(self.tick):
            m.d.sync += f.stale.eq(1)
        with m.FSM():
            self._request(m, f)
            self._check(m, f)
            self._act(m, f)
            self._reply(m, f)
        return m

    def _unless_silent(self, m: Module, f: "_Frame") -> None:
        """End a frame that stopped half way."""
        with m.If(self.tick & f.stale & ~f.taken):
            m.d.sync += [f.index.eq(0), f.reason.eq(Reason.TIMEOUT)]
            m.next = "SYNC"

    def _request(self, m: Module, f: "_Frame") -> None:
        """States that take a request."""
        with m.State("IDLE"):
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += [f.crc.eq(0), f.index.eq(0), f.reason.eq(0), f.stale.eq(0)]
            with m.If(f.taken & (self.i.payload == link.SYNC)):
                m.next = "HEAD"
        with m.State("HEAD"):
            m.d.comb += self.i.ready.eq(1)
            with m.If(f.taken):
                m.d.sync += f.index.eq(f.following)
                with m.Switch(f.index[:2]):
                    with m.Case(0):
                        m.d.sync += f.code.eq(self.i.payload)
                        m.d.sync += f.known.eq(
                            (self.i.payload >= min(Command)) & (self.i.payload <= max(Command))
                        )
                    with m.Case(1):
                        m.d.sync += f.tag.eq(self.i.payload)
                    with m.Default():
                        m.d.sync += [f.length.eq(self.i.payload), f.index.eq(0)]
                        m.next = "BODY"
                        with m.If(self.i.payload == 0):
                            m.next = "CRC"
            self._unless_silent(m, f)
        with m.State("BODY"):
            m.d.comb += [self.i.ready.eq(1), f.write.eq(self.i.valid)]
            with m.If(f.taken):
                m.d.sync += f.index.eq(f.following)
                with m.If(f.following == f.length):
                    m.d.sync += f.index.eq(0)
                    m.next = "CRC"
            self._unless_silent(m, f)
        with m.State("CRC"):
            m.d.comb += self.i.ready.eq(1)
            with m.If(f.taken):
                m.d.sync += f.index.eq(f.following)
                with m.If(f.index[0]):
                    m.next = "CHECK"
            self._unless_silent(m, f)

    def _check(self, m: Module, f: "_Frame") -> None:
        """The state that grants or refuses a request."""
        with m.State("CHECK"):
            m.d.sync += f.index.eq(0)
            allowed, busy, reply = Signal(), Signal(), Signal(8)
            with m.Switch(f.code):
                for command in Command:
                    with m.Case(command):
                        m.d.comb += [
                            allowed.eq(_length_allowed(command, f.length)),
                            busy.eq(self.busy & int(command in _IDLE_CORE)),
                            reply.eq(_REPLY_PAYLOAD.get(command, 0)),
                        ]
            with m.If(f.crc != 0):
                m.d.sync += f.reason.eq(Reason.CRC)
                m.next = "SYNC"
            with m.Elif(~f.known):
                m.d.sync += f.reason.eq(Reason.UNKNOWN)
                m.next = "SYNC"
            with m.Elif(~allowed):
                m.d.sync += f.reason.eq(Reason.LENGTH)
                m.next = "SYNC"
            with m.Elif(busy):
                m.d.sync += f.reason.eq(Reason.BUSY)
                m.next = "SYNC"
            with m.Elif(
                (f.code == Command.READ)
                | (f.code == Command.WRITE)
                | (f.code == Command.WRITE_BYTES)
            ):
                m.next = "FETCH"
            with m.Else():
                m.d.comb += self.start.eq(f.code == Command.START)
                m.d.sync += f.length.eq(reply)
                m.next = "SYNC"

    def _act(self, m: Module, f: "_Frame") -> None:
        """States that do what a request with a payload asks."""
        with m.State("FETCH"):
            m.next = "TAKE"
        with m.State("TAKE"):
            # Bytes enter at the top; the single byte of a WRITE_BYTES word is the whole word.
            m.d.sync += [f.index.eq(f.following), f.word.eq(Cat(f.word[8:], f.read))]
            with m.If((f.code == Command.WRITE_BYTES) & (f.index[2:] != 0)):
                m.d.sync += f.word.eq(f.read)
            m.next = "ACT"
        with m.State("ACT"):
            m.next = "FETCH"
            with m.If(f.index == f.length):
                m.d.sync += [f.index.eq(0), f.length.eq(0)]
                m.next = "SYNC"
            with m.If(f.index == link.ADDR_BYTES):
                m.d.sync += f.addr.eq(f.word)
            with m.Elif(f.index[2:] != 0):
                with m.If(f.code == Command.READ):
                    n_words = f.word[24:]
                    m.d.sync += f.length.eq(n_words << 2)
                    with m.If((n_words == 0) | (n_words > link.MAX_WORDS)):
                        m.d.sync += f.reason.eq(Reason.LENGTH)
                with m.Elif((f.code == Command.WRITE_BYTES) | (f.index[:2] == 0)):
                    m.d.comb += self.load_valid.eq(1)
                    m.d.sync += f.addr[:16].eq(f.addr[:16] + 1)

    def _reply(self, m: Module, f: "_Frame") -> None:
        """States that send the reply."""
        total = Mux(f.refused, 1, f.length)
        with m.State("SYNC"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(link.SYNC)]
            m.d.sync += f.crc.eq(0)
            with m.If(f.sent):
                m.next = "CODE"
        with m.State("CODE"):
            m.d.comb += [
                self.o.valid.eq(1),
                self.o.payload.eq(Mux(f.refused, link.NAK, link.REPLY | f.code)),
            ]
            with m.If(f.sent):
                m.next = "TAG"
        with m.State("TAG"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(f.tag)]
            with m.If(f.sent):
                m.next = "LENGTH"
        with m.State("LENGTH"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(total)]
            with m.If(f.sent):
                m.next = "WAIT"
                with m.If(total == 0):
                    m.next = "CRC_HIGH"
        with m.State("WAIT"):  # a word of pixel memory is peeked at
            m.d.comb += self.peek.eq((f.code == Command.READ) & (f.peeked == 0))
            m.d.sync += f.peeked.eq(f.peeked + 1)
            with m.If((f.code != Command.READ) | (f.peeked == self.wait - 1)):
                m.d.sync += f.peeked.eq(0)
                m.next = "LOAD"
        with m.State("LOAD"):
            with m.Switch(Cat(f.index[2], f.code == Command.READ)):
                with m.Case("00"):
                    m.d.sync += f.word.eq(Cat(self.busy, self.done))
                with m.Case("01"):
                    m.d.sync += f.word.eq(self.cycles)
                with m.Default():
                    m.d.sync += f.word.eq(self.peek_data)
            m.d.sync += f.addr[:16].eq(f.addr[:16] + 1)
            m.next = "SEND"
        with m.State("SEND"):
            m.d.comb += self.o.valid.eq(1)
            bits = (len(self.identity) - 1).bit_length()
            rom = Choice(Const(v, 8) for v in self.identity.ljust(1 << bits, b"\0"))
            with m.If(f.refused):
                m.d.comb += self.o.payload.eq(f.reason)
            with m.Elif(f.code == Command.IDENTIFY):
                m.d.comb += self.o.payload.eq(rom[f.index[:bits]])
            with m.Else():
                m.d.comb += self.o.payload.eq(f.word[:8])
            with m.If(f.sent):
                m.d.sync += [f.word.eq(f.word >> 8), f.index.eq(f.following)]
                with m.If(f.following == total):
                    m.next = "CRC_HIGH"
                with m.Elif(f.following[:2] == 0):
                    m.next = "WAIT"
        with m.State("CRC_HIGH"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(f.crc[8:])]
            m.d.sync += f.crc.eq(f.crc)
            with m.If(f.sent):
                m.next = "CRC_LOW"
        with m.State("CRC_LOW"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(f.crc[:8])]
            with m.If(f.sent):
                m.next = "IDLE"


class _Frame:
    """Registers and signals of the request in hand and of its reply."""

    def __init__(self):
        self.code = Signal(3)  # of a known command
        self.known = Signal()
        self.tag = Signal(8)
        self.length = Signal(8)  # payload bytes, of the request and then of the reply
        self.index = Signal(8)  # payload bytes done
        self.reason = Signal(range(max(Reason) + 1))  # 0: granted
        self.refused = Signal()
        self.peeked = Signal(4)  # cycles since the request for a word
        self.crc = Signal(16)
        self.word = Signal(32)
        self.addr = Signal(32)
        self.stale = Signal()  # a tick has passed without a byte
        self.taken, self.sent = Signal(), Signal()  # a byte, in this cycle
        self.following = Signal(8)  # index + 1
        self.write, self.read = Signal(), Signal(8)  # a byte to the buffer, from it


_REPLY_PAYLOAD = {
    Command.IDENTIFY: link.IDENTITY_PAYLOAD,
    Command.STATUS: link.STATUS_PAYLOAD,
}


def _length_allowed(command: Command, length: Value):
    """Tell whether a request's payload may have this length."""
    if command == Command.WRITE:
        return (length[:2] == 0) & (length > link.ADDR_BYTES) & (length <= link.MAX_PAYLOAD)
    if command == Command.WRITE_BYTES:
        return (length > link.ADDR_BYTES) & (length <= link.MAX_PAYLOAD)
    return length == (link.READ_PAYLOAD if command == Command.READ else 0)


def _crc_step(crc: Value, byte: Value) -> Value:
    """CRC-16/XMODEM of one more byte (see ``hw.arch.link.crc16``), as XORs of its bits."""
    # The step is linear: its value at each single bit of (crc ^ byte << 8) is all there is.
    state = crc ^ Cat(Const(0, 8), byte)
    rows = [link.crc16(b"\0", 1 << k) for k in range(16)]
    out = []
    for bit in range(16):
        parity: Value = Const(0, 1)
        for k in range(16):
            if rows[k] >> bit & 1:
                parity = parity ^ state[k]
        out.append(parity)
    return Cat(out)
