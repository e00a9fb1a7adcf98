"""Speed of the core's simulators: ``python -m benchmarks.simulator``.

Clock cycles per second of processor time of the Verilator model without a log of writes, and beside
it what is wanted; clock cycles per second of the Verilator model with every memory write compared,
and of Amaranth's own simulator (the same core, its first cycles of the same inference). All in the
Arty A7-35T's configuration, the former two of whole inferences of digits.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

import boards
import sim
import sw
from benchmarks.floor import plain
from hw.common.cli import command
from hw.core.core import Core
from sim import verilator
from sim.simulate import commands, frames
from sim.testbench import run_free
from sw.compiler import Program
from sw.data import load_digits

CLOCK = 1e-8
WANTED = 1_000_000  #: Cycles per second of processor time, of the Verilator model without a log.


def verilator_rate(program: Program, images: np.ndarray) -> float:
    """Return busy cycles per second of the compiled model's processor time, loading included."""
    simulator = verilator.build(program.config)
    with tempfile.TemporaryDirectory(prefix="spikeloom-bench-") as name:
        folder = Path(name)
        commands(program, frames(program, images)).write(folder)
        began = os.times()
        outcome = run_free(simulator, folder, log=False)
        ended = os.times()
    seconds = ended.children_user + ended.children_system
    seconds -= began.children_user + began.children_system
    return sum(r.counted for r in outcome.runs) / seconds


def checked_rate(program: Program, images: np.ndarray) -> float:
    """Return busy cycles per second of ``sim.run`` with every write compared."""
    began = time.perf_counter()
    got = sim.run(program, images, check=True)
    seconds = time.perf_counter() - began
    assert not got.mismatches, got.mismatches[0]
    return int(got.cycles.sum()) / seconds


def pysim_rate(program: Program, cycles: int) -> float:
    """Return cycles per second of Amaranth's simulator, from the start pulse on."""
    top = Module()
    top.domains.sync = ClockDomain("sync")
    core: Any = Core(program.config, program)
    top.submodules.core = core
    simulator = Simulator(top)
    simulator.add_clock(CLOCK)
    seconds = 0.0

    async def bench(ctx):
        nonlocal seconds
        ctx.set(core.start, 1)
        await ctx.tick()
        ctx.set(core.start, 0)
        began = time.perf_counter()
        await ctx.tick().repeat(cycles)
        seconds = time.perf_counter() - began
        assert ctx.get(core.busy)

    simulator.add_testbench(bench)
    simulator.run()
    return cycles / seconds


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--images", type=int, default=32, help="digits on Verilator (%(default)s)")
    parser.add_argument("--cycles", type=int, default=2000, help="on pysim (%(default)s)")
    args = parser.parse_args(argv)
    program = sw.load("digits").lower().compile(boards.get("arty_a7").config)
    if args.images < 1 or not 1 <= args.cycles < program.cycles:
        parser.error(f"--images must be 1 or more, --cycles 1 to {program.cycles - 1}")
    images = load_digits().test_images[: args.images]
    verilator.build(program.config)  # seconds to minutes, once
    fast = verilator_rate(program, images)
    checked = checked_rate(program, images[:8])
    slow = pysim_rate(program, args.cycles)
    c = program.config
    print(f"core of {c.rows} x {c.cols} x {c.width} bits, digits")
    mark = "PASS" if fast >= WANTED else "MISS"
    print(plain("Verilator, a second of CPU", fast, f"cycles/s  {mark} ({WANTED:,} wanted)"))
    print(plain("Verilator, every write compared", checked, "cycles/s"))
    print(plain("pysim", slow, "cycles/s"))
    print(plain("Verilator / pysim", fast / slow, "x"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
