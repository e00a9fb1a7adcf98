# amaranth: UnusedElaboratable=no
"""LaneMAC: all forms against Python integers."""

import random

import pytest
from amaranth.sim import Simulator

from hw.common.errors import SpikeloomError
from hw.core.mac import LaneMAC
from tests.unit import netlist


def vectors(n=2000):
    """Return what the pins see in each cycle, and p after each edge."""
    rng = random.Random(0)
    half = 1 << 17
    extremes = (-half, half - 1, -1, 0, 1)

    def operand():
        return rng.choice(extremes) if rng.random() < 0.3 else rng.randrange(-half, half)

    a = [operand() for _ in range(n)]
    b = [0 if rng.random() < 0.2 else operand() for _ in range(n)]
    c = [
        rng.choice((-(1 << 31), (1 << 31) - 1, 0, rng.randrange(-(1 << 31), 1 << 31)))
        for _ in range(n)
    ]
    first = [int(rng.random() < 0.1 or k < 2) for k in range(n)]
    adds = [int(rng.random() < 0.7) for _ in range(n)]
    a_en, c_en = ([int(rng.random() < 0.6 or k < 3) for k in range(n)] for _ in "ac")
    held = {}
    for name, values, takes in (("a", a, a_en), ("c", c, c_en)):
        held[name] = values[:1]
        for k in range(1, n):
            held[name].append(values[k] if takes[k] else held[name][-1])
    p, want = 0, [None, None]
    for t in range(n - 2):  # c and first of cycle t + 1 meet a and b of cycle t at the end of t + 2
        p = held["c"][t + 1] if first[t + 1] else p
        p += held["a"][t] * b[t] if adds[t + 1] else 0
        want.append(p & ((1 << 36) - 1))
    stimulus = {"a": a, "b": b, "c": c, "first": first}
    return stimulus | {"adds": adds, "a_en": a_en, "c_en": c_en}, want


def test_generic_accumulates_with_stated_latency():
    stimulus, want = vectors()
    dut, got = LaneMAC(), []

    async def bench(ctx):
        for k in range(len(want)):
            for name, values in stimulus.items():
                ctx.set(getattr(dut, name), values[k])
            await ctx.tick()
            got.append(ctx.get(dut.p) & ((1 << 36) - 1))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert got[2:] == want[2:]


def test_xc7_accumulates_at_gate_level(tmp_path):
    stimulus, want = vectors()
    got = netlist.simulate(LaneMAC(target="xc7"), stimulus, "p", tmp_path)
    assert got[2:] == want[2:]


def test_ecp5_accumulates_at_gate_level(tmp_path):
    stimulus, want = vectors()
    got = netlist.simulate(LaneMAC(target="ecp5"), stimulus, "p", tmp_path, "ecp5")
    assert got[2:] == want[2:]


def test_ecp5_chooses_and_adds_in_carry_cells():
    """Two bits of the sum in a cell; what multiplies is no cell yet."""
    assert netlist.cells(LaneMAC(target="ecp5")) == {"CCU2C": 18}


def test_xc7_is_one_dsp():
    assert netlist.cells(LaneMAC(target="xc7")) == {"DSP48E1": 1}


def test_refuses_unknown_target():
    with pytest.raises(SpikeloomError, match="lane multiplier target 'ice': known targets"):
        LaneMAC(target="ice")
