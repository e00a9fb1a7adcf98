"""The first part of a lane: what a column's sum becomes before residual and neuron."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import BIAS_BITS, FACTOR_BITS, MAX_STEPS, MEMBRANE_BITS, SHIFTS
from hw.core.mac import LaneMAC
from hw.core.modes import LaneMode
from hw.core.saturate import saturate
from hw.core.words import MEAN_BIAS, MEAN_FACTOR


class Affine(wiring.Component):
    """``x = saturate((bias + sum of factor * operand) >> shift)``; equal to ``sw.golden.ops``.

    The operand is what the instruction computes: the array's sum (GEMM; ``affine``), a pixel,
    whose factor is the weight on ``col`` (MAC; ``head_sum``), or a residual word (MEAN). Factors
    and bias are written in the shadow of the column tile before: the table of factors has two
    halves, and the bias a place to wait in.

    Latency: ``latency`` cycles from ``acc`` to ``x``. Throughput: one operand a cycle.

    Parameters
    ----------
    config : Config
    target : str
        ``generic`` or ``xc7``, for the multiplier.

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
    load : In(1), x takes the sum, at ``mac.latency``.
    kept : In(signed 18), what a mean sums; adds : In(1), opens : In(1), a cycle later: it counts,
        and begins a sum. takes : In(1), with ``load``: x takes that sum. Without ``config.means``
        they do nothing.
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
    load: Signal
    kept: Signal
    adds: Signal
    opens: Signal
    takes: Signal
    x: Signal

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config = config
        self.mac = LaneMAC(target=target)
        self.mean = LaneMAC(target=target) if config.means else None
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
                "load": In(1),
                "kept": In(word),
                "adds": In(1),
                "opens": In(1),
                "takes": In(1),
                "x": Out(word),
            }
        )

    @property
    def latency(self) -> int:
        return self.mac.latency + 1

    def elaborate(self, platform):
        m = Module()
        mode = self.mode
        assert timing.S_READY + self.mac.latency == timing.PRODUCT

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

        m.submodules.mac = mac = self.mac
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

        p, shift = mac.p, mode.shift
        if self.mean:
            m.submodules.mean = self.mean
            self._mean(m, self.mean, bias_next)
            p = Mux(self.takes, self.mean.p, mac.p)
            shift = Mux(self.takes, mode.mean_shift, mode.shift)
        shifted = Signal(signed(len(mac.p) - SHIFTS[0]))
        m.d.comb += shifted.eq(Choice([p >> s for s in SHIFTS])[shift])
        x = Signal(signed(MEMBRANE_BITS), reset_less=True)
        with m.If(self.load):
            m.d.sync += x.eq(saturate(m, shifted, name="x_sat"))
        m.d.comb += self.x.eq(x)
        return m

    def _mean(self, m: Module, mean: LaneMAC, bias: Signal) -> None:
        """Sum what is kept: the factor stays in the multiplier, the bias in its start."""
        arrived = Signal()  # the mean's bias has
        m.d.sync += arrived.eq(self.par_we & (self.par_index == MEAN_BIAS))
        m.d.comb += [
            mean.a.eq(self.col[:FACTOR_BITS].as_signed()),
            mean.a_en.eq(self.par_we & (self.par_index == MEAN_FACTOR)),
            mean.b.eq(self.kept),
            mean.c.eq(bias.as_signed()),
            mean.c_en.eq(arrived),
            mean.first.eq(self.opens),
            mean.adds.eq(self.adds),
        ]
