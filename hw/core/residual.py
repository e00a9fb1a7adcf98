"""The second part of a lane: the residual that is added to x."""

from typing import Any

from amaranth import Const, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Res
from hw.core.modes import LaneMode
from hw.core.saturate import saturate


class Residual(wiring.Component):
    """``y = saturate(x + r)``, r as `hw.arch.isa.Res` says: nothing, a spike's value, B or (A+B)/2.

    Latency: 1 cycle from ``x`` to ``y``, 2 from the residual words. Throughput: one a cycle.

    Parameters
    ----------
    config : Config

    Members, their times counted from ``x``
    -------
    mode : In(LaneMode), constant while anything is in flight.
    x : In(signed 18), at 0.
    res_a, res_b : In(signed 18), residual words, at -1. sc : In(1), the shortcut spikes, at -1.
    y : Out(signed 18), at 1.
    drive : Out(signed 19), at 1: y, or 2 * y for a neuron that leaks, whose membrane is
        (v + drive) >> 1 in either case.
    """

    mode: Any
    x: Signal
    res_a: Signal
    res_b: Signal
    sc: Signal
    y: Signal
    drive: Signal

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "mode": In(LaneMode),
                "x": In(word),
                "res_a": In(word),
                "res_b": In(word),
                "sc": In(1),
                "y": Out(word),
                "drive": Out(signed(MEMBRANE_BITS + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mode = self.mode
        rsum = Signal(signed(MEMBRANE_BITS), reset_less=True)
        average = mode.res == Res.AVERAGE
        both = Signal(signed(MEMBRANE_BITS + 1))
        m.d.comb += both.eq(Mux(average, self.res_a, 0) + self.res_b)
        with m.If(mode.res[1]):
            m.d.sync += rsum.eq(Mux(average, both >> 1, both))
        with m.Else():  # Res.SPIKE, or nothing
            m.d.sync += rsum.eq(Mux(self.sc & mode.res[0], mode.sc_value, 0))
        doubled = mode.leak if self.config.state_bits else Const(0, 1)
        drive = Signal(signed(MEMBRANE_BITS + 1), reset_less=True)
        added = Signal(signed(MEMBRANE_BITS + 1))
        m.d.comb += [
            added.eq(self.x + rsum),
            self.drive.eq(drive),
            self.y.eq(Mux(doubled, drive >> 1, drive)),
        ]
        y = saturate(m, added, name="y_sat")
        m.d.sync += drive.eq(Mux(doubled, y << 1, y))
        return m
