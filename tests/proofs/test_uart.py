# amaranth: UnusedElaboratable=no
"""The UART's both ends, proved for all bytes and all time.

What the transmitter accepts is on the line as a frame, each bit `divisor` cycles long, and the next
frame may follow without a gap. What a line of such frames carries, or of frames from a clock a
little slower or faster, the receiver delivers: each byte once and in order. So the two of them
together are a wire. Of bits of eighths of a cycle the tests of the UART tell.
"""

import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal

from hw.soc import uart
from tests.proofs.induction import always, proved
from tests.proofs.sources import faulty

DIVISORS = [4, 5, 16, 434]
FRAME = 10  #: Bits: start, eight of data, stop.


class Sends(Elaboratable):
    """The transmitter beside a frame that is written out bit by bit."""

    def __init__(self, module, divisor):
        self.dut, self.length = module.UARTTransmitter(8 * divisor), divisor
        self.seen = [
            Signal(range(8 * divisor), name="seen_timer"),
            Signal(range(11), name="seen_bits"),
            Signal(9, name="seen_shift"),
        ]
        self.ports = [self.dut.i.payload, self.dut.i.valid, *self.seen]
        self.inside = {s.name: f"dut.{s.name[5:]}" for s in self.seen}

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        m.d.comb += d.period.eq(8 * self.length)
        sends, byte = Signal(), Signal(8)
        begun = Signal()  # the cycle after reset is over, in which it takes nothing
        cycle, bit = Signal(range(self.length)), Signal(range(FRAME))
        at_end = Signal()  # of the frame, in its last cycle
        frame = Cat(0, byte, 1)
        m.d.comb += [
            at_end.eq(sends & (bit == FRAME - 1) & (cycle == self.length - 1)),
            always(d.tx == Mux(sends, frame.bit_select(bit, 1), 1)),
            always(d.i.ready == begun & (~sends | at_end)),
            always(begun | ~sends),
        ]
        m.d.sync += begun.eq(1)
        m.d.sync += cycle.eq(cycle + 1)
        with m.If(cycle == self.length - 1):
            m.d.sync += [cycle.eq(0), bit.eq(bit + 1)]
        with m.If(at_end):
            m.d.sync += sends.eq(0)
        with m.If(d.i.valid & d.i.ready):
            m.d.sync += [sends.eq(1), byte.eq(d.i.payload), cycle.eq(0), bit.eq(0)]
        # What an induction has to know: the registers hold what is still to be sent.
        timer, bits, shift = self.seen
        with m.If(sends):
            m.d.comb += [
                always((bit < FRAME) & (cycle < self.length)),
                always(timer == 8 * (self.length - 1 - cycle)),
                always(bits == FRAME - bit),
                always(shift == (~frame >> bit)[:9]),
            ]
        with m.Else():
            m.d.comb += always((bits == 0) & ~shift[0])
        return m


