# amaranth: UnusedElaboratable=no
"""Rules of the streams between pins and core, proved for all time.

What a producer shows stays as it is until it is taken.
"""

import pytest
from amaranth.hdl import Elaboratable, Module, Signal

from hw.arch import Config
from hw.soc import link
from tests.proofs.induction import always, proved
from tests.proofs.sources import faulty


class EndpointRules(Elaboratable):
    """A reply's byte stays until it is taken; half duplex; no load while it answers."""

    def __init__(self, module):
        self.dut = module.LinkEndpoint(Config(), clk_freq=50_000_000)

    @property
    def ports(self):
        d = self.dut
        return [d.i.payload, d.i.valid, d.o.ready, d.tick, d.busy, d.done, d.cycles, d.peek_data]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        waits, byte = Signal(), Signal(8)
        m.d.sync += [waits.eq(d.o.valid & ~d.o.ready), byte.eq(d.o.payload)]
        with m.If(waits):
            m.d.comb += [always(d.o.valid), always(d.o.payload == byte)]
        m.d.comb += [
            always(~(d.o.valid & d.i.ready)),
            always(~(d.load_valid & (d.o.valid | d.i.ready))),
            always(~(d.start & (d.o.valid | d.i.ready | d.load_valid))),
        ]
        return m


ENDPOINT_FAULTS = [
    ('with m.If(f.sent):\n                m.next = "TAG"', 'm.next = "TAG"'),
    (
        "m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(f.tag)]",
        "m.d.comb += [self.o.valid.eq(~self.tick), self.o.payload.eq(f.tag)]",
    ),
    ("self.o.payload.eq(f.crc[:8])]", "self.o.payload.eq(Cat(f.crc[:7], self.busy))]"),
    (
        "m.d.comb += self.load_valid.eq(1)",
        "m.d.comb += [self.load_valid.eq(1), self.i.ready.eq(1)]",
    ),
]


def test_the_endpoint_keeps_the_rules(tmp_path):
    design = EndpointRules(link)
    assert proved(design, design.ports, tmp_path)


@pytest.mark.parametrize(("old", "new"), ENDPOINT_FAULTS)
def test_a_fault_of_the_endpoint_is_seen(tmp_path, old, new):
    design = EndpointRules(faulty(link, old, new))
    assert not proved(design, design.ports, tmp_path, most=3)
