"""What an instruction says to lanes and write-back, and what stays of one while it drains."""

import enum
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Keep, Mod, Op, Res
from hw.core.words import ADDR, field, instruction_layout


class Operand(enum.IntEnum):
    """What a lane multiplies, beside what its event adds (`lane_event`'s ``side``)."""

    PIXEL = 0  #: Nothing else: a MAC's pixel is all.
    SUM = 1  #: The array's sum.
    DOUBLE = 2  #: Twice that.
    RESIDUAL = 3  #: A word of a residual buffer; ``side`` is 0.


class LaneMode(data.Struct):
    """What the instruction sets in the lanes; constant while words are in flight.

    It goes from lane to lane as events do, so that no lane is far from where it comes from.

    What depends on nothing else is worked out here, once, instead of in every lane.
    """

    operand: unsigned(2)  #: Operand.
    mac: unsigned(1)  #: That is a pixel.
    soft: unsigned(1)
    average: unsigned(1)  #: Res.AVERAGE.
    theta: signed(MEMBRANE_BITS)
    fires: unsigned(1)  #: theta is not 0.
    keeps_spike: unsigned(1)  #: Keep.SPIKE.
    sc_value: signed(MEMBRANE_BITS)
    leak: unsigned(1)
    fine: unsigned(1)  #: Cells of the table have STATE_CELL_FINE units.
    leak_shut: unsigned(4)  #: All of STATE_SHIFTS but that from code to membrane.
    leak_above: unsigned(3)  #: Those that it is above, the largest left out.
    state_bits: unsigned(2)
    persist: unsigned(1)


class WriteMode(data.Struct):
    """What the instruction sets in write-back; constant while tags are in flight."""

    dest: unsigned(3)
    pool: unsigned(1)  #: The operation is POOL: words come from the pool unit.
    fused: unsigned(1)  #: Windows of the spikes are written in their place.
    mac: unsigned(1)
    n_pix: unsigned(4)  #: MAC: pixels of a tile - 1.
    passes: unsigned(4)  #: Through the rows of a tile - 1.
    gs: unsigned(ADDR)
    t: unsigned(ADDR)  #: Destination distance between steps.
    lanes: unsigned(7)
    pack: unsigned(2)
    slot_log2: unsigned(2)
    chan_gs: unsigned(10)
    img_w: unsigned(11)
    split: unsigned(1)  #: Even and odd columns in planes.
    half: unsigned(ADDR)  #: Distance from even to odd columns.
    slow: unsigned(1)  #: A pass takes STATE_GAP cycles or more.
    mean: unsigned(1)  #: A mean of each lane is written after each column tile.


class Early(data.Struct):
    """Copies of early fields, which the next instruction's fetch may overwrite during a drain."""

    gemm: unsigned(1)
    xnor: unsigned(1)
    mac: unsigned(1)
    mean: unsigned(1)
    pooling: unsigned(1)
    per_step: unsigned(1)  #: The factor table is indexed by t.
    n_pix: unsigned(4)  #: MAC: pixels of a tile - 1.
    passes: unsigned(4)  #: Through the rows of a tile - 1: MAC with spread has one for each step.
    w_gs: unsigned(ADDR)
    w_t: unsigned(ADDR)
    w_half: unsigned(ADDR)
    res_gs: unsigned(8)
    st_base: unsigned(ADDR)
    split: unsigned(1)  #: Destination columns in planes.
    fused: unsigned(1)  #: A pool is part of the instruction.


class Modes(wiring.Component):
    """Keeps the early fields of the instruction in flight; sorts the late ones by their readers.

    Latency: 1 cycle from ``setup`` to ``early``; late fields pass through, and what a
    lane multiplies is known a cycle later. Throughput: an instruction a cycle.

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction is whole and nothing in flight.
    early : Out(Early). lane : Out(LaneMode). write : Out(WriteMode).
    """

    insn: Any
    setup: Signal
    early: Any
    lane: Any
    write: Any

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "early": Out(Early),
                "lane": Out(LaneMode),
                "write": Out(WriteMode),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, lane, write = self.insn, self.lane, self.write
        early: Any = Signal(Early)
        operand = Signal(Operand)
        sums, residual = Mux(i.double, Operand.DOUBLE, Operand.SUM), Operand.RESIDUAL
        with m.If(self.setup):
            m.d.sync += [
                early.gemm.eq(i.op == Op.GEMM),
                early.xnor.eq(i.xnor),
                early.mac.eq(i.op == Op.MAC),
                early.mean.eq(i.op == Op.MEAN),
                early.pooling.eq(i.op == Op.POOL),
                early.per_step.eq(i.factor_per_step),
                early.n_pix.eq(field(i, "n_pix")),
                early.passes.eq(Mux(i.spread, i.n_spread, 0)),
                early.w_gs.eq(i.w_gs),
                early.w_t.eq(i.w_t),
                early.w_half.eq(i.w_half),
                early.res_gs.eq(i.res_gs),
                early.st_base.eq(i.st_base),
                early.split.eq(i.w_mod == Mod.PAIR),
                early.fused.eq(i.pool),
            ]
        m.d.sync += operand.eq(Mux(early.gemm, sums, Mux(early.mean, residual, Operand.PIXEL)))
        m.d.comb += [
            self.early.eq(early),
            lane.operand.eq(operand),
            lane.mac.eq(early.mac),
            lane.soft.eq(i.soft),
            lane.average.eq(i.res == Res.AVERAGE),
            lane.theta.eq(i.theta),
            lane.fires.eq(i.theta != 0),
            # what is kept and what a mean sums: the same where both are not NONE
            lane.keeps_spike.eq((i.keep | i.mean) == Keep.SPIKE),
            lane.sc_value.eq(i.sc_value),
            lane.leak.eq(i.leak),
            lane.fine.eq(i.state_shift == 0),
            lane.leak_shut.eq(~(1 << i.state_shift)),
            lane.leak_above.eq((1 << i.state_shift) - 1),
            lane.state_bits.eq(i.state_bits),
            lane.persist.eq(i.persist),
            write.dest.eq(i.dest),
            write.pool.eq(early.pooling),
            write.fused.eq(early.fused),
            write.mac.eq(early.mac),
            write.n_pix.eq(early.n_pix),
            write.passes.eq(early.passes),
            write.gs.eq(early.w_gs),
            write.t.eq(early.w_t),
            write.lanes.eq(i.lanes),
            write.pack.eq(i.w_pack),
            write.slot_log2.eq(i.w_slot_log2),
            write.chan_gs.eq(i.w_chan_gs),
            write.img_w.eq(i.w_img_w),
            write.split.eq(early.split),
            write.half.eq(early.w_half),
            write.slow.eq(i.leak),
            write.mean.eq(i.mean != 0),
        ]
        return m
