# amaranth: UnusedElaboratable=no
"""The queue of requests: what was taken whole is not written over before it was read.

For any bytes from the line, and whatever their reader does. Of what the requests hold the tests of
the queue tell.
"""

from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, Signal

from hw.soc import queue
from tests.proofs.induction import always, proved
from tests.proofs.sources import faulty

DEPTH = 512
BITS = 9
SEEN = {"first": BITS, "last": BITS, "shown": BITS, "lacking": 1, "deframer.count": 9}
SEEN |= {"stored": BITS, "$signature__en": 1, "$signature__addr": BITS}


class Keeps(Elaboratable):
    """Writes beside the places of the requests that were not read yet."""

    def __init__(self, module):
        self.dut: Any = module.RequestQueue(DEPTH)
        d = self.dut
        self.seen = {name: Signal(n, name=f"seen_{k}") for k, (name, n) in enumerate(SEEN.items())}
        self.inside = {s.name: f"dut.{name}" for name, s in self.seen.items()}
        self.ports = [d.i.payload, d.i.valid, d.o.ready, *self.seen.values()]

    def elaborate(self, platform):
        m, s = Module(), self.seen
        m.submodules.dut = self.dut
        first, last, shown = s["first"], s["last"], s["shown"]
        held, readable, at, room = (
            Signal(BITS, name=n) for n in ("held", "readable", "at", "room")
        )
        m.d.comb += [
            held.eq(last - first),
            readable.eq(shown - first),
            at.eq(s["$signature__addr"] - first),
            room.eq(first - last - 1),  # behind `last`, without the byte of the length
            always(~s["$signature__en"] | (at >= held)),
            always(readable <= held),
            always(s["deframer.count"] <= 260),
            always(s["lacking"] | (s["deframer.count"] <= room)),
            always((s["stored"] ^ 1) == (last + 1 + s["deframer.count"])[:BITS]),
        ]
        return m


FAULTS = [
    ("write.en.eq((place != first) & ~lacking)", "write.en.eq(place != first)"),
    ("with m.If(following != first):", "with m.If(1):"),
    ("with m.If(place == first):", "with m.If(place == last):"),
    ("self.o.valid.eq(first != shown)", "self.o.valid.eq(1)"),
    ("whole.eq(deframer.good & ~lacking)", "whole.eq(deframer.good)"),
]


def test_what_is_held_is_not_written_over(tmp_path):
    design = Keeps(queue)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=3)


@pytest.mark.parametrize(("old", "new"), FAULTS)
def test_a_fault_of_the_queue_is_seen(tmp_path, old, new):
    design = Keeps(faulty(queue, old, new))
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=2)
