"""The first part of a lane: what a column's sum becomes before residual and neuron."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Module, Mux, Shape, Signal
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
from hw.core.mac import LaneMAC
from hw.core.modes import LaneMode
from hw.core.pipe import later
from hw.core.saturate import saturate
from hw.core.words import MEAN_BIAS, MEAN_FACTOR


def pixel_names(config: Config) -> tuple[str, ...]:
    """Names of the pixels of units 1 and on, in a lane's event and among its ports."""
    return tuple(f"pixel_{u}" for u in range(1, config.tile_pixels))


def unit_shape(config: Config) -> Shape:
    """Shape of a unit's number."""
    return unsigned(max(1, (config.lane_units - 1).bit_length()))


class Affine(wiring.Component):
    """``x = saturate((bias + sum of factor * operand) >> shift)``; equal to ``sw.golden.ops``.

    The operand is what the instruction computes: the array's sum (GEMM; ``affine``), a pixel,
    whose factor is the weight on ``col`` (MAC; ``head_sum``), or a residual word (MEAN). Factors
    and bias are written in the shadow of the column tile before: the table of factors has two
    halves, and the bias a place to wait in.

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
        ``generic`` or ``xc7``, for the multipliers.

    Members, their times counted from ``acc``
    -------
    mode : In(LaneMode), constant while anything is in flight.
    acc : In(signed(acc_bits)), the array's sum, at 0. side : In(signed 18), -popcount of the row
        (GEMM) or pixel (MAC), at 0; else 0.
    col : In(32), column word of the lane's bank; a MAC's weight at 0.
    par_we : In(1), ``col`` is a parameter word, by par_index : In(5), 0 the bias, n factor n - 1,
        of half par_half : In(1).
    use : In(5), entry of the factor table (half, step), at 0. swap : In(1), take the new bias,
        at 0.
    first : In(1), the sum starts from the bias, at 1.
    mean_a, mean_b : In(1), let residual words res_a, res_b : In(signed 18) into the multiplier,
        at 0.
    pixel_1, ... : In(signed 18), pixel of each further unit, unit u's at u; their weight is the
        one of ``col`` at 0.
    unit : In(range(lane_units)), whose sum is taken, at the multipliers' latency.
    load : In(1), x takes that sum, a cycle later; with again : In(1), what x was of the row
        ``unit`` when it was loaded last.
    kept : In(signed 18), what a mean sums in unit 1; adds : In(1), opens : In(1), a cycle later:
        it counts, and begins a sum. mean : In(1), with ``load``: that sum has a shift of its own.
        Without ``config.means`` they do nothing.
    x : Out(signed 18), at ``latency``, until the next load.
    """

    mode: Any
    acc: Signal
    side: Signal
    col: Signal
    par_we: Signal
    par_index: Signal
    par_half: Signal
    use: Signal
    swap: Signal
    first: Signal
    mean_a: Signal
    mean_b: Signal
    res_a: Signal
    res_b: Signal
    unit: Signal
    load: Signal
    again: Signal
    kept: Signal
    adds: Signal
    opens: Signal
    mean: Signal
    x: Signal

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config = config
        self.units = [LaneMAC(target=target) for _ in range(config.lane_units)]
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "mode": In(LaneMode),
                "acc": In(signed(config.acc_bits)),
                "side": In(word),
                "col": In(32),
                "par_we": In(1),
                "par_index": In(5),
                "par_half": In(1),
                "use": In(5),
                "swap": In(1),
                "first": In(1),
                "mean_a": In(1),
                "mean_b": In(1),
                "res_a": In(word),
                "res_b": In(word),
                **dict.fromkeys(pixel_names(config), In(word)),
                "unit": In(unit_shape(config)),
                "load": In(1),
                "again": In(1),
                "kept": In(word),
                "adds": In(1),
                "opens": In(1),
                "mean": In(1),
                "x": Out(word),
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
        index = Signal(5)
        m.d.comb += [
            index.eq(self.par_index - 1),
            write.addr.eq(Cat(index[:4], self.par_half)),
            write.data.eq(self.col),
            write.en.eq(self.par_we & (self.par_index != 0)),
            read.addr.eq(self.use),
        ]
        with m.If(self.par_we & ((self.par_index == 0) | (self.par_index == MEAN_BIAS))):
            m.d.sync += bias_next.eq(self.col)
        with m.If(self.swap):
            m.d.sync += bias.eq(bias_next)

        mac = self.units[0]
        for u, unit in enumerate(self.units):
            m.submodules[f"unit_{u}"] = unit
        total = Signal(signed(MEMBRANE_BITS))
        gated = Signal(signed(self.config.acc_bits + 1))
        m.d.comb += [
            gated.eq(Mux(mode.gemm, Mux(mode.double, self.acc << 1, self.acc), 0)),
            total.eq(gated + self.side),
            mac.a.eq(Mux(mode.mac, self.col[:FACTOR_BITS], read.data).as_signed()),
            mac.b.eq(
                total
                | (self.res_a & self.mean_a.replicate(MEMBRANE_BITS))
                | (self.res_b & self.mean_b.replicate(MEMBRANE_BITS))
            ),
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
        weight, first = self.col[:FACTOR_BITS], self.first
        for name, unit in zip(pixel_names(self.config), self.units[1:], strict=False):
            weight = later(m, weight, name=f"weight_{name}")
            first = later(m, first, name=f"first_{name}")
            if unit is self.units[1] and self.config.means:
                continue  # it sums means too
            m.d.comb += [
                unit.a.eq(weight.as_signed()),
                unit.b.eq(getattr(self, name)),
                unit.c.eq(bias),
                unit.first.eq(first),
            ]

    def _x(self, m: Module) -> None:
        """The sum of a unit, shifted and clipped; or x of a row as it was."""
        mode, low = self.mode, min(SHIFTS)
        shift = Mux(self.mean, mode.mean_shift, mode.shift) if self.config.means else mode.shift
        picked = Signal(signed(PRODUCT_BITS - low), reset_less=True)
        m.d.sync += picked.eq(Choice([unit.p[low:] for unit in self.units])[self.unit])
        shifted = Signal(signed(len(picked)))
        m.d.comb += shifted.eq(Choice([picked >> s - low for s in SHIFTS])[shift])
        taken: Any = saturate(m, shifted, name="x_sat")
        if self.config.tile_pixels > 1:
            m.submodules.kept = kept = memory.Memory(
                shape=signed(MEMBRANE_BITS),
                depth=self.config.tile_pixels,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            write, read = kept.write_port(), kept.read_port(domain="comb")
            row = later(m, self.unit, name="unit")
            m.d.comb += [
                read.addr.eq(row),
                write.addr.eq(row),
                write.data.eq(taken),
                write.en.eq(self.load & ~self.again),
            ]
            taken = Mux(self.again, read.data, taken)
        x = Signal(signed(MEMBRANE_BITS), reset_less=True)
        with m.If(self.load):
            m.d.sync += x.eq(taken)
        m.d.comb += self.x.eq(x)

    def _sum(self, m: Module, bias: Signal) -> None:
        """Let unit 1 sum what is kept, in a MAC its pixels: its registers hold factor and bias."""
        unit, mac = self.units[1], self.mode.mac
        weight = later(m, self.col[:FACTOR_BITS], name="factor")
        arrived: dict[int, Signal] = {}  # a word of the mean has, in the cycle before
        for index in (MEAN_BIAS, MEAN_FACTOR):
            arrived[index] = Signal(name=f"arrived_{index}")
            m.d.sync += arrived[index].eq(self.par_we & (self.par_index == index))
        m.d.comb += [
            unit.a.eq(weight.as_signed()),
            unit.a_en.eq(mac | arrived[MEAN_FACTOR]),
            unit.b.eq(self.kept),
            unit.c.eq(bias.as_signed()),
            unit.c_en.eq(Mux(mac, self.swap, arrived[MEAN_BIAS])),
            unit.first.eq(self.opens),
            unit.adds.eq(self.adds),
        ]
        if self.config.tile_pixels > 1:
            first = later(m, self.first, name="first_pixel")
            with m.If(mac):
                m.d.comb += [unit.b.eq(getattr(self, "pixel_1")), unit.first.eq(first), unit.adds.eq(1)]
