# amaranth: UnusedElaboratable=no
"""UART: bytes through receiver and transmitter, line errors."""

import random
import re

import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link
from hw.common.errors import SpikeloomError
from hw.soc.uart import STEPS, UARTReceiver, UARTTransmitter, period, rates
from sim.pysim import run, send, take


class Loop(wiring.Component):
    """A transmitter wired to a receiver; periods in eighths of a cycle."""

    def __init__(self, send_period, receive_period):
        self.periods = send_period, receive_period
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.tx = tx = UARTTransmitter(self.periods[0] + 9)
        m.submodules.rx = rx = UARTReceiver(self.periods[1] + 9)
        m.d.comb += [tx.period.eq(self.periods[0]), rx.period.eq(self.periods[1])]
        m.d.comb += rx.rx.eq(tx.tx)
        wiring.connect(m, wiring.flipped(self.i), tx.i)
        wiring.connect(m, rx.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [(32, 32), (80, 80), (33, 33), (133, 133), (213, 213), (400, 408), (400, 392), (133, 130)],
)
@pytest.mark.parametrize("stall", [0.0, 0.9], ids=["back_to_back", "with_pauses"])
def test_bytes_pass(sender, receiver, stall):
    data = [0, 255, 0x55, 0xAA, *random.Random(0).randbytes(20)]
    dut, got = Loop(sender, receiver), []

    async def source(ctx):
        await send(ctx, dut.i, data, stall)

    async def sink(ctx):
        got.extend(await take(ctx, dut.o, len(data)))

    run(dut, source, sink, cycles=4 * 10 * sender * len(data))
    assert got == data


async def bits(ctx, line, levels, cycles):
    for level in levels:
        ctx.set(line, level)
        await ctx.tick().repeat(cycles)


def byte_bits(value, stop=1):
    return [0, *((value >> k) & 1 for k in range(8)), stop]


def test_damaged_byte_and_glitch_are_dropped():
    dut, got = UARTReceiver(64), []

    async def line(ctx):
        ctx.set(dut.period, 64)
        await bits(ctx, dut.rx, [1, 1], 8)
        await bits(ctx, dut.rx, byte_bits(0x12), 8)
        await bits(ctx, dut.rx, [*byte_bits(0x34, stop=0), 1, 1], 8)
        await bits(ctx, dut.rx, [0], 2)  # shorter than half a bit
        await bits(ctx, dut.rx, [1, 1], 8)
        await bits(ctx, dut.rx, byte_bits(0x56), 8)

    async def sink(ctx):
        got.extend(await take(ctx, dut.o, 2))

    run(dut, line, sink)
    assert got == [0x12, 0x56]


@pytest.mark.parametrize("eighths", [40, 35, 133, 213])
def test_transmitter_waveform(eighths):
    """Line rests high; edges of two bytes, one behind the other, less than a cycle off."""
    dut, seen, data = UARTTransmitter(eighths), [], [0xC5, 0x3A]

    async def source(ctx):
        ctx.set(dut.period, eighths)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.idle)
        await send(ctx, dut.i, data)

    async def watch(ctx):
        for _ in range(eighths * 3):
            seen.append(ctx.get(dut.tx))
            await ctx.tick()
        assert ctx.get(dut.idle)

    run(dut, source, watch)
    start = seen.index(0)
    assert all(seen[:start])
    levels = [level for byte in data for level in byte_bits(byte)]
    want = [levels[n * STEPS // eighths] for n in range(len(levels) * eighths // STEPS)]
    got = seen[start:]
    edges = [n for n in range(1, len(want)) if want[n] != want[n - 1]]
    found = [n for n in range(1, len(got)) if got[n] != got[n - 1]]
    assert len(found) == len(edges)
    assert all(abs(a - b) <= 1 for a, b in zip(edges, found, strict=True))
    assert all(got[len(want) :])


def test_period_changes_between_bytes():
    dut, got = Loop(80, 80), []

    class Changing(wiring.Component):
        def __init__(self):
            super().__init__(
                {"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "p": In(8)}
            )

        def elaborate(self, platform):
            m = Module()
            m.submodules.tx = tx = UARTTransmitter(200)
            m.submodules.rx = rx = UARTReceiver(200)
            m.d.comb += [tx.period.eq(self.p), rx.period.eq(self.p), rx.rx.eq(tx.tx)]
            wiring.connect(m, wiring.flipped(self.i), tx.i)
            wiring.connect(m, rx.o, wiring.flipped(self.o))
            return m

    dut = Changing()

    async def bench(ctx):
        for length, byte in ((200, 0x9C), (32, 0x63), (100, 0xC9)):
            ctx.set(dut.p, length)
            await send(ctx, dut.i, [byte])
            got.extend(await take(ctx, dut.o, 1))
            await ctx.tick().repeat(50)

    run(dut, bench)
    assert got == [0x9C, 0x63, 0xC9]


@pytest.mark.parametrize(("clock", "baud"), [(1_000_000, 460_000), (8_000_000, 3_000_000)])
def test_period_refuses(clock, baud):
    message = f"UART: {baud:g} baud from a clock of {clock:g} Hz: the clock must be at least 4"
    with pytest.raises(SpikeloomError, match=re.escape(message)):
        period(clock, baud)


def test_period():
    assert period(50_000_000, 1_000_000) == 400
    assert period(80_000_000, 3_000_000) == 213
    assert period(85_000_000, 3_000_000) == 227


@pytest.mark.parametrize("clock", [12e6, 25e6, 50e6, 80e6, 85e6, 100e6])
def test_rates_of_a_clock_are_within_2_percent(clock):
    assert rates(clock) == link.RATES
    for baud in link.RATES:
        assert abs(STEPS * clock / period(clock, baud) / baud - 1) < 0.02


def test_rates_that_a_clock_has_not():
    assert rates(8_000_000) == (1_000_000, 2_000_000)
    with pytest.raises(SpikeloomError, match=r"UART: 1e\+06 baud from a clock of 2.5e\+06 Hz"):
        rates(2_500_000)
