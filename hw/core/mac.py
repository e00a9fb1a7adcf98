"""Multiply-accumulate unit of a lane."""

from amaranth import Cat, Const, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import formats
from hw.common.errors import SpikeloomError
from hw.core.dsp48 import dsp48e1
from hw.core.ripple import Carries

_X = formats.MEMBRANE_BITS
_FACTOR = formats.FACTOR_BITS
_BIAS = formats.BIAS_BITS
_P = formats.PRODUCT_BITS


class LaneMAC(wiring.Component):
    """``p = (c if first else p) + (a * b if adds else 0)`` in every cycle, modulo 2**36.

    Latency: a, b at cycle t; the matching c, first and adds at t + 1; p at t + 3. Throughput: 1
    per cycle. Where a_en or c_en is 0, a or c is what it was the cycle before. p moves in every
    cycle: an idle one presents b = 0, or later adds = 0, and first = 0. No register has a reset;
    p is arbitrary until the first ``first``.

    Parameters
    ----------
    target : str
        ``generic``, ``simulation``: behavioural. ``xc7``: one DSP48E1 and no other cell. ``ecp5``:
        a multiplier whose registers are its own (`hw.tools.multreg_ecp5`), and CCU2C cells that
        choose and add. Equal bit for bit.

    Members
    -------
    a, b : In(signed(18))
        Operands.
    c : In(signed(32))
        What the sum starts from.
    first : In(1)
        Start a sum.
    adds : In(1)
        The product is added; 1 if not driven.
    a_en, c_en : In(1)
        a and c are taken; 1 if not driven.
    p : Out(signed(36))
        The sum; a register.
    """

    a: Value
    b: Value
    c: Value
    first: Value
    adds: Value
    a_en: Value
    c_en: Value
    p: Value

    latency = 3  #: From operands to sum.

    def __init__(self, *, target: str = "generic"):
        if target not in self.FORMS:
            known = tuple(self.FORMS)
            raise SpikeloomError(f"lane multiplier target {target!r}: known targets are {known}")
        self.target = target
        super().__init__(
            {
                "a": In(signed(_X)),
                "b": In(signed(_FACTOR)),
                "c": In(signed(_BIAS)),
                "first": In(1),
                "adds": In(1, init=1),  # pyright: ignore[reportCallIssue]  # init is a port's
                "a_en": In(1, init=1),  # pyright: ignore[reportCallIssue]  # init is a port's
                "c_en": In(1, init=1),  # pyright: ignore[reportCallIssue]  # init is a port's
                "p": Out(signed(_P)),
            }
        )

    def elaborate(self, platform):
        return self.FORMS[self.target](self)

    def _xc7(self) -> Module:
        m = Module()
        p = Signal(48)
        m.submodules.dsp = self._dsp(p)
        m.d.comb += self.p.eq(p)  # the low 36 bits are all that anyone may read
        return m

    def _generic(self) -> Module:
        m = Module()
        a = Signal(signed(_X), reset_less=True)
        b = Signal(signed(_FACTOR), reset_less=True)
        product = Signal(signed(_X + _FACTOR), reset_less=True)
        c = Signal(signed(_BIAS), reset_less=True)
        first, adds = Signal(reset_less=True), Signal(reset_less=True)
        p = Signal(signed(_P), reset_less=True)
        with m.If(self.a_en):
            m.d.sync += a.eq(self.a)
        with m.If(self.c_en):
            m.d.sync += c.eq(self.c)
        m.d.sync += [
            b.eq(self.b),
            product.eq(a * b),
            first.eq(self.first),
            adds.eq(self.adds),
            p.eq(Mux(first, c, p) + Mux(adds, product, 0)),
        ]
        m.d.comb += self.p.eq(p)
        return m

    def _ecp5(self) -> Module:
        m = Module()
        a = Signal(signed(_X), reset_less=True)
        b = Signal(signed(_FACTOR), reset_less=True)
        product = Signal(signed(_X + _FACTOR), reset_less=True)
        c = Signal(signed(_BIAS), reset_less=True)
        first = Signal(reset_less=True)
        p = Signal(signed(_P), reset_less=True)
        with m.If(self.a_en):
            m.d.sync += a.eq(self.a)
        with m.If(self.c_en):
            m.d.sync += c.eq(self.c)
        m.d.sync += [b.eq(self.b), product.eq(a * b), first.eq(self.first)]
        with m.If(~self.adds):  # the reset of the multiplier's output register
            m.d.sync += product.eq(0)
        start = [*c, *[c[-1]] * (_P - _BIAS)]
        chain = Carries(m, "sum")
        total = [
            chain.place(lambda plus, first, c, p: plus ^ (c if first else p), plus, first, *both)
            for plus, *both in zip(product, start, p, strict=True)
        ]
        chain.close()
        m.d.sync += p.eq(Cat(total))
        m.d.comb += self.p.eq(p)
        return m

    def _dsp(self, p: Signal) -> Instance:
        def extended(value: Value, width: int) -> Value:
            return Cat(value, value[-1].replicate(width - len(value)))

        # OPMODE: X = Y = M (01, 01) or 0 (00, 00); Z = P (010) or C (011): ``first`` is bit 4.
        opmode = Cat(self.adds, Const(0, 1), self.adds, Const(0, 1), self.first, Const(0b01, 2))
        return dsp48e1(
            registers=("A", "B", "C", "M", "P", "OPMODE"),
            enabled=("B2", "M", "P", "CTRL"),
            p_USE_MULT="MULTIPLY",
            i_A=extended(self.a, 30),
            i_B=self.b,
            i_C=extended(self.c, 48),
            i_OPMODE=opmode,
            i_CEA2=self.a_en,
            i_CEC=self.c_en,
            o_P=p,
        )

    #: How each set of primitives makes it.
    FORMS = {
        "generic": _generic,
        "ecp5": _ecp5,
        "simulation": _generic,
        "xc7": _xc7,
    }
