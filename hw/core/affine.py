"""The first part of a lane: what a column's sum becomes before residual and neuron."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Const, Module, Mux, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import BIAS_BITS, FACTOR_BITS, MAX_STEPS, MEMBRANE_BITS, SHIFTS
from hw.core.adder import add
from hw.core.mac import LaneMAC
from hw.core.modes import LaneMode
from hw.core.saturate import Unclipped, clip


class Affine(wiring.Component):
    """``x = saturate((bias + sum of factor * operand) >> shift)``; equal to ``sw.golden.ops``.

    The operand is what the instruction computes: the array's sum (GEMM; ``affine``), a pixel
    (MAC; ``head_sum``), or a residual word (MEAN). A MAC's weight is its factor, and comes in the
    same way: it is written to the table of factors a cycle before it is used. Other factors and
    bias are written in the shadow of the column tile before: the table has two halves, and the
    bias a place to wait in.

    Latency: ``latency`` cycles from ``acc`` to ``x``. Throughput: one operand a cycle.

    Parameters
    ----------
    config : Config
    target : str
        ``generic`` or ``xc7``, for multiplier and adder.

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
    load : In(1), x takes the sum, at ``mac.latency``.
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
    load: Signal
    x: Signal
    shifted: Any

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        self.mac = LaneMAC(target=target)
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
                "load": In(1),
                "x": Out(word),
                "shifted": Out(Unclipped),
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

        m.submodules.mac = mac = self.mac
        chosen = Signal(signed(MEMBRANE_BITS))
        operand = add(m, self.side, chosen, MEMBRANE_BITS, target=self.target, name="operand")
        m.d.comb += [
            chosen.eq(Choice([0, self.acc, self.acc << 1, self.r])[mode.operand]),
            mac.a.eq(read.data.as_signed()),
            mac.b.eq(operand),
            mac.c.eq(bias),
            mac.first.eq(self.first),
        ]

        # Clipped behind the register, where what reads x takes it in with its own logic.
        shifted: Any = Signal(Unclipped, reset_less=True)
        with m.If(self.load):
            m.d.sync += [
                shifted.low.eq(Choice([mac.p >> s for s in SHIFTS])[mode.shift]),
                shifted.fits.eq(Choice(_fits(mac.p))[mode.shift]),
                shifted.negative.eq(mac.p[-1]),
            ]
        m.d.comb += [self.shifted.eq(shifted), self.x.eq(clip(shifted))]
        return m


def _fits(p: Value) -> list[Value]:
    """Return for each of SHIFTS whether ``p >> shift`` is a number of MEMBRANE_BITS."""
    found, fits, top = {}, Const(1, 1), len(p) - 1
    for shift in sorted(SHIFTS, reverse=True):
        part = p[shift + MEMBRANE_BITS - 1 : top]
        fits = fits & Mux(p[-1], part.all(), ~part.any())
        found[shift], top = fits, shift + MEMBRANE_BITS - 1
    return [found[shift] for shift in SHIFTS]
