"""The third part of a lane: integrate and fire."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS, STATE_SHIFTS
from hw.arch.isa import Keep
from hw.core.modes import LaneMode
from hw.core.table import CODE_BITS

WIDE = max(MEMBRANE_BITS, CODE_BITS + max(STATE_SHIFTS) + 1) + 1  #: Width of a membrane with y.


class Neuron(wiring.Component):
    """``u = (v + drive) >> 1``; fires at theta, then falls by it or to 0; equal to ``sw.golden``.

    There is a membrane v for each row of a tile, in a small memory. It takes what a step leaves,
    except for a neuron that leaks: its membranes are put there by `MembraneCodes`, by way of
    ``put``. With theta 0 the neuron does not fire.

    Latency: 1 cycle from ``drive`` to ``spike``; ``u``, ``fired`` and ``kept`` are there at once.
    Throughput: a step a cycle; a row's next step may follow in the next cycle.

    Parameters
    ----------
    config : Config

    Members, their times counted from ``drive``
    -------
    mode : In(LaneMode), constant while anything is in flight.
    drive : In(signed 19), at 0, and y : In(signed 18), as `Residual` makes them.
    fire : In(1), the neuron steps, at 0, with row : In(range(rows)) and start : In(1), v = 0.
    put : In(1), a membrane is put to row put_row : In(range(rows)); put_v : In(signed WIDE). Only
        where membranes can be stored (``config.state_bits``), and only for a neuron that leaks.
    u : Out(signed WIDE), at 0, the membrane before the reset. fired : Out(1), at 0.
    kept : Out(signed 18), at 0: what the residual memory stores, y or the spike.
    spike : Out(1), at 1.
    """

    mode: Any
    drive: Signal
    y: Signal
    fire: Signal
    row: Signal
    start: Signal
    put: Signal
    put_row: Signal
    put_v: Signal
    u: Signal
    fired: Signal
    kept: Signal
    spike: Signal

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        rows = (config.rows - 1).bit_length()
        super().__init__(
            {
                "mode": In(LaneMode),
                "drive": In(signed(MEMBRANE_BITS + 1)),
                "y": In(signed(MEMBRANE_BITS)),
                "fire": In(1),
                "row": In(rows),
                "start": In(1),
                "put": In(1),
                "put_row": In(rows),
                "put_v": In(signed(WIDE)),
                "u": Out(signed(WIDE)),
                "fired": Out(1),
                "kept": Out(signed(MEMBRANE_BITS)),
                "spike": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mode = self.mode
        m.submodules.state = state = memory.Memory(
            shape=WIDE if self.config.state_bits else MEMBRANE_BITS,
            depth=self.config.rows,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = state.write_port(), state.read_port(domain="comb")
        v = Signal(signed(WIDE))
        total = Signal(signed(WIDE))
        over = Signal(signed(WIDE))
        spike = Signal(reset_less=True)
        spikes = Signal()
        m.d.comb += [
            read.addr.eq(self.row),
            v.eq(Mux(self.start, 0, read.data).as_signed()),
            total.eq(v + self.drive),
            self.u.eq(total >> 1),
            over.eq(self.u - mode.theta),
            self.fired.eq(~over[-1]),
            spikes.eq(self.fired & (mode.theta != 0)),
            self.kept.eq(Mux(mode.keep == Keep.SPIKE, spikes, self.y)),
            self.spike.eq(spike),
            write.addr.eq(self.row),
            write.en.eq(self.fire),
            write.data.eq(Mux(self.fired, Mux(mode.soft, over, 0), self.u)),
        ]
        m.d.sync += spike.eq(spikes)
        if self.config.state_bits:
            with m.If(mode.leak):
                m.d.comb += [
                    write.addr.eq(self.put_row),
                    write.en.eq(self.put),
                    write.data.eq(self.put_v),
                ]
        return m
