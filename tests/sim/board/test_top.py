# amaranth: UnusedElaboratable=no
"""A top with the ports of its bench."""

import dataclasses

import boards
from hw.arch import Config, link
from sim.board.top import BenchTop
from sim.pysim import run

CONFIG = Config(
    rows=4, cols=8, width=32, row_depth=64, col_depth=64, res_depth=64, pix_depth=64, prog_depth=64
)
CYCLES = 12  #: Of a bit.


def test_rest():
    """It rests before a request and after its reply, and not between."""
    board = dataclasses.replace(boards.get("arty_a7"), config=CONFIG, core_clock=12_000_000)
    dut, heard, rests = BenchTop(board), [], []

    async def say(ctx, frame):
        for byte in frame:
            for level in (0, *((byte >> k) & 1 for k in range(8)), 1):
                ctx.set(dut.uart_rx, level)
                await ctx.tick().repeat(CYCLES)

    async def hear(ctx):
        while ctx.get(dut.uart_tx):
            await ctx.tick()
        await ctx.tick().repeat(CYCLES // 2)
        byte = 0
        for k in range(8):
            await ctx.tick().repeat(CYCLES)
            byte |= ctx.get(dut.uart_tx) << k
        rests.append(ctx.get(dut.rests))
        await ctx.tick().repeat(CYCLES)
        heard.append(byte)

    async def host(ctx):
        ctx.set(dut.uart_rx, 1)
        await ctx.tick().repeat(20)
        rests.append(ctx.get(dut.rests))
        await say(ctx, link.frame(link.Command.ABORT, 0, 0))
        while heard[-1:] != [link.END] or len(heard) < 2:
            await hear(ctx)
        await ctx.tick().repeat(CYCLES)
        rests.append(ctx.get(dut.rests))

    run(dut, host, cycles=20_000)
    code, _, _, _ = link.unframe(bytes(heard[1:-1]))
    assert code == link.REPLY | link.Command.ABORT
    assert rests == [1, *[0] * len(heard), 1]


def test_ports_have_names():
    board = dataclasses.replace(boards.get("arty_a7"), config=CONFIG)
    names = {port.name for port in BenchTop(board).ports}
    assert {"uart_rx", "uart_tx", "load_valid", "load_addr", "load_data", "tick", "rests"} <= names
