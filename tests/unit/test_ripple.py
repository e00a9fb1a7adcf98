# amaranth: UnusedElaboratable=no
"""Carry-chain counts and sums of an ECP5 at gate level; tests/proofs proves them for all inputs."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import timing
from hw.common.errors import SpikeloomError
from hw.core.ripple import Carries, RippleCount, RippleSum
from tests.unit import netlist
from tests.unit.operands import vectors


class Added(wiring.Component):
    """Count and spare bit, added."""

    def __init__(self, width):
        self.width = width
        super().__init__({"a": In(width), "b": In(width), "o": Out(width.bit_length())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.count = count = RippleCount(self.width)
        m.d.comb += [count.a.eq(self.a), count.b.eq(self.b), self.o.eq(count.o + count.spare)]
        return m


@pytest.mark.parametrize("width", [8, 16, 32, 64, 128])
def test_counts_with_stated_latency(width, tmp_path):
    a, b = vectors(width)
    got = netlist.simulate(Added(width), {"a": a, "b": b}, "o", tmp_path, "ecp5")
    late = RippleCount.latency - 1
    assert RippleCount.latency == timing.POP_STAGES
    assert got[late:] == [(x & y).bit_count() for x, y in zip(a, b, strict=True)][:-late]


@pytest.mark.parametrize(("bits", "addend"), [(13, 5), (8, 5), (16, 7)])
def test_sums_with_stated_latency(bits, addend, tmp_path):
    rng, n = random.Random(bits), 3000
    o = [rng.choice((0, (1 << addend) - 1, rng.getrandbits(addend))) for _ in range(n)]
    spare, neg = ([rng.getrandbits(1) for _ in range(n)] for _ in range(2))
    first = [int(k == 0 or rng.random() < 0.02) for k in range(n)]
    inputs = {"o": o, "spare": spare, "first": first, "neg": neg}
    got = netlist.simulate(RippleSum(bits, addend), inputs, "acc", tmp_path, "ecp5")
    acc, want = 0, []
    for k in range(n):
        acc = (0 if first[k] else acc) + (o[k] + spare[k]) * (-1 if neg[k] else 1)
        acc %= 1 << bits
        want.append(acc)
    assert got == want
    assert max(want) > (1 << bits) - 40  # it wrapped


def test_a_full_adder_is_one_place():
    """32 products: 26 full adders, 15 cuts, four ends; and 13 bits of sum with one place more."""
    assert netlist.cells(RippleCount(32)) == {"CCU2C": 24}
    assert netlist.cells(RippleSum(13, 5)) == {"CCU2C": 7}


def test_table_of_a_place():
    """Carry is the table's lowest four bits: the sum where c and d are 0."""
    m = Module()
    chain = Carries(m, "x")
    chain.add(*RippleCount(8).a[:4])
    ((init, pins, _),) = chain.places
    assert init == 0x7888
    assert len(pins) == 4


@pytest.mark.parametrize("width", [4, 33, 256])
def test_refuses_a_width(width):
    with pytest.raises(SpikeloomError, match=f"ripple width {width}: it must be 8, 16, 32, 64 or"):
        RippleCount(width)
