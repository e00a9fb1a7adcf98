"""The first part of a lane: what a column's sum becomes before residual and neuron."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Signal
from amaranth.hdl import signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import (
    BIAS_BITS,
    FACTOR_BITS,
    MAX_STEPS,
    MEMBRANE_BITS,
    SHIFTS,
)
from hw.core.adder import add
from hw.core.mac import LaneMAC
from hw.core.modes import LaneMode
from hw.core.pipe import delay, later
from hw.core.shift import Shift, unit_shape


def pixel_names(config: Config) -> tuple[str, ...]:
    """Names of the pixels of units 1 and on, in a lane's event and among its ports."""
    return tuple(f"pixel_{u}" for u in range(1, config.tile_pixels))


#: What unit 1 is told, where it sums means too.
MEAN_NAMES = ("factor_1", "bias_1", "first_1", "adds_1")


class Affine(wiring.Component):
    """``x = saturate((bias + sum of factor * operand) >> shift)``; equal to ``sw.golden.ops``.

    The operand is what the instruction computes: the array's sum (GEMM; ``affine``), a pixel
    (MAC; ``head_sum``), or a residual word (MEAN). A MAC's weight is its factor, and comes in the
    same way: it is written to the table of factors a cycle before it is used. Other factors and
    bias are written in the shadow of the column tile before: the table has two halves, and the
    bias a place to wait in.

    A lane has ``config.lane_units`` multipliers, its units. Unit 0 serves every instruction. Of
    a MAC of several pixels unit u sums pixel u, with the same weights, u cycles after unit 0: so
    the sums of a tile are complete one after the other, as the rows of a GEMM are, and each is
    taken in its cycle while the next tile begins. x of every row is kept, for a neuron that
    steps through its rows again.

    Latency: ``latency`` cycles from ``acc`` to ``x``. Throughput: one operand a cycle.

    Parameters
    ----------
    config : Config
    target : str
        What multipliers and adder are made of, as `hw.core.mac.LaneMAC` has it.

    Members, their times counted from ``acc``
    -------
    mode : In(LaneMode), constant while anything is in flight.
    acc : In(signed(acc_bits)), the array's sum, at 0. side : In(signed 18), -popcount of the row
        (GEMM) or pixel (MAC), at 0; else 0. r : In(signed 18), the residual word of a MEAN, at 0.
    col : In(32), column word of the lane's bank.
    par_bias : In(1), it is a bias; par_factor : In(1), a factor, for par_entry : In(5) of the
        table (half, step); a MAC's weight at -1.
    use : In(5), entry of the factor table, at 0. swap : In(1), take the new bias, at 0.
    first : In(1), the sum starts from the bias, at 1.
    pixel_1, ... : In(signed 18), pixel of each further unit, unit u's at u; their weight is unit
        0's.
    unit : In(range(lane_units)), whose sum is taken, at the multipliers' latency, and
        shut : In(4), one bit for each of SHIFTS: 0 for the one that the sum has.
    load : In(1), a cycle later: x takes that sum, with takes : In(1); else what x was of the row
        ``unit`` when it was loaded last.
    operand_1 : In(signed 18), what unit 1 multiplies: a word of a mean at any time, or pixel_1.
        first_1, adds_1 : In(1), a cycle later: it begins a sum, and counts. factor_1 : In(1), its
        factor is ``col`` of two cycles before. bias_1 : In(1), its bias is the one that waits.
        Without ``config.means`` they do nothing, and unit 1 is as the others.
    x : Out(signed 18), at ``latency``, until the next load.
    """

    mode: Any
    acc: Signal
    side: Signal
    col: Signal
    par_bias: Signal
    par_factor: Signal
    par_entry: Signal
    use: Signal
    swap: Signal
    first: Signal
    r: Signal
    unit: Signal
    shut: Signal
    load: Signal
    takes: Signal
    operand_1: Signal
    factor_1: Signal
    bias_1: Signal
    first_1: Signal
    adds_1: Signal
    x: Signal

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        self.units = [LaneMAC(target=target) for _ in range(config.lane_units)]
        self.shift = Shift(config.lane_units)
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "mode": In(LaneMode),
                "acc": In(signed(config.acc_bits)),
                "side": In(word),
                "col": In(32),
                "par_bias": In(1),
                "par_factor": In(1),
                "par_entry": In(5),
                "use": In(5),
                "swap": In(1),
                "first": In(1),
                "r": In(word),
                **dict.fromkeys(pixel_names(config), In(word)),
                "unit": In(unit_shape(config.lane_units)),
                "shut": In(len(SHIFTS)),
                "load": In(1),
                "takes": In(1),
                "operand_1": In(word),
                **dict.fromkeys(MEAN_NAMES, In(1)),
                "x": Out(word),
            }
        )

    @property
    def latency(self) -> int:
        return self.units[0].latency + self.shift.latency + 1

    def elaborate(self, platform):
        m = Module()
        mode = self.mode
        assert timing.S_READY + self.units[0].latency == timing.PRODUCT
        assert timing.PRODUCT + self.shift.latency == timing.PICKED

        m.submodules.factors = factors = memory.Memory(
            shape=FACTOR_BITS, depth=2 * MAX_STEPS, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = factors.write_port(), factors.read_port(domain="comb")
        bias_next = Signal(BIAS_BITS, reset_less=True)
        bias = Signal(signed(BIAS_BITS), reset_less=True)
        m.d.comb += [
            write.addr.eq(self.par_entry),
            write.data.eq(self.col),
            write.en.eq(self.par_factor),
            read.addr.eq(self.use),
        ]
        with m.If(self.par_bias):
            m.d.sync += bias_next.eq(self.col)
        with m.If(self.swap):
            m.d.sync += bias.eq(bias_next)

        mac = self.units[0]
        for u, unit in enumerate(self.units):
            m.submodules[f"unit_{u}"] = unit
        chosen = Signal(signed(MEMBRANE_BITS))
        operand = add(m, self.side, chosen, MEMBRANE_BITS, target=self.target, name="operand")
        m.d.comb += [
            chosen.eq(Choice([0, self.acc, self.acc << 1, self.r])[mode.operand]),
            mac.a.eq(read.data.as_signed()),
            mac.b.eq(operand),
            mac.c.eq(bias),
            mac.first.eq(self.first),
        ]

        self._pixels(m, bias)
        if self.config.means:
            self._mean(m, bias_next)
        self._x(m)
        return m

    def _pixels(self, m: Module, bias: Signal) -> None:
        """Operands of the units of further pixels: unit 0's, a cycle later from unit to unit."""
        weight, first = self.units[0].a, self.first
        for name, unit in zip(pixel_names(self.config), self.units[1:], strict=False):
            weight = later(m, weight, name=f"weight_{name}")
            first = later(m, first, name=f"first_{name}")
            if unit is self.units[1] and self.config.means:
                continue  # it sums means too
            m.d.comb += [
                unit.a.eq(weight),
                unit.b.eq(getattr(self, name)),
                unit.c.eq(bias),
                unit.first.eq(first),
            ]

    def _x(self, m: Module) -> None:
        """The sum of a unit, shifted and clipped; or x of a row as it was."""
        m.submodules.shift = shift = self.shift
        m.d.comb += [to.eq(unit.p) for to, unit in zip(shift.p, self.units, strict=True)]
        m.d.comb += [shift.unit.eq(self.unit), shift.shut.eq(self.shut)]
        if self.config.tile_pixels == 1:
            x = Signal(signed(MEMBRANE_BITS), reset_less=True)
            with m.If(self.takes):
                m.d.sync += x.eq(shift.x)
        else:  # the memory of all rows' x, written where it is new, is the register
            m.submodules.kept = kept = memory.Memory(
                shape=MEMBRANE_BITS,
                depth=self.config.tile_pixels,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            write, read = kept.write_port(), kept.read_port(domain="comb")
            row = later(m, self.unit, name="unit")
            now = Signal(len(row), reset_less=True)
            with m.If(self.load):
                m.d.sync += now.eq(row)
            m.d.comb += [
                read.addr.eq(now),
                write.addr.eq(row),
                write.data.eq(shift.x),
                write.en.eq(self.takes),
            ]
            x = read.data
        m.d.comb += self.x.eq(x)

    def _mean(self, m: Module, bias: Signal) -> None:
        """Let unit 1 sum what is kept, in a MAC its pixels: its registers hold factor and bias."""
        unit = self.units[1]
        # A weight of unit 0 goes through the table; unit 1's comes as late by registers.
        weight = delay(m, self.col[:FACTOR_BITS], 2, name="factor")
        m.d.comb += [
            unit.a.eq(weight.as_signed()),
            unit.a_en.eq(self.factor_1),
            unit.b.eq(self.operand_1),
            unit.c.eq(bias.as_signed()),
            unit.c_en.eq(self.bias_1),
            unit.first.eq(self.first_1),
            unit.adds.eq(self.adds_1),
        ]
