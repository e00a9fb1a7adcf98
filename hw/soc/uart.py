"""UART receiver and transmitter, 8 data bits, no parity, 1 stop bit."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError

MIN_DIVISOR = 4


def divisor(clk_freq: float, baud: float) -> int:
    """Return clock cycles per bit; SpikeloomError if the rate cannot be met within 2 %."""
    cycles = round(clk_freq / baud)
    if cycles < MIN_DIVISOR or abs(clk_freq / cycles / baud - 1) > 0.02:
        raise SpikeloomError(
            f"UART: {baud:g} baud from a clock of {clk_freq:g} Hz: the clock must be a multiple "
            f"of the rate within 2 %, and at least {MIN_DIVISOR} times as fast; the nearest is "
            f"{max(MIN_DIVISOR, cycles) * baud / 1e6:g} MHz"
        )
    return cycles


class UARTReceiver(wiring.Component):
    """Bytes from a line; one with a wrong stop bit is dropped, and so is one nobody took.

    Latency: a byte is valid half a bit after the start of its stop bit, plus 3 cycles.
    Throughput: a byte per 10 bits, back to back. The level is sampled once, in mid-bit.

    Parameters
    ----------
    divisor : int
        Cycles per bit, 4 or more.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    o : Out(stream of 8)
        Bytes. A byte that is not taken before the next arrives is replaced by that.
    """

    rx: Signal
    o: stream.Interface

    def __init__(self, divisor: int):
        if divisor < MIN_DIVISOR:
            raise SpikeloomError(f"UART divisor {divisor!r}: it must be {MIN_DIVISOR} or more")
        self.divisor = divisor
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        # The line rests at 1; registers start at 0. So everything here is the inverted line.
        low = Signal()
        m.submodules.cdc = FFSynchronizer(~self.rx, low)
        timer = Signal(range(self.divisor))
        bits = Signal(range(10))  # bits still to sample, the start bit too
        shift = Signal(8, reset_less=True)
        payload = Signal(8, reset_less=True)
        valid = Signal()
        m.d.comb += [self.o.payload.eq(payload), self.o.valid.eq(valid)]
        with m.If(self.o.ready):
            m.d.sync += valid.eq(0)
        active = Signal()
        m.d.sync += timer.eq(timer - 1)
        with m.If(~active):
            m.d.sync += timer.eq(self.divisor // 2 - 1)
            with m.If(low):
                m.d.sync += [active.eq(1), bits.eq(9)]
        with m.Elif(timer == 0):
            m.d.sync += [
                timer.eq(self.divisor - 1),
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
    divisor : int
        Cycles per bit, 4 or more.

    Members
    -------
    i : In(stream of 8)
        Bytes.
    tx : Out(1)
        The line: an inverted register, so that it rests at 1 with registers that start at 0.
    """

    i: stream.Interface
    tx: Signal

    def __init__(self, divisor: int):
        if divisor < MIN_DIVISOR:
            raise SpikeloomError(f"UART divisor {divisor!r}: it must be {MIN_DIVISOR} or more")
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self.divisor))
        bits = Signal(range(11))  # bits still on the line or to come
        shift = Signal(9)  # inverted; what is shifted in is the stop bit
        m.d.comb += [
            self.tx.eq(~shift[0]),
            self.i.ready.eq((bits == 0) | (bits == 1) & (timer == 0)),
        ]
        m.d.sync += timer.eq(timer - 1)
        with m.If(self.i.ready):
            m.d.sync += [timer.eq(self.divisor - 1), bits.eq(0)]
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(1, ~self.i.payload)), bits.eq(10)]
        with m.Elif(timer == 0):
            m.d.sync += [timer.eq(self.divisor - 1), shift.eq(shift >> 1), bits.eq(bits - 1)]
        return m
