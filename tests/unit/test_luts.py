"""Cells of the 7-series: their tables; at gate level what they do for two bits, and the counter."""

import itertools

import pytest
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.luts import lut_init, muxes, ors, six_to_three
from tests.unit import netlist


class Six(wiring.Component):
    """Six bits counted, behind nothing."""

    i: In(6)
    o: Out(3)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(Cat(six_to_three(m, "six", list(self.i))))
        return m


def test_lut_init_of_full_adder():
    init = lut_init(lambda a, b, c: a ^ b ^ c, lambda a, b, c: a + b + c >> 1, 3)
    assert init == 0x96969696_E8E8E8E8


def test_six_bits_are_counted(tmp_path):
    words = list(range(64))
    got = netlist.simulate(Registered(), {"i": words}, "o", tmp_path)
    assert got == [word.bit_count() for word in words]


class Registered(wiring.Component):
    """`Six` behind a register, for a bench that has a clock."""

    i: In(6)
    o: Out(3)

    def elaborate(self, platform):
        m = Module()
        m.submodules.six = six = Six()
        m.d.comb += six.i.eq(self.i)
        m.d.sync += self.o.eq(six.o)
        return m


def test_a_full_adder_is_one_cell_and_a_counter_two():
    assert netlist.cells(Six()) == {"LUT6_2": 2, "CARRY4": 1}
    for a, b, c in itertools.product((0, 1), repeat=3):
        init = lut_init(lambda *v: sum(v), lambda *v: sum(v) >> 1, 3)
        index = a | b << 1 | c << 2
        assert (init >> 32 + index & 1) + 2 * (init >> index & 1) == a + b + c


TERMS = [[0], [1, 2, 3], [], [2, 4], [0, 1, 2, 3, 4, 5], [5, 6], [0, 6]]


class Pairs(wiring.Component):
    """Multiplexers and ors of both kinds."""

    def __init__(self, target):
        self.target = target
        super().__init__({"i": In(7), "j": In(7), "o": Out(7 + len(TERMS))})

    def elaborate(self, platform):
        m = Module()
        chosen = muxes(m, "mux", self.i[0] ^ self.j[0], self.i, self.j, target=self.target)
        joined = ors(m, "or", self.i, TERMS, target=self.target)
        m.d.sync += self.o.eq(Cat(chosen, *joined))
        return m


@pytest.mark.parametrize("target", ["generic", "xc7"])
def test_two_bits_of_a_multiplexer_or_of_an_or(target, tmp_path):
    words = list(range(128))
    others = [(37 * n + 5) % 128 for n in words]
    got = netlist.simulate(Pairs(target), {"i": words, "j": others}, "o", tmp_path)
    for i, j, o in zip(words, others, got, strict=True):
        joined = sum(int(any(i >> bit & 1 for bit in term)) << n for n, term in enumerate(TERMS))
        assert o == (j if (i ^ j) & 1 else i) | joined << 7
    # three pairs of multiplexers and one alone; of the ors two pairs
    assert netlist.cells(Pairs(target)) == ({"LUT6_2": 5} if target == "xc7" else {})
