"""Masked popcount of an array element: the count of common ones of two words, in two cycles."""

from collections.abc import Sequence

from amaranth import Cat, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.common.errors import SpikeloomError

_ROUNDS = 3  # rounds of full adders before the middle register


class MaskedPopcount(wiring.Component):
    """Count of ones of ``a & b``: full adders as word-wide bit operations, which simulate quickly.

    The behavioural form, two LUT4 a bit and more; hw.core.carrysave and hw.core.ripple are the
    forms of vendors' cells.

    Latency: 2 cycles, ``o`` being a register. Throughput: 1 per cycle.
    Data registers have no reset: after power-up the first two results are arbitrary.

    Parameters
    ----------
    width : int
        Bits of an operand word, 2 to 256.

    Members
    -------
    a, b : In(width)
        Operands, registered outside.
    o : Out(bits_for(width))
        The count.
    """

    a: Value
    b: Value
    o: Value

    latency = 2

    def __init__(self, width: int):
        if not 2 <= width <= 256:
            raise SpikeloomError(f"popcount width {width!r}: it must be 2 to 256")
        self.width = width
        super().__init__({"a": In(width), "b": In(width), "o": Out(bits_for(width))})

    def elaborate(self, platform):
        m = Module()
        columns: list[Value] = [self.a & self.b]
        for n in range(_ROUNDS):
            columns = _full_adders(m, columns, f"in{n}")
        middle = []
        for w, bits in enumerate(columns):
            register = Signal(len(bits), name=f"middle{w}", reset_less=True)
            m.d.sync += register.eq(bits)
            middle.append(register)
        columns, n = middle, 0
        while any(len(bits) > 2 for bits in columns):
            columns, n = _full_adders(m, columns, f"out{n}"), n + 1
        total = sum(
            (Cat(bits[k] if len(bits) > k else Const(0, 1) for bits in columns) for k in range(2)),
            Const(0, 1),
        )
        o = Signal(self.o.shape(), reset_less=True)
        m.d.sync += o.eq(total)
        m.d.comb += self.o.eq(o)
        return m


class SimulatedPopcount(MaskedPopcount):
    """The same count by the module ``countones`` (sim/countones.sv), for compiled simulators alone.

    Latency: 2 cycles. Throughput: 1 per cycle. Parameters and Members: those of `MaskedPopcount`.
    """

    def elaborate(self, platform):
        m = Module()
        count = Signal(self.o.shape())
        middle = Signal(self.o.shape(), reset_less=True)
        o = Signal(self.o.shape(), reset_less=True)
        m.submodules.ones = Instance(
            "countones", p_WIDTH=self.width, i_a=self.a & self.b, o_o=count
        )
        m.d.sync += [middle.eq(count), o.eq(middle)]
        m.d.comb += self.o.eq(o)
        return m


def _full_adders(m: Module, columns: Sequence[Value], name: str) -> list[Value]:
    """One round: each column's bits in threes to a sum bit and a carry bit."""
    out: list[list[Value]] = [[] for _ in range(len(columns) + 1)]
    for w, bits in enumerate(columns):
        k = len(bits) // 3
        if k:
            x, y, z = (bits[i * k : i * k + k] for i in range(3))
            total = Signal(k, name=f"{name}_sum{w}")
            carry = Signal(k, name=f"{name}_carry{w}")
            m.d.comb += [total.eq(x ^ y ^ z), carry.eq(x & y | z & (x | y))]
            out[w].append(total)
            out[w + 1].append(carry)
        if len(bits) > 3 * k:
            out[w].insert(0, bits[3 * k :])
    return [Cat(parts) for parts in out if parts]
