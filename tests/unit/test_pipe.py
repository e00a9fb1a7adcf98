# amaranth: UnusedElaboratable=no
"""Delay lines and chains."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.pipe import chain, delay
from tests.unit.bench import Bench


class Lines(wiring.Component):
    i: In(8)
    late: Out(8)
    taps: Out(8).array(4)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.late.eq(delay(m, self.i, 3, name="late"))
        taps = chain(m, self.i, 4, name="taps")
        m.d.comb += [o.eq(tap) for o, tap in zip(self.taps, taps, strict=True)]
        return m


def test_delay_and_chain():
    values = [7 * n % 251 for n in range(30)]
    seen = Bench(Lines(), ["i"], ["late", "taps"]).play({"i": v} for v in values)
    assert [s["late"] for s in seen][3:] == values[:-3]
    for n in range(4):
        assert [s["taps"][n] for s in seen][n:] == values[: len(values) - n]


def test_no_registers_for_delay_zero():
    m, value = Module(), Signal(3)
    assert delay(m, value, 0, name="none") is value
    assert chain(m, value, 1, name="none") == [value]


def test_reset_less_unless_asked_for():
    m, value = Module(), Signal(3)
    assert delay(m, value, 1, name="plain").reset_less
    assert not delay(m, value, 1, name="cleared", reset=True).reset_less
