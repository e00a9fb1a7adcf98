"""What is kept, of both kinds, against the golden saturation; what unit 1 multiplies is either."""

import itertools

import numpy as np
import pytest
from amaranth import Cat, Module
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import MEMBRANE_BITS, MEMBRANE_MAX, MEMBRANE_MIN
from hw.common.errors import SpikeloomError
from hw.core.kept import Kept
from sw.golden import ops
from tests.unit.bench import Bench, unbuilt
from tests.unit.lanes import CORNERS
from tests.unit.netlist import cells, simulate

PORTS = ["total", "spike", "pixel", "mac"]


class Registered(wiring.Component):
    """Both words in a register."""

    total: In(signed(MEMBRANE_BITS + 1))
    spike: In(1)
    pixel: In(signed(MEMBRANE_BITS))
    mac: In(1)
    o: Out(2 * MEMBRANE_BITS)

    def elaborate(self, platform):
        m = Module()
        m.submodules.kept = kept = Kept(target="xc7")
        for name in PORTS:
            m.d.comb += getattr(kept, name).eq(getattr(self, name))
        m.d.sync += self.o.eq(Cat(kept.kept, kept.operand))
        return m


def cases():
    rng = np.random.default_rng(0)
    ends = [2 * MEMBRANE_MIN, MEMBRANE_MIN - 1, MEMBRANE_MAX + 1, 2 * MEMBRANE_MAX + 1]
    totals = [*CORNERS, *ends, *rng.integers(2 * MEMBRANE_MIN, -2 * MEMBRANE_MIN, 200).tolist()]
    pixels = [*CORNERS, *rng.integers(MEMBRANE_MIN, MEMBRANE_MAX + 1, size=8).tolist()]
    for n, total in enumerate(totals):
        for spike, mac in itertools.product((0, 1), (0, 1)):
            if not spike or total % 2 == 0:  # a spike comes with a total of 0
                yield total, spike, pixels[n % len(pixels)], mac


def wanted(total, spike, pixel, mac):
    kept = int(ops.saturate(total)) | spike
    return kept, pixel if mac else kept


def test_behavioural():
    given = list(cases())
    seen = Bench(Kept(), PORTS, ["kept", "operand"]).play(
        dict(zip(PORTS, case, strict=True)) for case in given
    )
    assert [(s["kept"], s["operand"]) for s in seen] == [wanted(*case) for case in given]


def test_cells(tmp_path):
    """One LUT for a bit of both words, but for those that have one input more, and none."""
    given = list(cases())
    columns = dict(zip(PORTS, map(list, zip(*given, strict=True)), strict=True))
    got = simulate(Registered(), columns, "o", tmp_path)
    top = 1 << MEMBRANE_BITS
    want = [(k % top) | (o % top) << MEMBRANE_BITS for k, o in (wanted(*c) for c in given)]
    assert got == want
    assert cells(Kept(target="xc7")) == {"LUT6_2": MEMBRANE_BITS - 2}


def test_unknown_targets_are_refused():
    with unbuilt(), pytest.raises(SpikeloomError, match="ice"):
        Kept(target="ice")
