# amaranth: UnusedElaboratable=no
"""MaskedPopcount: both forms against Python's bit count."""

import random

import pytest
from amaranth.sim import Simulator

from hw.arch import timing
from hw.common.errors import SpikeloomError
from hw.core.popcount import MaskedPopcount, lut_init
from tests.unit import netlist

WIDTHS = (8, 32, 64, 128)


def vectors(width, n=3000):
    """Corners, single bits, runs, and random words of all densities, shuffled."""
    rng = random.Random(width)
    full = (1 << width) - 1
    pairs = [(0, 0), (full, full), (full, 0), (0, full)]
    pairs += [(1 << k, full) for k in range(width)] + [(full, full ^ 1 << k) for k in range(width)]
    pairs += [(full >> k, full) for k in range(width)]
    while len(pairs) < n:
        dense = rng.choice((0.1, 0.5, 0.9, 0.98))
        pairs.append(
            tuple(sum((rng.random() < dense) << k for k in range(width)) for _ in range(2))
        )
    rng.shuffle(pairs)
    return [list(column) for column in zip(*pairs, strict=True)]


@pytest.mark.parametrize("width", WIDTHS)
def test_generic_counts_with_stated_latency(width):
    a, b = vectors(width, 600)
    dut, got = MaskedPopcount(width), []

    async def bench(ctx):
        for x, y in zip(a, b, strict=True):
            ctx.set(dut.a, x)
            ctx.set(dut.b, y)
            await ctx.tick()
            got.append(ctx.get(dut.o))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    late = timing.POP_STAGES - 1  # got[k] is seen after the edge that takes vector k
    assert got[late:] == [(x & y).bit_count() for x, y in zip(a, b, strict=True)][:-late]


@pytest.mark.parametrize("width", WIDTHS)
def test_xc7_counts_at_gate_level(width, tmp_path):
    a, b = vectors(width)
    got = netlist.simulate(MaskedPopcount(width, target="xc7"), {"a": a, "b": b}, "o", tmp_path)
    late = timing.POP_STAGES - 1
    assert got[late:] == [(x & y).bit_count() for x, y in zip(a, b, strict=True)][:-late]


def test_xc7_costs_less_than_one_cell_per_bit():
    assert netlist.cells(MaskedPopcount(32, target="xc7")) == {"LUT6_2": 30}


def test_lut_init_of_full_adder():
    init = lut_init(lambda a, b, c: a ^ b ^ c, lambda a, b, c: a + b + c >> 1, 3)
    assert init == 0x96969696_E8E8E8E8


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"width": 1}, "popcount width 1: it must be 2 to 256"),
        ({"width": 32, "target": "ice"}, "popcount target 'ice': known targets"),
    ],
)
def test_refuses(kwargs, message):
    with pytest.raises(SpikeloomError, match=message):
        MaskedPopcount(**kwargs)
