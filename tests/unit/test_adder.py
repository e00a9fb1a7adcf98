"""Adders of both kinds against Python: all pairs of few bits, corners and noise of many."""

import itertools

import numpy as np
import pytest
from amaranth import Module
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.core.adder import Adder
from tests.unit.bench import Bench, unbuilt
from tests.unit.netlist import cells, simulate


class Registered(wiring.Component):
    """An adder with a register behind it."""

    def __init__(self, adder):
        self.adder = adder
        word = signed(adder.width)
        super().__init__({"plain": In(word), "other": In(word), "o": Out(adder.width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder = adder = self.adder
        m.d.comb += [adder.plain.eq(self.plain), adder.other.eq(self.other)]
        m.d.sync += self.o.eq(adder.o)
        return m


def pairs(width):
    """All pairs of operands; of wide ones the corners, and some others."""
    if width <= 5:
        return list(itertools.product(range(1 << width), repeat=2))
    ones = [0, 1, (1 << width) - 1, 1 << width - 1, (1 << width - 1) - 1]
    ones += [(1 << n) - 1 for n in range(2, width)] + [1 << n for n in range(1, width)]
    rng = np.random.default_rng(width)
    return [*itertools.product(ones, ones), *rng.integers(1 << width, size=(500, 2)).tolist()]


@pytest.mark.parametrize("width", [1, 4, 5, 19, 20])
def test_behavioural(width):
    given = pairs(width)
    seen = Bench(Adder(width), ["plain", "other"], ["o"]).play(
        {"plain": a, "other": b} for a, b in given
    )
    top = 1 << width
    assert [s["o"] % top for s in seen] == [(a + b) % top for a, b in given]


@pytest.mark.parametrize("width", [1, 4, 5, 19, 20])
def test_cells(width, tmp_path):
    given, adder = pairs(width), Adder(width, target="xc7")
    vectors = {"plain": [a for a, _ in given], "other": [b for _, b in given]}
    got = simulate(Registered(adder), vectors, "o", tmp_path)
    assert got == [(a + b) % (1 << width) for a, b in given]
    assert cells(Adder(width, target="xc7")) == {"CARRY4": -(-width // 4)}


def test_unknown_targets_are_refused():
    with unbuilt(), pytest.raises(SpikeloomError, match="ice"):
        Adder(4, target="ice")
