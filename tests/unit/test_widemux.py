"""Selection by wide multiplexers at gate level."""

import random

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.widemux import select
from tests.unit import netlist

BITS = 5


class Selected(wiring.Component):
    """One of ``n`` words, as they stand in one long word, behind a register."""

    def __init__(self, n):
        self.n = n
        super().__init__({"words": In(BITS * n), "at": In((n - 1).bit_length()), "o": Out(BITS)})

    def elaborate(self, platform):
        m = Module()
        words = [self.words.word_select(k, BITS) for k in range(self.n)]
        q = Signal(BITS, reset_less=True)
        m.d.sync += q.eq(select(m, words, self.at, name="mux"))
        m.d.comb += self.o.eq(q)
        return m


@pytest.mark.parametrize("n", [4, 8, 16])
def test_selects(n, tmp_path):
    rng = random.Random(n)
    words = [rng.getrandbits(BITS * n) for _ in range(500)]
    at = [k % n for k in range(500)]
    got = netlist.simulate(Selected(n), {"words": words, "at": at}, "o", tmp_path, "ecp5")
    assert got == [w >> BITS * k & (1 << BITS) - 1 for w, k in zip(words, at, strict=True)]


def test_takes_half_a_lut_for_each_bit_of_a_value():
    assert netlist.cells(Selected(4)) == {"LUT4": 2 * BITS, "PFUMX": BITS}
    assert netlist.cells(Selected(8)) == {"LUT4": 4 * BITS, "PFUMX": 2 * BITS, "L6MUX21": BITS}
