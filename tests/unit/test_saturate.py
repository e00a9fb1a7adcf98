"""Saturation against the golden one: numbers of one bit too many."""

import numpy as np
from amaranth import Module
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import MEMBRANE_BITS, MEMBRANE_MAX, MEMBRANE_MIN
from hw.core.saturate import saturate
from sw.golden import ops
from tests.unit.bench import Bench


class Clip(wiring.Component):
    i: In(signed(MEMBRANE_BITS + 1))
    o: Out(signed(MEMBRANE_BITS))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(saturate(self.i))
        return m


def test_equals_golden():
    ends = (MEMBRANE_MIN, MEMBRANE_MAX, 0, -1 << MEMBRANE_BITS, (1 << MEMBRANE_BITS) - 1)
    near = {v + d for v in ends for d in range(-40, 41)}
    values = sorted(v for v in near if -1 << MEMBRANE_BITS <= v < 1 << MEMBRANE_BITS)
    values += np.random.default_rng(0).integers(-1 << 18, 1 << 18, size=2000).tolist()
    seen = Bench(Clip(), ["i"], ["o"]).play({"i": v} for v in values)
    assert [s["o"] for s in seen] == [int(ops.saturate(v)) for v in values]
