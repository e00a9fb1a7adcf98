"""An adder whose second operand may be logic: it costs one LUT a bit, that logic included."""

from amaranth import Const, Instance, Module, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError


def chain(m: Module, direct: Value, propagate: Value) -> Value:
    """Return ``propagate ^ carry``: the carry goes on where propagate is 1, else becomes direct.

    It comes in as 0. CARRY4 cells; what the two are made of shares a LUT, if it has no more inputs.
    """
    width = len(propagate)
    whole = -(-width // 4) * 4
    ins, through, total = (Signal(whole, name=name) for name in ("direct", "propagate", "total"))
    m.d.comb += [ins.eq(direct), through.eq(propagate)]
    carry: Value = Const(0, 1)
    for n in range(0, whole, 4):
        part, after = slice(n, n + 4), Signal(4, name=f"carry_{n}")
        m.submodules[f"bits_{n}"] = Instance(
            "CARRY4",
            i_CYINIT=Const(0, 1),
            i_CI=carry,
            i_DI=ins[part],
            i_S=through[part],
            o_O=total[part],
            o_CO=after,
        )
        carry = after[3]
    return total[:width]


class Adder(wiring.Component):
    """``o = plain + other``, modulo 2**width.

    A carry chain wants one of the operands as it is, beside their exclusive or. Which one, tools
    choose without regard to what it costs; here it is ``plain``, so that what computes ``other``
    from up to five signals a bit shares the LUT with the exclusive or.

    Latency: combinational. Throughput: a sum a cycle.

    Parameters
    ----------
    width : int
        Bits of operands and sum.
    target : str
        ``generic``, ``ecp5``, ``simulation``: behavioural. ``xc7``: CARRY4 cells; equal bit for
        bit.

    Members
    -------
    plain, other : In(signed width). o : Out(signed width).
    """

    plain: Signal
    other: Signal
    o: Signal

    def __init__(self, width: int, *, target: str = "generic"):
        if target not in self.FORMS:
            known = tuple(self.FORMS)
            raise SpikeloomError(f"adder target {target!r}: known targets are {known}")
        self.width, self.target = width, target
        word = signed(width)
        super().__init__({"plain": In(word), "other": In(word), "o": Out(word)})

    def elaborate(self, platform):
        return self.FORMS[self.target](self)

    def _generic(self) -> Module:
        m = Module()
        m.d.comb += self.o.eq(self.plain + self.other)
        return m

    def _xc7(self) -> Module:
        m = Module()
        m.d.comb += self.o.eq(chain(m, self.plain, self.plain ^ self.other))
        return m

    #: How each set of primitives makes it.
    FORMS = {"generic": _generic, "ecp5": _generic, "simulation": _generic, "xc7": _xc7}


def add(m: Module, plain: Value, other: Value, width: int, *, target: str, name: str) -> Signal:
    """Return ``plain + other`` of an `Adder`, which becomes submodule ``name``."""
    m.submodules[name] = adder = Adder(width, target=target)
    m.d.comb += [adder.plain.eq(plain), adder.other.eq(other)]
    return adder.o
