"""Amaranth's own simulator for unit tests: a run with a budget, stream sources and sinks."""

import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

Process = Callable[[Any], Coroutine[Any, Any, None]]
PERIOD = 1e-8


def run(dut: Any, *processes: Process, cycles: int = 10_000, vcd: str | None = None) -> None:
    """Simulate ``dut`` until all processes (test benches, ``async def p(ctx)``) have returned.

    A background watchdog raises TimeoutError after ``cycles`` clock cycles: a design that drops a
    word fails instead of hanging. Purely combinational designs get a clock too.
    """
    top = Module()
    top.domains.sync = ClockDomain("sync")
    top.submodules.dut = dut
    sim = Simulator(top)
    sim.add_clock(PERIOD)
    for process in processes:
        sim.add_testbench(process)

    async def watchdog(ctx: Any) -> None:
        await ctx.delay(cycles * PERIOD)
        raise TimeoutError(f"{type(dut).__name__}: not finished after {cycles} cycles")

    sim.add_testbench(watchdog, background=True)
    if vcd is None:
        sim.run()
    else:
        with sim.write_vcd(vcd):
            sim.run()


async def send(
    ctx: Any, stream: Any, items: Iterable[Any], stall: float = 0.0, seed: int = 0
) -> None:
    """Send ``items`` into an input stream, in order.

    Before each item ``valid`` is low for a random number of cycles: another one with probability
    ``stall`` (below 1). The payload is held while the stream is not ready.
    """
    rng = random.Random(f"send {seed}")
    for item in items:
        while rng.random() < stall:
            await ctx.tick()
        ctx.set(stream.payload, item)
        ctx.set(stream.valid, 1)
        while not (await ctx.tick().sample(stream.ready))[2]:
            pass
        ctx.set(stream.valid, 0)


async def take(ctx: Any, stream: Any, n: int, stall: float = 0.0, seed: int = 0) -> list[Any]:
    """Take ``n`` items from an output stream; ``ready`` is low at random as in ``send``."""
    rng = random.Random(f"take {seed}")
    out, item = [], None
    for _ in range(n):
        while rng.random() < stall:
            await ctx.tick()
        ctx.set(stream.ready, 1)
        valid = False
        while not valid:
            _, _, valid, item = await ctx.tick().sample(stream.valid, stream.payload)
        out.append(item)
        ctx.set(stream.ready, 0)
    return out
