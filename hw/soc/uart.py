"""UART receiver and transmitter, 8 data bits, no parity, 1 stop bit."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from hw.arch import link
from hw.common.errors import SpikeloomError

STEPS = 8  #: Periods are counted in so many parts of a clock cycle.
MIN_PERIOD = 4 * STEPS  #: Of a bit.
_MOST_OFF = 0.02  # of a rate


def period(clk_freq: float, baud: float) -> int:
    """Return a bit's length in eighths of a cycle; SpikeloomError if it is over 2 % off."""
    steps = round(STEPS * clk_freq / baud)
    if steps < MIN_PERIOD or abs(STEPS * clk_freq / steps / baud - 1) > _MOST_OFF:
        raise SpikeloomError(
            f"UART: {baud:g} baud from a clock of {clk_freq:g} Hz: the clock must be at least "
            f"{MIN_PERIOD // STEPS} times as fast, {MIN_PERIOD // STEPS * baud / 1e6:g} MHz"
        )
    return steps


def rates(clk_freq: float) -> tuple[int, ...]:
    """Return those of ``link.RATES`` that a clock can give; SpikeloomError without link.BAUD."""
    found = []
    for baud in link.RATES:
        try:
            period(clk_freq, baud)
        except SpikeloomError:
            if baud == link.BAUD:
                raise
        else:
            found.append(baud)
    return tuple(found)


class UARTReceiver(wiring.Component):
    """Bytes from a line; one with a wrong stop bit is dropped, and so is one nobody took.

    Latency: a byte is valid half a bit after the start of its stop bit, plus 3 cycles.
    Throughput: a byte per 10 bits, back to back. The level is sampled once, in mid-bit.

    Parameters
    ----------
    longest : int
        Longest period.

    Members
    -------
    period : In(range(longest + 1))
        Eighths of a cycle per bit, MIN_PERIOD or more.
    rx : In(1)
        The line, asynchronous.
    o : Out(stream of 8)
        Bytes. A byte that is not taken before the next arrives is replaced by that.
    """

    period: Signal
    rx: Signal
    o: stream.Interface

    def __init__(self, longest: int):
        self.longest = longest
        super().__init__(
            {"period": In(range(longest + 1)), "rx": In(1), "o": Out(stream.Signature(8))}
        )

    def elaborate(self, platform):
        m = Module()
        # The line rests at 1; registers start at 0. So everything here is the inverted line.
        low = Signal()
        m.submodules.cdc = FFSynchronizer(~self.rx, low)
        timer = Signal(range(self.longest))  # what is left of the bit after this cycle
        bits = Signal(range(10))  # bits still to sample, the start bit too
        shift = Signal(8, reset_less=True)
        payload = Signal(8, reset_less=True)
        valid = Signal()
        m.d.comb += [self.o.payload.eq(payload), self.o.valid.eq(valid)]
        with m.If(self.o.ready):
            m.d.sync += valid.eq(0)
        active = Signal()
        m.d.sync += timer.eq(timer - STEPS)
        with m.If(~active):
            m.d.sync += timer.eq((self.period >> 1) - STEPS)
            with m.If(low):
                m.d.sync += [active.eq(1), bits.eq(9)]
        with m.Elif(timer < STEPS):
            m.d.sync += [
                timer.eq(timer + self.period - STEPS),
                bits.eq(bits - 1),
                shift.eq(Cat(shift[1:], ~low)),
            ]
            with m.If((bits == 9) & ~low):  # a glitch, no start bit
                m.d.sync += active.eq(0)
            with m.If(bits == 0):
                m.d.sync += active.eq(0)
                with m.If(~low):
                    m.d.sync += [payload.eq(shift), valid.eq(1)]
        return m


class UARTTransmitter(wiring.Component):
    """Bytes to a line.

    Latency: the start bit begins 1 cycle after a byte is accepted. Throughput: a byte per 10
    bits, back to back.

    Parameters
    ----------
    longest : int
        Longest period.

    Members
    -------
    period : In(range(longest + 1))
        Eighths of a cycle per bit, MIN_PERIOD or more. Bits are of whole cycles, and no edge is a
        cycle away from where it should be.
    i : In(stream of 8)
        Bytes.
    tx : Out(1)
        The line: an inverted register, so that it rests at 1 with registers that start at 0.
    idle : Out(1)
        No byte is on the line.
    """

    period: Signal
    i: stream.Interface
    tx: Signal
    idle: Signal

    def __init__(self, longest: int):
        self.longest = longest
        super().__init__(
            {
                "period": In(range(longest + 1)),
                "i": In(stream.Signature(8)),
                "tx": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self.longest))  # what is left of the bit after this cycle
        bits = Signal(range(11))  # bits still on the line or to come
        shift = Signal(9)  # inverted; what is shifted in is the stop bit
        over = Signal()  # the bit ends with this cycle
        ready = Signal()
        m.d.comb += [
            self.tx.eq(~shift[0]),
            self.idle.eq(bits == 0),
            over.eq(timer < STEPS),
            self.i.ready.eq(ready),
        ]
        # A register, so that what is behind it is far from the timer: set a cycle before the last
        # one of the stop bit, and kept until a byte comes.
        soon = (bits == 1) & ~over & (timer < 2 * STEPS)
        m.d.sync += ready.eq(Mux(ready, ~self.i.valid, self.idle | soon))
        m.d.sync += timer.eq(Mux(over, timer + self.period, timer) - STEPS)
        with m.If(self.idle):
            m.d.sync += timer.eq(self.period - STEPS)
        with m.If(ready):
            m.d.sync += bits.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(1, ~self.i.payload)), bits.eq(10)]
        with m.Elif(over & ~self.idle):
            m.d.sync += [shift.eq(shift >> 1), bits.eq(bits - 1)]
        return m
