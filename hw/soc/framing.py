"""Frames on a byte stream: delimiters, stuffing and CRC-32, as `hw.arch.link` says."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link
from hw.arch.link import CRC_BYTES, HEAD, MAX_PAYLOAD

_POLYNOMIAL = 0xEDB88320  # CRC-32 of zlib, low bit first
_LONGEST = HEAD.size + MAX_PAYLOAD + CRC_BYTES
_SHORTEST = HEAD.size + CRC_BYTES


class CRC32(wiring.Component):
    """zlib.crc32 of bytes, a bit in a cycle.

    Latency: a byte is in ``crc`` 8 cycles after it was taken. Throughput: a byte in 9 cycles.

    Members
    -------
    clear : In(1)
        No bytes so far; also in the cycle that takes the first one, before it.
    i : In(stream of 8)
        Bytes.
    crc : Out(32)
        Of the bytes so far, while ``i.ready``.
    """

    clear: Signal
    i: stream.Interface
    crc: Signal

    def __init__(self) -> None:
        super().__init__({"clear": In(1), "i": In(stream.Signature(8)), "crc": Out(32)})

    def elaborate(self, platform):
        m = Module()
        bits, byte, crc = Signal(range(9)), Signal(8), Signal(32)
        m.d.comb += [self.i.ready.eq(bits == 0), self.crc.eq(crc)]
        odd = ~crc[0] ^ byte[0]  # the remainder is the CRC's inverse
        with m.If(bits != 0):
            m.d.sync += [
                bits.eq(bits - 1),
                byte.eq(byte >> 1),
                crc.eq(~((~crc >> 1) ^ Mux(odd, _POLYNOMIAL, 0))),
            ]
        with m.If(self.clear):
            m.d.sync += crc.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [bits.eq(8), byte.eq(self.i.payload)]
        return m


class Deframer(wiring.Component):
    """What frames hold, out of what the line brings.

    Latency: none from a byte to ``taken``, or from an END to ``ended``. Throughput: a byte in 10
    cycles.

    Members
    -------
    i : In(stream of 8)
        Bytes from the line.
    byte, taken : Out(8), Out(1)
        A byte between ENDs, CRC included, without stuffing; there is one in this cycle.
    count : Out(range of a frame's bytes + 2)
        Bytes of this frame before this one; it stops at one more than a frame may have.
    full : Out(1)
        It does.
    ended, good : Out(1)
        A frame that has bytes is over; its length may be and its CRC is right.
    """

    i: stream.Interface
    byte: Signal
    taken: Signal
    count: Signal
    full: Signal
    ended: Signal
    good: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "byte": Out(8),
                "taken": Out(1),
                "count": Out(range(_LONGEST + 2)),
                "full": Out(1),
                "ended": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32()
        escaped, count = Signal(), Signal.like(self.count)
        came, settled, right = Signal(), Signal(), Signal()
        end, escape = self.i.payload == link.END, self.i.payload == link.ESCAPE
        m.d.comb += [
            came.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(crc.i.ready & settled),
            self.count.eq(count),
            self.full.eq(count == _LONGEST + 1),
            self.byte.eq(self.i.payload ^ Mux(escaped, link.STUFFING, 0)),
            self.taken.eq(came & ~end & (~escape | escaped)),
            self.ended.eq(came & end & ((count != 0) | escaped)),
            self.good.eq(right & ~escaped),
            crc.i.payload.eq(self.byte),
            crc.i.valid.eq(self.taken),
            crc.clear.eq(count == 0),
        ]
        m.d.sync += [
            settled.eq(crc.i.ready & ~self.taken),
            right.eq((crc.crc == link.CRC_RESIDUE) & (count >= _SHORTEST) & (count <= _LONGEST)),
        ]
        with m.If(came):
            m.d.sync += escaped.eq(escape & ~escaped)
            with m.If(end):
                m.d.sync += count.eq(0)
            with m.Elif(self.taken & ~self.full):
                m.d.sync += count.eq(count + 1)
        return m


class Framer(wiring.Component):
    """Frames, out of what they are to hold.

    Latency: the END before a frame is valid as soon as its first byte is. Throughput: a byte in 9
    cycles.

    Members
    -------
    i : In(stream of ``byte``, 8 bits, and ``last``)
        Bytes before the CRC; the last one of a frame is marked.
    o : Out(stream of 8)
        Bytes for the line.
    idle : Out(1)
        All that was taken has been given.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self) -> None:
        layout = data.StructLayout({"byte": 8, "last": 1})
        super().__init__(
            {"i": In(stream.Signature(layout)), "o": Out(stream.Signature(8)), "idle": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32()
        i: Any = self.i.payload
        byte, sent, escaped = Signal(8), Signal(), Signal()
        number, special = Signal(range(CRC_BYTES)), Signal()  # number: of the CRC's byte
        m.d.comb += [
            sent.eq(self.o.valid & self.o.ready),
            special.eq((byte == link.END) | (byte == link.ESCAPE)),
            crc.i.payload.eq(i.byte),
        ]

        def put(*following):
            """Offer ``byte``, stuffed; when it is taken do ``following``."""
            m.d.comb += self.o.payload.eq(
                Mux(escaped, byte ^ link.STUFFING, Mux(special, link.ESCAPE, byte))
            )
            with m.If(sent):
                m.d.sync += escaped.eq(special & ~escaped)
                with m.If(~special | escaped):
                    for do in following:
                        do()

        with m.FSM():
            with m.State("REST"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(link.END)]
                m.d.comb += [crc.clear.eq(1), self.idle.eq(~self.i.valid)]
                m.d.sync += number.eq(0)
                with m.If(sent):
                    m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += [byte.eq(i.byte), self.o.valid.eq(self.i.valid & crc.i.ready)]

                def take():
                    m.d.comb += [self.i.ready.eq(1), crc.i.valid.eq(1)]
                    with m.If(i.last):
                        m.next = "CRC"

                put(take)
            with m.State("CRC"):
                m.d.comb += [
                    byte.eq(crc.crc.word_select(number, 8)),
                    self.o.valid.eq(crc.i.ready),
                ]

                def step():
                    m.d.sync += number.eq(number + 1)
                    with m.If(number == CRC_BYTES - 1):
                        m.next = "END"

                put(step)
            with m.State("END"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(link.END)]
                with m.If(sent):
                    m.next = "REST"
        return m
