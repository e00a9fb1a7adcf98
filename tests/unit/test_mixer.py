"""The mixer of both kinds against Python, for every source: corners of all words, and noise."""

import itertools

import numpy as np
import pytest
from amaranth import Module
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.core.mixer import Mixer, Source
from tests.unit.bench import Bench, unbuilt
from tests.unit.netlist import cells, simulate


class Registered(wiring.Component):
    """A mixer with a register behind it."""

    def __init__(self, mixer):
        self.mixer = mixer
        words = dict.fromkeys(("a", "b", "value"), In(signed(mixer.width)))
        super().__init__({**words, "source": In(2), "o": Out(mixer.width + 1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.mixer = mixer = self.mixer
        for name in ("a", "b", "value", "source"):
            m.d.comb += getattr(mixer, name).eq(getattr(self, name))
        m.d.sync += self.o.eq(mixer.o)
        return m


def vectors(width):
    """(a, b, value, source), signed; of few bits all."""
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    words = [low, low + 1, -1, 0, 1, high]
    if width <= 2:
        words = list(range(low, high + 1))
    cases = list(itertools.product(words, words, words, Source))
    rng = np.random.default_rng(width)
    noise = rng.integers(low, high + 1, size=(400, 3)).tolist()
    return cases + [(*w, s) for w, s in zip(noise, itertools.cycle(Source), strict=False)]


def mixed(a, b, value, source):
    return {Source.A: a, Source.VALUE: value, Source.B: b, Source.BOTH: a + b}[source]


@pytest.mark.parametrize("width", [1, 2, 5, 18])
def test_behavioural(width):
    given = vectors(width)
    bench = Bench(Mixer(width), ["a", "b", "value", "source"], ["o"])
    seen = bench.play({"a": a, "b": b, "value": v, "source": s} for a, b, v, s in given)
    assert [s["o"] for s in seen] == [mixed(*case) for case in given]


@pytest.mark.parametrize("width", [2, 18])
def test_cells(width, tmp_path):
    """A LUT a bit of the sum, and the carry chain."""
    given = vectors(width)
    columns = zip(("a", "b", "value", "source"), zip(*given, strict=True), strict=True)
    ports = {name: [int(v) for v in column] for name, column in columns}
    got = simulate(Registered(Mixer(width, target="xc7")), ports, "o", tmp_path)
    top = 2 << width
    assert got == [mixed(*case) % top for case in given]
    places = {"LUT6_2": width + 1, "CARRY4": -(-(width + 1) // 4)}
    assert cells(Mixer(width, target="xc7")) == places


def test_unknown_targets_are_refused():
    with unbuilt(), pytest.raises(SpikeloomError, match="ice"):
        Mixer(4, target="ice")
