# amaranth: UnusedElaboratable=no
"""FieldSums at gate level: sums side by side, at the borders of their fields, and lifted ones."""

import random

import pytest
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.core.fields import FieldSums
from tests.unit import netlist

ADDENDS = 6


class Flat(wiring.Component):
    """A FieldSums with its ports as words."""

    def __init__(self, bits):
        self.bits = bits
        n = ADDENDS * (48 // bits)
        control = {name: In(1) for name in ("keep", "neg", "lift")}
        super().__init__({"x": In(n), "y": In(n), **control, "p": Out(48)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.sums = sums = FieldSums(self.bits, ADDENDS)
        m.d.comb += [
            Cat(*sums.x).eq(self.x),
            Cat(*sums.y).eq(self.y),
            sums.keep.eq(self.keep),
            sums.neg.eq(self.neg),
            sums.lift.eq(self.lift),
            self.p.eq(Cat(*sums.p)),
        ]
        return m


def stimulus(bits, words=4000):
    """Words (x, y by field; keep, neg, lift) whose sums stay inside, and the sums after each."""
    rng, fields, most = random.Random(bits), 48 // bits, (1 << bits) - 1
    sums, out = [0] * fields, []
    for n in range(words):
        keep = int(n > 0 and rng.random() < 0.97)
        lift = int(not keep and rng.random() < 0.5)
        neg = int(keep and rng.random() < 0.4)
        base = sums if keep else [lift << bits - 1] * fields
        x, y = [], []
        for k in range(fields):
            room = base[k] if neg else most - base[k]
            total = min(room, rng.choice((0, 1, 32, 63, 126)))
            x.append(rng.randint(max(total - 63, 0), min(total, 63)))
            y.append(total - x[-1])
        sums = [b + (-1 if neg else 1) * (i + j) for b, i, j in zip(base, x, y, strict=True)]
        out.append((x, y, keep, neg, lift, sums))
    return out


@pytest.mark.parametrize("bits", [12, 24])
def test_sums_with_stated_latency(bits, tmp_path):
    words = stimulus(bits)
    if bits == 12:
        assert {0, 4095} <= {s for *_, sums in words for s in sums}
    flat = lambda values, n: sum(v << n * k for k, v in enumerate(values))  # noqa: E731
    columns = {
        "x": [flat(x, ADDENDS) for x, *_ in words],
        "y": [flat(w[1], ADDENDS) for w in words],
        **{name: [w[k] for w in words] for k, name in ((2, "keep"), (3, "neg"), (4, "lift"))},
    }
    got = netlist.simulate(Flat(bits), columns, "p", tmp_path)
    late = FieldSums.latency - 1  # got[k] is seen after the edge that takes word k
    assert got[late:] == [flat(w[5], bits) for w in words][:-late]


def test_is_one_dsp_whose_adder_is_not_cut():
    from amaranth.back import rtlil

    assert netlist.cells(FieldSums(12, 6)) == {"DSP48E1": 1}
    text = rtlil.convert(FieldSums(12, 6), emit_src=False)
    assert 'parameter \\USE_SIMD "ONE48"' in text
    assert "FOUR12" not in text
    assert "TWO24" not in text
