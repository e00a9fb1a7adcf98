"""The third part of a lane: integrate and fire."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS, STATE_SHIFTS
from hw.core.adder import add
from hw.core.modes import LaneMode
from hw.core.table import CODE_BITS

KEPT = max(MEMBRANE_BITS, CODE_BITS + max(STATE_SHIFTS))  #: Bits of a membrane between steps.
WIDE = KEPT + 1  #: Bits of a membrane with y.


class Neuron(wiring.Component):
    """``u = (v + y) >> 1``, or ``v + y`` for a neuron that leaks; it fires at theta, then falls.

    It falls by theta or to 0; equal to ``sw.golden``. There is a membrane v for each row of a
    tile, in a small memory. It takes what a step leaves, except for a neuron that leaks: its
    membranes are put there by `MembraneCodes`, by way of ``put``. With theta 0 the neuron does
    not fire.

    A membrane of a code is even, as all of STATE_SHIFTS are, and one bit longer: its highest bit
    lies where others have the lowest.

    A first step reads a row of the memory that nothing writes, whose words are 0 as a memory
    without contents comes up: so no gate stands between memory and adder.

    Latency: 1 cycle from ``y`` to ``spike``; ``u``, ``fired`` and ``spike_kept`` are there at once.
    Throughput: a step a cycle; a row's next step may follow in the next cycle.

    Parameters
    ----------
    config : Config
    target : str
        ``generic``, ``ecp5`` or ``xc7``, for the adders.

    Members, their times counted from ``y``
    -------
    mode : In(LaneMode), constant while anything is in flight.
    y : In(signed 18), at 0.
    fire : In(1), the neuron steps, at 0, with row : In(range(rows)) and start : In(1), v = 0.
    put : In(1), a membrane is put to row put_row : In(range(rows)): put_v : In(signed KEPT) of a
        neuron that leaks, an even one, else what its step leaves, at 0. Only where membranes can
        be stored (``config.state_bits``); else the row that steps takes what is left.
    u : Out(signed WIDE), at 0, the membrane before the reset, of a neuron that leaks.
    fired : Out(1), at 0.
    spike_kept : Out(1), at 0: the spike, where the residual memory stores that.
    spike : Out(1), at 1.
    """

    mode: Any
    y: Signal
    fire: Signal
    row: Signal
    start: Signal
    put: Signal
    put_row: Signal
    put_v: Signal
    u: Signal
    fired: Signal
    spike_kept: Signal
    spike: Signal

    latency = 1

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        rows = (config.rows - 1).bit_length()
        super().__init__(
            {
                "mode": In(LaneMode),
                "y": In(signed(MEMBRANE_BITS)),
                "fire": In(1),
                "row": In(rows),
                "start": In(1),
                "put": In(1),
                "put_row": In(rows),
                "put_v": In(signed(KEPT)),
                "u": Out(signed(WIDE)),
                "fired": Out(1),
                "spike_kept": Out(1),
                "spike": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mode, rows = self.mode, self.config.rows
        stores = bool(self.config.state_bits)
        bits = WIDE if stores else MEMBRANE_BITS + 1
        m.submodules.state = state = memory.Memory(
            shape=MEMBRANE_BITS, depth=2 * rows, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = state.write_port(), state.read_port(domain="comb")
        v = Signal(signed(bits))
        total = add(m, v, self.y, bits, target=self.target, name="integrate")
        u = Signal(signed(bits))
        below = add(m, mode.theta, ~u, bits, target=self.target, name="compare")  # theta - u - 1
        spike = Signal(reset_less=True)
        spikes = Signal()
        left = Mux(self.fired, ~below & mode.soft.replicate(bits), total >> 1)
        m.d.comb += [
            read.addr.eq(Cat(self.row, self.start)),
            u.eq(Mux(mode.leak, total, total >> 1) if stores else total >> 1),
            self.u.eq(total),
            self.fired.eq(below[-1]),
            spikes.eq(self.fired & mode.fires),
            self.spike_kept.eq(spikes & mode.keeps_spike),
            self.spike.eq(spike),
            write.addr.eq(self.put_row if stores else self.row),
            write.en.eq(self.put if stores else self.fire),
            write.data.eq(left),
            v.eq(read.data.as_signed()),
        ]
        if stores:
            assert KEPT == MEMBRANE_BITS + 1
            assert min(STATE_SHIFTS) > 0
            low, rest = read.data[0], read.data[1:]
            most = Mux(mode.leak, low, rest[-1])
            put_v = Cat(self.put_v[-1], self.put_v[1:-1])
            m.d.comb += [
                v.eq(Cat(low & ~mode.leak, rest, most).as_signed()),
                write.data.eq(Mux(mode.leak, put_v, left)),
            ]
        m.d.sync += spike.eq(spikes)
        return m
