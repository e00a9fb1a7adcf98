# amaranth: UnusedElaboratable=no
"""CarrySave at gate level; tests/proofs proves it for all operands."""

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.core.carrysave import CarrySave
from tests.unit import netlist
from tests.unit.operands import vectors


class Added(wiring.Component):
    """Both numbers, added."""

    def __init__(self, width):
        self.width = width
        super().__init__({"a": In(width), "b": In(width), "o": Out(width.bit_length() + 1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.count = count = CarrySave(self.width)
        m.d.comb += [count.a.eq(self.a), count.b.eq(self.b), self.o.eq(count.x + count.y)]
        return m


@pytest.mark.parametrize("width", [2, 8, 32, 33, 64, 128])
def test_counts_with_stated_latency(width, tmp_path):
    a, b = vectors(width)
    got = netlist.simulate(Added(width), {"a": a, "b": b}, "o", tmp_path)
    assert CarrySave.latency == 1  # what is seen after the edge that takes a vector
    assert got == [(x & y).bit_count() for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize(("width", "most"), [(32, 25), (64, 51), (128, 108)])
def test_costs_less_than_one_lut_for_each_bit(width, most):
    assert netlist.cells(CarrySave(width))["LUT6_2"] == most


@pytest.mark.parametrize("width", [1, 129])
def test_refuses_a_width(width):
    with pytest.raises(SpikeloomError, match=f"carry-save width {width}: it must be 2 to 128"):
        CarrySave(width)
