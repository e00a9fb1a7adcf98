"""The first part of a lane: what a column's sum becomes before residual and neuron."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Const, Module, Mux, Shape, Signal, Value
from amaranth.hdl import signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import (
    BIAS_BITS,
    FACTOR_BITS,
    MAX_STEPS,
    MEMBRANE_BITS,
    PRODUCT_BITS,
    SHIFTS,
)
from hw.core.adder import add
from hw.core.mac import LaneMAC
from hw.core.modes import LaneMode, Operand
from hw.core.pipe import delay, later
from hw.core.saturate import Unclipped, clip


def pixel_names(config: Config) -> tuple[str, ...]:
    """Names of the pixels of units 1 and on, in a lane's event and among its ports."""
    return tuple(f"pixel_{u}" for u in range(1, config.tile_pixels))


def unit_shape(config: Config) -> Shape:
    """Shape of a unit's number."""
    return unsigned(max(1, (config.lane_units - 1).bit_length()))


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
    unit : In(range(lane_units)), whose sum is taken, at the multipliers' latency.
    load : In(1), x takes that sum, a cycle later; with again : In(1), what x was of the row
        ``unit`` when it was loaded last.
    par_mean_bias, par_mean_factor : In(1), ``col`` is the bias (with par_bias), the factor of a
        mean. kept : In(signed 18), what it sums in unit 1; adds : In(1), opens : In(1), a cycle
        later: it counts, and begins a sum. mean : In(1), with ``load``: that sum has a shift of
        its own. Without ``config.means`` they do nothing.
    x : Out(signed 18), at ``latency``, until the next load; shifted : Out(Unclipped), the same.
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
    load: Signal
    again: Signal
    kept: Signal
    par_mean_bias: Signal
    par_mean_factor: Signal
    adds: Signal
    opens: Signal
    mean: Signal
    x: Signal
    shifted: Any

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        self.units = [LaneMAC(target=target) for _ in range(config.lane_units)]
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
                "unit": In(unit_shape(config)),
                "load": In(1),
                "again": In(1),
                "kept": In(word),
                "par_mean_bias": In(1),
                "par_mean_factor": In(1),
                "adds": In(1),
                "opens": In(1),
                "mean": In(1),
                "x": Out(word),
                "shifted": Out(Unclipped),
            }
        )

    @property
    def latency(self) -> int:
        return self.units[0].latency + 2

    def elaborate(self, platform):
        m = Module()
        mode = self.mode
        assert timing.S_READY + self.units[0].latency == timing.PRODUCT
        assert timing.PRODUCT + 1 == timing.PICKED

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
            self._sum(m, bias_next)
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
        """The sum of a unit, shifted; or x of a row as it was.

        It is clipped behind the register, where what reads x takes that in with its own logic.
        """
        mode, low = self.mode, min(SHIFTS)
        shift = Mux(self.mean, mode.mean_shift, mode.shift) if self.config.means else mode.shift
        picked = Signal(signed(PRODUCT_BITS - low), reset_less=True)
        m.d.sync += picked.eq(Choice([unit.p[low:] for unit in self.units])[self.unit])
        taken: Any = Signal(Unclipped)
        shifts = [shift - low for shift in SHIFTS]
        m.d.comb += [
            taken.low.eq(Choice([picked >> s for s in shifts])[shift]),
            taken.fits.eq(Choice(_fits(picked, shifts))[shift]),
            taken.negative.eq(picked[-1]),
        ]
        if self.config.tile_pixels == 1:
            x: Any = Signal(Unclipped, reset_less=True)
            with m.If(self.load):
                m.d.sync += x.eq(taken)
        else:  # the memory of all rows' x, written by each load, is the register
            m.submodules.kept = kept = memory.Memory(
                shape=Unclipped,
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
                write.data.eq(taken),
                write.en.eq(self.load & ~self.again),
            ]
            x = read.data
        m.d.comb += [self.shifted.eq(x), self.x.eq(clip(x))]

    def _sum(self, m: Module, bias: Signal) -> None:
        """Let unit 1 sum what is kept, in a MAC its pixels: its registers hold factor and bias."""
        unit, mac = self.units[1], self.mode.operand == Operand.PIXEL
        # A weight of unit 0 goes through the table; unit 1's comes as late by registers.
        weight = delay(m, self.col[:FACTOR_BITS], 2, name="factor")
        factor = delay(m, self.par_mean_factor, 2, name="mean_factor", reset=True)
        begins = delay(m, self.par_mean_bias, 1, name="mean_bias", reset=True)
        m.d.comb += [
            unit.a.eq(weight.as_signed()),
            unit.a_en.eq(mac | factor),
            unit.b.eq(self.kept),
            unit.c.eq(bias.as_signed()),
            unit.c_en.eq(Mux(mac, self.swap, begins)),
            unit.first.eq(self.opens),
            unit.adds.eq(self.adds),
        ]
        if self.config.tile_pixels > 1:
            first = later(m, self.first, name="first_pixel")
            with m.If(mac):
                m.d.comb += [
                    unit.b.eq(getattr(self, pixel_names(self.config)[0])),
                    unit.first.eq(first),
                    unit.adds.eq(1),
                ]


def _fits(p: Value, shifts: list[int]) -> list[Value]:
    """Return for each shift whether ``p >> shift`` is a number of MEMBRANE_BITS."""
    found, fits, top = {}, Const(1, 1), len(p) - 1
    for shift in sorted(shifts, reverse=True):
        part = p[shift + MEMBRANE_BITS - 1 : top]
        fits = fits & Mux(p[-1], part.all(), ~part.any())
        found[shift], top = fits, shift + MEMBRANE_BITS - 1
    return [found[shift] for shift in shifts]
