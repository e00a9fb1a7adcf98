"""What the set-up writes, when, and that the controller's registers are where it writes."""

import csv
import importlib.util
import re

import pytest

from hw.outside.chip import ULX3S
from hw.outside.litedram import VERSIONS, run_generator
from hw.outside.setup import ALL_BANKS, Command, Control, Register, Setup, steps
from sim.pysim import run

CLOCK = 5_000_000


def written(clock, delays):
    """Play a set-up; return (cycle, byte address, value) of each write, and when it was done."""
    dut, got, done = Setup(ULX3S, clock), [], []

    async def bus(ctx):
        cycle, delay = 0, iter(delays)
        while not ctx.get(dut.done):
            ctx.set(dut.bus.ack, 0)
            if ctx.get(dut.bus.stb):
                for _ in range(next(delay, 1)):
                    await ctx.tick()
                    cycle += 1
                    assert ctx.get(dut.bus.stb)
                ctx.set(dut.bus.ack, 1)
                got.append((cycle, ctx.get(dut.bus.adr) * 4, ctx.get(dut.bus.dat_w)))
            await ctx.tick()
            cycle += 1
        done.append(cycle)
        ctx.set(dut.bus.ack, 0)
        for _ in range(50):
            await ctx.tick()
            assert ctx.get(dut.done)
            assert not ctx.get(dut.bus.stb)

    run(dut, bus, cycles=10_000)
    return got, done[0]


@pytest.mark.parametrize("delays", [(), (0, 3, 1, 0, 7)], ids=["steady", "uneven"])
def test_steps_are_written_in_order(delays):
    got, done = written(CLOCK, delays)
    want = steps(ULX3S, CLOCK)
    assert [(addr, value) for _, addr, value in got] == [(s.register, s.value) for s in want]
    times = [cycle for cycle, *_ in got] + [done]
    for step, now, then in zip(want, times, times[1:], strict=False):
        assert then - now > step.wait


def test_what_the_pins_are_told():
    """Clock for 200 us, precharge of all, 8 refreshes, the mode: CAS latency 2, single words."""
    commands, address, command = [], 0, 0
    for step in steps(ULX3S, 75_000_000):
        if step.register == Register.SDRAM_DFII_PI0_ADDRESS:
            address = step.value
        elif step.register == Register.SDRAM_DFII_PI0_COMMAND:
            command = step.value
        elif step.register == Register.SDRAM_DFII_PI0_COMMAND_ISSUE:
            commands.append((Command(command), address, step.wait))
    refresh = (Command.CS | Command.RAS | Command.CAS, ALL_BANKS, 5)
    assert commands == [
        (Command.CS | Command.RAS | Command.WE, ALL_BANKS, 2),
        *[refresh] * 8,
        (Command.CS | Command.RAS | Command.CAS | Command.WE, 0x020, 5),
    ]
    first, *_, switch, last = steps(ULX3S, 75_000_000)
    assert (first.value, first.wait) == (Control.CKE, 15_000)
    assert (switch.register, switch.value) == (Register.SDRAM_DFII_CONTROL, Control.SEL)
    assert (last.register, last.value) == (Register.DDRCTRL_INIT_DONE, 1)


def test_registers_are_where_the_generator_has_them(need, tmp_path):
    need(all(map(importlib.util.find_spec, VERSIONS)), "the extra 'outside' (LiteDRAM)")
    run_generator(tmp_path, ULX3S, 50_000_000, tmp_path / "log")
    rows = csv.reader((tmp_path / "csr.csv").read_text(encoding="utf-8").splitlines())
    found = {row[1].upper(): int(row[2], 16) for row in rows if row[0] == "csr_register"}
    for register in Register:
        assert found[register.name] == register
    header = (tmp_path / "software/include/generated/sdram_phy.h").read_text(encoding="utf-8")
    values = dict(re.findall(r"#define DFII_(\w+) (0x\w+)", header))
    for kind in (Command, Control):
        for bit in kind:
            assert int(values[f"{kind.__name__.upper()}_{bit.name}"], 16) == bit
    assert re.search(r"Load Mode Register / CL=2, BL=1 \*/\s+sdram_dfii_pi0_address_write\(0x20\)",
                     header)  # fmt: skip
