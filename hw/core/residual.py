"""The second part of a lane: the residual that is added to x."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS
from hw.core.adder import add
from hw.core.mixer import Mixer, Source
from hw.core.modes import LaneMode
from hw.core.saturate import saturate


class Residual(wiring.Component):
    """``y = saturate(x + r)``, r as `hw.arch.isa.Res` says: nothing, a spike's value, B or (A+B)/2.

    In a MEAN, where nothing is added, r is the word of A or B that the lane sums. The mean of two
    words is their sum until it is added, where a bit's two candidates share a LUT with the adder.

    Latency: 1 cycle from ``x`` to ``y``, 2 from the residual words. Throughput: one a cycle.

    Parameters
    ----------
    config : Config
    target : str
        ``generic``, ``ecp5`` or ``xc7``, for the adders.

    Members, their times counted from ``x``
    -------
    mode : In(LaneMode), constant while anything is in flight.
    x : In(signed 18), at 0.
    res_a, res_b : In(signed 18), residual words, at -1. sc : In(1), the shortcut spikes, at -1.
    source : In(Source), adds : In(1), at -1: of what r is made, and whether it is that; else 0.
        Of Source.VALUE it is also where the shortcut spikes.
    r : Out(signed 18), at 0; not of Res.AVERAGE.
    y : Out(signed 18), at 1.
    kept : Out(signed 19), at 1: y before it is clipped, or 0 where the spike is kept.
    """

    mode: Any
    x: Signal
    res_a: Signal
    res_b: Signal
    sc: Signal
    source: Signal
    adds: Signal
    r: Signal
    y: Signal
    kept: Signal

    latency = 1

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "mode": In(LaneMode),
                "x": In(word),
                "res_a": In(word),
                "res_b": In(word),
                "sc": In(1),
                "source": In(Source),
                "adds": In(1),
                "r": Out(word),
                "y": Out(word),
                "kept": Out(signed(MEMBRANE_BITS + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mode, word = self.mode, signed(MEMBRANE_BITS + 1)
        m.submodules.mixer = mixer = Mixer(MEMBRANE_BITS, target=self.target)
        m.d.comb += [
            mixer.a.eq(self.res_a),
            mixer.b.eq(self.res_b),
            mixer.value.eq(mode.sc_value),
            mixer.source.eq(self.source),
        ]
        r = Signal(word, reset_less=True)
        m.d.sync += r.eq(mixer.o)
        with m.If(~(self.adds | ((self.source == Source.VALUE) & self.sc))):
            m.d.sync += r.eq(0)
        # Each reader clips its own copy, with its own logic.
        added, kept = (Signal(word, name=name, reset_less=True) for name in ("added", "kept"))
        other = Mux(mode.average, r >> 1, r)
        total = add(m, self.x, other, len(r), target=self.target, name="add")
        m.d.sync += [added.eq(total), kept.eq(total)]
        with m.If(mode.keeps_spike):
            m.d.sync += kept.eq(0)
        m.d.comb += [self.r.eq(r), self.y.eq(saturate(added)), self.kept.eq(kept)]
        return m
