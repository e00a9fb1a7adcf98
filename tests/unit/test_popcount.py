# amaranth: UnusedElaboratable=no
"""MaskedPopcount against Python's bit count."""

import pytest
from amaranth.sim import Simulator

from hw.arch import timing
from hw.common.errors import SpikeloomError
from hw.core.popcount import MaskedPopcount, SimulatedPopcount
from tests.unit.operands import vectors

WIDTHS = (8, 32, 64, 128)


@pytest.mark.parametrize("width", WIDTHS)
def test_counts_with_stated_latency(width):
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


def test_refuses_a_width():
    with pytest.raises(SpikeloomError, match="popcount width 1: it must be 2 to 256"):
        MaskedPopcount(1)


def test_the_simulated_form_has_ports_and_latency_of_the_other():
    usual, simulated = MaskedPopcount(32), SimulatedPopcount(32)
    assert usual.signature == simulated.signature
    assert usual.latency == simulated.latency
