"""Saturation against the golden one, at every corner."""

from amaranth import Module
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import MEMBRANE_BITS, MEMBRANE_MAX, MEMBRANE_MIN
from hw.core.saturate import saturate
from sw.golden import ops
from tests.unit.bench import Bench


class Clip(wiring.Component):
    i: In(signed(32))
    o: Out(signed(MEMBRANE_BITS))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(saturate(m, self.i, name="clipped"))
        return m


def test_equals_golden():
    edges = (MEMBRANE_MIN, MEMBRANE_MAX, 0, -(1 << 31), (1 << 31) - 1, 1 << 18, -(1 << 18))
    values = [v + d for v in edges for d in (-1, 0, 1) if -(1 << 31) <= v + d < 1 << 31]
    seen = Bench(Clip(), ["i"], ["o"]).play({"i": v} for v in values)
    assert [s["o"] for s in seen] == [int(ops.saturate(v)) for v in values]
