# amaranth: UnusedElaboratable=no
"""Parts as submodules, arrays of ports."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.wire import add_parts, each
from tests.unit.bench import Bench


class Plus(wiring.Component):
    i: In(8)
    o: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.i + 1)
        return m


class Two(wiring.Component):
    i: In(8).array(2)
    o: Out(8).array(2)

    def __init__(self):
        self.a, self.b, self.number = Plus(), Plus(), 7
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        add_parts(m, self)
        m.d.comb += each([self.a.i, self.b.i], self.i)
        m.d.comb += each(self.o, [self.a.o, self.b.o])
        return m


def test_parts_are_there_and_arrays_in_order():
    assert Bench(Two(), ["i"], ["o"]).play([{"i": [3, 9]}])[0]["o"] == [4, 10]


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        each([Signal(), Signal()], [Signal()])
