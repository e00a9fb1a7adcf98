"""One lane: affine map, residual, neuron, stored membranes; c cycles after lane 0 in lane c."""

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS
from hw.core.affine import MEAN_NAMES, Affine, pixel_names
from hw.core.kept import Kept
from hw.core.lane_events import lane_event
from hw.core.membranes import MembraneCodes
from hw.core.modes import LaneMode
from hw.core.neuron import Neuron
from hw.core.pipe import delay, later
from hw.core.residual import Residual
from hw.core.table import CELL_BITS, CODE_BITS, Entry


class Lane(wiring.Component):
    """Affine map, residual and leaky integrate-and-fire of one column; equal to ``sw.golden``.

    Each field of ``event`` comes at a time of its own (`hw.core.lane_events`), and goes on to the
    next lane a cycle later. Times count from tau of row 0 in lane 0 (timing.NAME).

    Latency: timing.SPIKE - timing.S_READY cycles from ``acc`` to ``spike``. Throughput: a row a
    cycle.

    Parameters
    ----------
    config : Config
    target : str
        What multipliers and adders are made of, as `hw.core.mac.LaneMAC` has it.

    Members
    -------
    mode : In(LaneMode), constant while anything is in flight.
    event : In(lane_event(config)). next : Out(lane_event(config)), a cycle later.
    acc : In(signed(acc_bits)), array sum, at S_READY.
    col : In(32), column word of this lane's bank; a MAC weight at S_READY - 1.
    res_a, res_b : In(signed 18), residual words, at PICKED (MEAN: at S_READY - 1).
    sc : In(1), the shortcut spikes, at PICKED.
    x : Out(signed 18), at X.
    kept : Out(signed 18), what the residual memory stores, at Y; low : Out(1), its lowest bit but
        for the spike, and fired : Out(1), whether there is one, if that is what it stores.
    spike : Out(1), at SPIKE.
    cell : Out, entry : In(Entry) two cycles later, address and word of the table of membranes.
    forget : In(1), codes in memory count as 0; constant while anything is in flight.
    code : Out(8), byte of codes for residual buffer A, at STATE_WRITE.

    Without stored membranes (``config.state_bits`` 0) those from ``cell`` on do nothing.
    """

    mode: Any
    event: Any
    next: Any
    acc: Signal
    col: Signal
    res_a: Signal
    res_b: Signal
    sc: Signal
    x: Any
    kept: Signal
    low: Signal
    fired: Signal
    spike: Signal
    cell: Signal
    entry: Any
    forget: Signal
    code: Signal

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config = config
        self.affine = Affine(config, target=target)
        self.residual = Residual(config, target=target)
        self.neuron = Neuron(config, target=target)
        self.keeps = Kept(target=target)
        self.codes = MembraneCodes(config, target=target) if config.state_bits else None
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "mode": In(LaneMode),
                "event": In(lane_event(config)),
                "next": Out(lane_event(config)),
                "acc": In(signed(config.acc_bits)),
                "col": In(32),
                "res_a": In(word),
                "res_b": In(word),
                "sc": In(1),
                "x": Out(word),
                "kept": Out(word),
                "low": Out(1),
                "fired": Out(1),
                "spike": Out(1),
                "cell": Out(CELL_BITS),
                "entry": In(Entry),
                "forget": In(1),
                "code": Out(CODE_BITS),
            }
        )

    @property
    def latency(self) -> int:
        return self.affine.latency + self.residual.latency + self.neuron.latency

    def elaborate(self, platform):
        m = Module()
        assert timing.S_READY + self.affine.latency == timing.X
        assert timing.X + self.residual.latency == timing.Y
        assert timing.Y + self.neuron.latency == timing.SPIKE
        event = self.event
        m.submodules.affine = affine = self.affine
        m.submodules.residual = residual = self.residual
        m.submodules.neuron = neuron = self.neuron
        m.submodules.keeps = keeps = self.keeps
        for part in (affine, residual, neuron):
            m.d.comb += part.mode.eq(self.mode)
        told = ["side", "use", "swap", "first", "par_bias", "par_factor", "par_entry"]
        told += ["unit", "shut", "load", "takes", *pixel_names(self.config)]
        for name in [*told, *(MEAN_NAMES if self.config.means else ())]:
            m.d.comb += getattr(affine, name).eq(event[name])
        m.d.comb += [
            self.next.eq(later(m, event, name="next")),
            affine.acc.eq(self.acc),
            affine.col.eq(self.col),
            affine.r.eq(residual.r),
            residual.x.eq(affine.x),
            residual.res_a.eq(self.res_a),
            residual.res_b.eq(self.res_b),
            residual.sc.eq(self.sc),
            residual.source.eq(event.source),
            residual.adds.eq(event.adds),
            neuron.y.eq(residual.y),
            neuron.fire.eq(event.fire),
            neuron.start.eq(event.start),
            neuron.row.eq(event.row),
            keeps.total.eq(residual.kept),
            keeps.spike.eq(neuron.spike_kept),
            self.x.eq(affine.x),
            self.kept.eq(keeps.kept),
            self.low.eq(keeps.low),
            self.fired.eq(neuron.fired),
            self.spike.eq(neuron.spike),
        ]
        if self.config.means:
            m.d.comb += [
                keeps.mac.eq(self.mode.mac),
                affine.operand_1.eq(delay(m, keeps.operand, 1, name="operand_1")),
            ]
            if self.config.tile_pixels > 1:
                m.d.comb += keeps.pixel.eq(event.pixel_1)
        if self.codes:
            self._store(m, self.codes)
        return m

    def _store(self, m: Module, codes: MembraneCodes) -> None:
        """Wire the stored membranes: their neuron, their table, their place in memory."""
        assert timing.Y + codes.latency == timing.STATE_WRITE
        assert codes.latency + 1 == timing.STATE_GAP
        event, neuron = self.event, self.neuron
        m.submodules.codes = codes
        for name in ("code_at", "code_shut", "code_new", "code_below", "code_keep"):
            m.d.comb += getattr(codes, name).eq(event[name])
        m.d.comb += [
            codes.mode.eq(self.mode),
            codes.u.eq(neuron.u),
            codes.fired.eq(neuron.fired),
            codes.res_a.eq(self.res_a),
            codes.forget.eq(self.forget),
            codes.entry.eq(self.entry),
            self.cell.eq(codes.cell),
            self.code.eq(codes.code),
            neuron.put.eq(event.put),
            neuron.put_row.eq(event.put_row),
            neuron.put_v.eq(codes.put_v),
        ]