class Receives(Elaboratable):
    """The receiver behind a line of frames whose bits last ``length`` cycles each.

    The line's frames begin when they like, the next one with the end of the last one or later.
    """

    def __init__(self, module, divisor, length):
        self.divisor, self.length = divisor, length
        self.dut = module.UARTReceiver(8 * divisor)
        self.go, self.byte = Signal(), Signal(8)  # a frame begins in the next cycle
        self.seen = [
            Signal(range(8 * divisor), name="seen_timer"),
            Signal(range(10), name="seen_bits"),
            Signal(8, name="seen_shift"),
            Signal(name="seen_active"),
            Signal(name="seen_low"),
        ]
        self.ports = [self.go, self.byte, self.dut.o.ready, *self.seen]
        self.inside = {s.name: f"dut.{s.name[5:]}" for s in self.seen}

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        m.d.comb += d.period.eq(8 * self.divisor)
        rests = FRAME * self.length  # the cycle of a frame that is none
        at = Signal(range(rests + 1), init=rests)
        byte = Signal(8)
        with m.If(at != rests):
            m.d.sync += at.eq(at + 1)
        with m.If(self.go & (at >= rests - 1)):
            m.d.sync += [at.eq(0), byte.eq(self.byte)]
        m.d.comb += [always(at <= rests), d.rx.eq(self._line(at, byte))]
        # Two registers of a synchroniser later:
        here, sent = at, byte
        for n in (1, 2):
            q, was = Signal(range(rests + 1), init=rests, name=f"at_{n}"), Signal(8, name=f"was{n}")
            m.d.sync += [q.eq(here), was.eq(sent)]
            here, sent = q, was
        self._delivers(m, here, sent)
        self._knows(m, here, sent)
        return m

    def _line(self, at, byte):
        """The line in cycle ``at`` of a frame."""
        line = 1
        for bit in reversed(range(FRAME - 1)):
            line = Mux(at < (bit + 1) * self.length, byte[bit - 1] if bit else 0, line)
        return line

    def _sampled(self, n):
        """Cycle of a frame in which bit ``n`` is looked at."""
        return self.divisor // 2 + n * self.divisor

    def _delivers(self, m, at, byte):
        d, there, want = self.dut, Signal(), Signal(8)
        with m.If(d.o.ready):
            m.d.sync += there.eq(0)
        with m.If(at == self._sampled(FRAME - 1)):
            m.d.sync += [there.eq(1), want.eq(byte)]
        m.d.comb += always(d.o.valid == there)
        with m.If(there):
            m.d.comb += always(d.o.payload == want)

    def _knows(self, m, at, byte):
        """What an induction has to know: how far the receiver is in the frame."""
        timer, bits, shift, active, low = self.seen
        m.d.comb += [
            always(low != self._line(at, byte)),
            always(active == ((at > 0) & (at <= self._sampled(FRAME - 1)))),
        ]
        for n in range(FRAME):  # until bit n is looked at
            first = self._sampled(n - 1) + 1 if n else 1
            with m.If((at >= first) & (at <= self._sampled(n))):
                half = 4 * (self.divisor % 2)  # of a cycle, which stays
                m.d.comb += [
                    always(bits == FRAME - 1 - n),
                    always(timer == 8 * (self._sampled(n) - at) + half),
                ]
                if n > 1:
                    m.d.comb += always(shift[9 - n :] == byte[: n - 1])


@pytest.mark.parametrize("divisor", DIVISORS)
def test_a_byte_is_sent_as_a_frame(tmp_path, divisor):
    design = Sends(uart, divisor)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shift.eq(Cat(1, ~self.i.payload))", "shift.eq(Cat(1, self.i.payload))"),
        ("bits.eq(10)]", "bits.eq(9)]"),
        ("self.idle | soon", "self.idle"),
        ("(timer < 2 * STEPS)", "(timer < 3 * STEPS)"),
        ("~self.i.valid, self.idle", "1, self.idle"),
        ("timer.eq(self.period - STEPS)", "timer.eq(self.period)"),
        ("shift.eq(shift >> 1)", "shift.eq(shift[1:] | 256)"),
    ],
)
def test_a_fault_of_the_transmitter_is_seen(tmp_path, old, new):
    design = Sends(faulty(uart, old, new), 5)
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=3)


@pytest.mark.parametrize(
    ("divisor", "length"),
    [*((d, d) for d in DIVISORS), (50, 49), (50, 51), (434, 425), (434, 443)],
)
def test_frames_are_received(tmp_path, divisor, length):
    design = Receives(uart, divisor, length)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shift.eq(Cat(shift[1:], ~low))", "shift.eq(Cat(~low, shift[:7]))"),
        ("bits.eq(9)]", "bits.eq(8)]"),
        ("timer.eq((self.period >> 1) - STEPS)", "timer.eq(self.period - STEPS)"),
        ("with m.If(self.o.ready):", "with m.If(1):"),
        (
            "with m.If(bits == 0):\n                m.d.sync += active.eq(0)",
            "with m.If(bits == 0):",
        ),
        ("[payload.eq(shift), valid.eq(1)]", "[payload.eq(shift[1:]), valid.eq(1)]"),
    ],
)
def test_a_fault_of_the_receiver_is_seen(tmp_path, old, new):
    design = Receives(faulty(uart, old, new), 5, 5)
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=3)
