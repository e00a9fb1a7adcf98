# amaranth: UnusedElaboratable=no
"""UART: bytes through receiver and transmitter, line errors."""

import random
import re

import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.soc.uart import UARTReceiver, UARTTransmitter, divisor
from sim.pysim import run, send, take


class Loop(wiring.Component):
    """A transmitter wired to a receiver."""

    def __init__(self, send_divisor, receive_divisor):
        self.divisors = send_divisor, receive_divisor
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.tx = tx = UARTTransmitter(self.divisors[0])
        m.submodules.rx = rx = UARTReceiver(self.divisors[1])
        m.d.comb += rx.rx.eq(tx.tx)
        wiring.connect(m, wiring.flipped(self.i), tx.i)
        wiring.connect(m, rx.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize(("sender", "receiver"), [(4, 4), (10, 10), (50, 51), (50, 49)])
@pytest.mark.parametrize("stall", [0.0, 0.9], ids=["back_to_back", "with_pauses"])
def test_bytes_pass(sender, receiver, stall):
    data = [0, 255, 0x55, 0xAA, *random.Random(0).randbytes(20)]
    dut, got = Loop(sender, receiver), []

    async def source(ctx):
        await send(ctx, dut.i, data, stall)

    async def sink(ctx):
        got.extend(await take(ctx, dut.o, len(data)))

    run(dut, source, sink, cycles=30 * 10 * sender * len(data))
    assert got == data


async def bits(ctx, line, levels, cycles):
    for level in levels:
        ctx.set(line, level)
        await ctx.tick().repeat(cycles)


def byte_bits(value, stop=1):
    return [0, *((value >> k) & 1 for k in range(8)), stop]


def test_damaged_byte_and_glitch_are_dropped():
    dut, got = UARTReceiver(8), []

    async def line(ctx):
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


def test_transmitter_waveform():
    """Line rests high, ten bits of equal length, least significant first."""
    dut, seen = UARTTransmitter(5), []

    async def source(ctx):
        await ctx.tick().repeat(3)
        await send(ctx, dut.i, [0xC5])

    async def watch(ctx):
        for _ in range(70):
            seen.append(ctx.get(dut.tx))
            await ctx.tick()

    run(dut, source, watch)
    start = seen.index(0)
    assert all(seen[:start])
    want = [level for level in byte_bits(0xC5) for _ in range(5)]
    assert seen[start:] == want + [1] * (len(seen) - start - len(want))


@pytest.mark.parametrize(("clock", "baud"), [(1_000_000, 460_000), (8_000_000, 3_000_000)])
def test_divisor_refuses(clock, baud):
    message = f"UART: {baud:g} baud from a clock of {clock:g} Hz"
    with pytest.raises(SpikeloomError, match=re.escape(message)):
        divisor(clock, baud)


def test_divisor():
    assert divisor(50_000_000, 1_000_000) == 50
    assert divisor(50_000_000, 115_200) == 434


@pytest.mark.parametrize("component", [UARTReceiver, UARTTransmitter])
def test_divisor_too_small(component):
    with pytest.raises(SpikeloomError, match="UART divisor 3: it must be 4 or more"):
        component(3)
