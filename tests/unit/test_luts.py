"""Counting cells of the 7-series: their tables, and the counter of six bits at gate level."""

import itertools

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.luts import lut_init, six_to_three
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
