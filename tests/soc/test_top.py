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
CLOCK = 12_000_000
CYCLES = {0: 12, 2: 4}  # of a bit, by index of the rate


def test_pins_reach_the_memories_and_the_sequencer():
    """Write pixels, change the rate, run an empty program memory (HALT is 0), read pixels back."""
    dut = Top(CONFIG, clk_freq=CLOCK)
    got, rate = {}, [0]

    async def ask(ctx, command, payload=b"", sequence=9):
        for byte in link.frame(command, sequence, 5, payload):
            for level in (0, *((byte >> k) & 1 for k in range(8)), 1):
                ctx.set(dut.uart_rx, level)
                for _ in range(CYCLES[rate[0]]):
                    await ctx.tick()
        reply = [await hear(ctx), await hear(ctx)]
        while reply[-1] != link.END:
            reply.append(await hear(ctx))
        code, *rest, data = link.unframe(bytes(reply[1:-1]))
        assert reply[0] == link.END
        assert (code, *rest) == (link.REPLY | command, sequence, 5)
        return data

    async def hear(ctx):
        length = CYCLES[rate[0]]
        while ctx.get(dut.uart_tx):
            await ctx.tick()
        byte = 0
        for k in range(-1, 8):  # from the start of the start bit to the middle of each bit
            for _ in range(length if k >= 0 else length // 2):
                await ctx.tick()
            byte |= ctx.get(dut.uart_tx) << k if k >= 0 else 0
        for _ in range(length):
            await ctx.tick()
        return byte

    async def host(ctx):
        ctx.set(dut.uart_rx, 1)
        await ctx.tick()
        assert ctx.get(dut.uart_tx) == 1
        identity = await ask(ctx, Command.IDENTIFY, link.SESSION.pack(1), 3)
        got["identity"] = link.Identity.decode(identity[link.SESSION.size :])
        pixels = load_addr(Mem.PIX, 5).to_bytes(4, "little")
        await ask(ctx, Command.WRITE_BYTES, pixels + bytes([1, 2, 255]), 4)
        await ask(ctx, Command.RATE, link.RATE_REQUEST.pack(2), 5)
        rate[0] = 2
        for _ in range(CYCLES[0]):  # its reply's stop bit has left
            await ctx.tick()
        minus = load_addr(Mem.PIX, 8).to_bytes(4, "little")
        await ask(ctx, Command.WRITE, minus + (-3).to_bytes(4, "little", signed=True), 6)
        got["idle"] = await ask(ctx, Command.STATUS, b"", 7)
        await ask(ctx, Command.START, link.START_REQUEST.pack(1, 0), 8)
        result = link.READ_REQUEST.pack(load_addr(Mem.PIX, 5), 4)
        got["after"] = await ask(ctx, Command.RESULT, result, 9)
        got["done"] = ctx.get(dut.led_done)
        got["log"] = await ask(ctx, Command.LOG, link.READ_REQUEST.pack(0, 1), 10)

    async def watchdog(ctx):
        await ctx.delay(60_000 * PERIOD)
        raise TimeoutError("no reply")

    sim = Simulator(dut)
    sim.add_clock(PERIOD)
    sim.add_testbench(host)
    sim.add_testbench(watchdog, background=True)
    sim.run()
    assert got["identity"].rates == link.RATES
    assert link.State.decode(got["idle"]).run == 0
    after = link.State.decode(got["after"])
    assert (after.busy, after.done, after.run, after.logged) == (False, True, 1, 1)
    assert after.cycles > 0
    assert got["done"]
    data = got["after"][link.STATE_PAYLOAD :]
    words = [int.from_bytes(data[k : k + 4], "little", signed=True) for k in range(0, 16, 4)]
    assert words == [1, 2, 255, -3]
    assert int.from_bytes(got["log"], "little") < after.cycles


@pytest.mark.parametrize(
    "component",
    [UARTReceiver(99), UARTTransmitter(99), LinkEndpoint(CONFIG, clk_freq=1)],
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
