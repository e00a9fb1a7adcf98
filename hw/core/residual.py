"""The second part of a lane: the residual that is added to x."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Keep, Res
from hw.core.adder import add
from hw.core.modes import LaneMode
from hw.core.saturate import saturate


class Residual(wiring.Component):
    """``y = saturate(x + r)``, r as `hw.arch.isa.Res` says: nothing, a spike's value, B or (A+B)/2.

    In a MEAN, where nothing is added, r is the word of A or B that the lane sums.

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
    mean_a, mean_b : In(1), of a MEAN (Res.NONE), at -1: r is A, or B, and not 0.
    r : Out(signed 18), at 0.
    y : Out(signed 18), at 1. keep : Out(signed 18), at 1: y, or 0 where the spike is kept.
    """

    mode: Any
    x: Signal
    res_a: Signal
    res_b: Signal
    sc: Signal
    mean_a: Signal
    mean_b: Signal
    r: Signal
    y: Signal
    keep: Signal

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
                "mean_a": In(1),
                "mean_b": In(1),
                "r": Out(word),
                "y": Out(word),
                "keep": Out(word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mode, word = self.mode, signed(MEMBRANE_BITS)
        assert (Res.NONE, Res.SPIKE, Res.ADD, Res.AVERAGE) == (0, 1, 2, 3)
        wide = MEMBRANE_BITS + 1
        gated = Mux(mode.res[0], self.res_a, 0)
        both = add(m, self.res_b, gated, wide, target=self.target, name="both")  # B, or A + B
        source = Signal(2)  # as Res, but A in place of NONE
        adds = Signal()
        m.d.comb += [
            source.eq(Cat(mode.res[0], mode.res[1] | self.mean_b)),
            adds.eq(source[1] | Mux(source[0], self.sc, self.mean_a)),
        ]
        r = Signal(word, reset_less=True)
        with m.If(adds):
            m.d.sync += r.eq(Choice([self.res_a, mode.sc_value, both, both >> 1])[source])
        with m.Else():
            m.d.sync += r.eq(0)
        # Each reader clips its own copy, with its own logic.
        added = Signal(signed(wide), reset_less=True)
        kept = Signal(signed(wide), reset_less=True)
        total = add(m, r, self.x, wide, target=self.target, name="add")
        m.d.sync += [added.eq(total), kept.eq(total)]
        with m.If(mode.keep == Keep.SPIKE):
            m.d.sync += kept.eq(0)
        m.d.comb += [self.r.eq(r), self.y.eq(saturate(added)), self.keep.eq(saturate(kept))]
        return m
