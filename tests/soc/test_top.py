# amaranth: UnusedElaboratable=no
"""Board top: the real core behind the UART's pins, and what it costs."""

import re

import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from hw.arch import Config, SpikeloomError, link
from hw.arch.link import Command
from hw.arch.memmap import Mem, load_addr
from hw.soc.link import LinkEndpoint
from hw.soc.top import Top
from hw.soc.uart import UARTReceiver, UARTTransmitter
from sim.pysim import PERIOD

CONFIG = Config(
    rows=4, cols=8, width=32, row_depth=64, col_depth=64, res_depth=64, pix_depth=64, prog_depth=64
)
DIVISOR = 4


def test_pins_reach_the_pixel_memory_and_the_sequencer():
    """Write pixels, run an empty program memory (HALT is 0), read the pixels back."""
    dut = Top(CONFIG, clk_freq=4_000_000, baud=1_000_000)
    assert dut.divisor == DIVISOR
    got = {}

    async def ask(ctx, command, payload=b""):
        for byte in link.frame(command, 9, payload):
            for level in (0, *((byte >> k) & 1 for k in range(8)), 1):
                ctx.set(dut.uart_rx, level)
                for _ in range(DIVISOR):
                    await ctx.tick()
        reply = [await hear(ctx) for _ in range(4)]
        reply += [await hear(ctx) for _ in range(reply[3] + 2)]
        assert link.crc16(bytes(reply[1:])) == 0
        assert reply[:3] == [link.SYNC, link.REPLY | command, 9]
        return bytes(reply[4:-2])

    async def hear(ctx):
        while ctx.get(dut.uart_tx):
            await ctx.tick()
        byte = 0
        for k in range(-1, 8):  # from the start of the start bit to the middle of each bit
            for _ in range(DIVISOR if k >= 0 else DIVISOR // 2):
                await ctx.tick()
            byte |= ctx.get(dut.uart_tx) << k if k >= 0 else 0
        for _ in range(DIVISOR):
            await ctx.tick()
        return byte

    async def host(ctx):
        ctx.set(dut.uart_rx, 1)
        await ctx.tick()
        assert ctx.get(dut.uart_tx) == 1
        pixels = load_addr(Mem.PIX, 5).to_bytes(4, "little")
        await ask(ctx, Command.WRITE_BYTES, pixels + bytes([1, 2, 255]))
        minus = load_addr(Mem.PIX, 8).to_bytes(4, "little")
        await ask(ctx, Command.WRITE, minus + (-3).to_bytes(4, "little", signed=True))
        got["before"] = await ask(ctx, Command.STATUS)
        await ask(ctx, Command.START)
        got["after"] = await ask(ctx, Command.STATUS)
        got["done"] = ctx.get(dut.led_done)
        got["pixels"] = await ask(ctx, Command.READ, link.READ_REQUEST.pack(5, 4))

    async def watchdog(ctx):
        await ctx.delay(60_000 * PERIOD)
        raise TimeoutError("no reply")

    sim = Simulator(dut)
    sim.add_clock(PERIOD)
    sim.add_testbench(host)
    sim.add_testbench(watchdog, background=True)
    sim.run()
    assert got["before"] == link.STATUS_REPLY.pack(0, 0)
    flags, cycles = link.STATUS_REPLY.unpack(got["after"])
    assert flags == 2
    assert cycles > 0
    assert got["done"]
    words = [
        int.from_bytes(got["pixels"][k : k + 4], "little", signed=True) for k in range(0, 16, 4)
    ]
    assert words == [1, 2, 255, -3]


@pytest.mark.parametrize(
    "component",
    [UARTReceiver(4), UARTTransmitter(4), LinkEndpoint(CONFIG, clk_freq=1)],
    ids=lambda c: type(c).__name__,
)
def test_no_register_starts_at_one(component):
    """A 7-series flip-flop that should power up at 1 is not to be relied on."""
    text = rtlil.convert(component, name="top", emit_src=False)
    inits = re.findall(r"attribute \\init \d+'([01]+)", text)
    assert len(inits) >= 3
    assert not any("1" in bits for bits in inits)


def test_impossible_baud_is_refused():
    with pytest.raises(SpikeloomError, match=r"UART: 1e\+06 baud from a clock of 2.5e\+06 Hz"):
        Top(CONFIG, clk_freq=2_500_000)
