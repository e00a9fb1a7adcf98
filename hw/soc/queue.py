"""The requests that a device has and has not done yet."""

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.link import CRC_BYTES, QUEUE, URGENT, Command
from hw.soc.framing import Deframer


class RequestQueue(wiring.Component):
    """Requests from the line, whole and undamaged ones only, byte by byte.

    Each is a byte that tells how many follow: header and payload, no CRC. A 0 stands for a damaged
    frame. A frame for which there is no room counts as damaged; where there is none for the 0
    either, nothing tells of it.

    Latency: a request's first byte is valid 2 cycles after its END was taken. Throughput: in a
    byte in 10 cycles, out one a cycle.

    Parameters
    ----------
    depth : int
        Bytes; a power of two, more than a frame.

    Members
    -------
    i : In(stream of 8)
        Bytes from the line.
    o : Out(stream of 8)
        Requests.
    good, urgent, abort : Out(1)
        In this cycle a request has come whole; it is one of ``link.URGENT``; it is ABORT.
    """

    i: stream.Interface
    o: stream.Interface
    good: Signal
    urgent: Signal
    abort: Signal

    def __init__(self, depth: int = QUEUE):
        assert depth & (depth - 1) == 0
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "good": Out(1),
                "urgent": Out(1),
                "abort": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.deframer = deframer = Deframer()
        m.submodules.kept = kept = memory.Memory(
            shape=8, depth=self.depth, init=[], attrs={"ram_style": "block"}
        )
        write, read = kept.write_port(), kept.read_port()
        wiring.connect(m, wiring.flipped(self.i), deframer.i)

        # From `first` to `last` are whole requests; behind them, after a byte for its length,
        # comes the one that is being received. `shown` is `last` when what it tells of is in the
        # memory, and can be read.
        first, last, shown = (Signal(range(self.depth), name=n) for n in ("first", "last", "shown"))
        place, stored = Signal.like(first), Signal.like(first)  # of the next byte
        following, code = Signal.like(first), Signal(8)
        lacking = Signal()  # there is no room for the frame that is being received
        whole = Signal()
        next_place = Signal.like(first)
        m.d.sync += stored.eq(next_place ^ 1)  # a register is 0 at first
        m.d.comb += [
            place.eq(stored ^ 1),
            next_place.eq(place),
            whole.eq(deframer.good & ~lacking),
            following.eq(Mux(whole, place - CRC_BYTES, last + 1)),
            write.addr.eq(Mux(deframer.ended, last, place)),
            write.data.eq(
                Mux(deframer.ended, Mux(whole, deframer.count - CRC_BYTES, 0), deframer.byte)
            ),
        ]
        m.d.sync += shown.eq(last)
        with m.If(deframer.ended):
            m.d.sync += lacking.eq(0)
            m.d.comb += next_place.eq(last + 1)
            with m.If(following != first):
                m.d.comb += write.en.eq(1)
                m.d.sync += last.eq(following)
                m.d.comb += next_place.eq(Mux(whole, place - (CRC_BYTES - 1), last + 2))
            m.d.comb += self.good.eq(whole)
        with m.Elif(deframer.taken):
            m.d.comb += write.en.eq((place != first) & ~lacking)
            with m.If(~deframer.full):
                m.d.comb += next_place.eq(place + 1)  # last + 1 + deframer.count
            with m.If(place == first):
                m.d.sync += lacking.eq(1)
            with m.If(deframer.count == 0):
                m.d.sync += code.eq(deframer.byte)
        m.d.comb += [
            self.urgent.eq(self.good & any_of(code, URGENT)),
            self.abort.eq(self.good & (code == Command.ABORT)),
            self.o.valid.eq(first != shown),
            self.o.payload.eq(read.data),
            read.addr.eq(first),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += read.addr.eq(first + 1)
            m.d.sync += first.eq(first + 1)
        return m


def any_of(code: Value, commands: Sequence[Command]) -> Value:
    """Whether a code is one of these, as a signal."""
    return Cat(code == command for command in commands).any()
