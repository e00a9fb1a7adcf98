"""An array element of ECP5 carry cells: counting and summing at one LUT4 for each full adder."""

from collections.abc import Callable, Sequence

from amaranth import Cat, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.core.pipe import delay

_LONGEST = 20  # places of a carry chain, where adders of one level share it
_ONE = Const(1, 1)

Number = list[tuple[Value, Value]]  #: Bits, lowest first, each the product of two.


class Carries:
    """A chain of CCU2C cells: places one after the other, two in a cell.

    A place has a function of four inputs, ``total``: its output is ``total ^ carry``, and the carry
    goes on where ``total`` is 1, else becomes ``carry(a, b)``. The cell takes both from one table
    of 16 bits, ``carry`` being ``total`` at ``c = d = 0``. So a full adder takes one place, and two
    of the numbers it adds may be products: ``total = a & b ^ c & d``. Inputs that are not named
    are tied to 1.
    """

    def __init__(self, m: Module, name: str):
        self.m, self.name = m, name
        self.places: list[tuple[int, list[Value], Signal]] = []

    def place(self, total: Callable[[int, int, int, int], int], *pins: Value) -> Signal:
        """Append a place; return its output."""
        points = ([n >> k & 1 for k in range(4)] for n in range(16))
        init = 0
        for n, point in enumerate(points):
            init |= (total(*point) & 1) << n
        out = Signal(name=f"{self.name}_s{len(self.places)}")
        self.places.append((init, [*pins, *[_ONE] * (4 - len(pins))], out))
        return out

    def add(self, a: Value, b: Value, c: Value, d: Value) -> Signal:
        """Append a full adder of ``a & b``, ``c & d`` and the carry."""
        return self.place(lambda a, b, c, d: a & b ^ c & d, a, b, c, d)

    def cut(self, a: Value, b: Value, carry: Callable[[int, int], int]) -> Signal:
        """Append an end and a beginning: return the carry so far; the next is ``carry(a, b)``."""
        return self.place(lambda a, b, c, d: carry(a, b) & ~d, a, b)

    def close(self) -> None:
        """Make the cells."""
        carry: Value = Const(0, 1)
        for n in range(0, len(self.places), 2):
            pair = self.places[n : n + 2]
            pair += [(0, [_ONE] * 4, Signal(name=f"{self.name}_end"))] * (2 - len(pair))
            out = Signal(name=f"{self.name}_c{n}")
            arguments = {"i_CIN": carry, "o_COUT": out}
            for k, (init, pins, s) in enumerate(pair):
                arguments |= {f"p_INIT{k}": Const(init, 16), f"p_INJECT1_{k}": "NO"}
                arguments |= {f"i_{p}{k}": pin for p, pin in zip("ABCD", pins, strict=True)}
                arguments[f"o_S{k}"] = s
            self.m.submodules[f"{self.name}_{n}"] = Instance("CCU2C", **arguments)
            carry = out


class RippleCount(wiring.Component):
    """Count of ones of ``a & b``, as a number and one bit beside it.

    A tree of adders, of which each takes one product as its carry in: 2**n - 1 products become a
    number of n bits, and the last product of the word is left over. Adders of a level share a
    carry chain, cut between them, so that what begins and ends an adder is one place.

    Latency: ``latency`` cycles; outputs are registers. Throughput: 1 per cycle. Data registers
    have no reset: after power-up the first results are arbitrary.

    Parameters
    ----------
    width : int
        Bits of an operand word: a power of two, 8 to 128.

    Members
    -------
    a, b : In(width)
        Operands, registered outside.
    o : Out(width.bit_length() - 1)
        Count of all pairs but the last.
    spare : Out(1)
        The last product.
    """

    a: Value
    b: Value
    o: Value
    spare: Value

    latency = 2

    def __init__(self, width: int):
        if not (8 <= width <= 128 and width & (width - 1) == 0):
            raise SpikeloomError(f"ripple width {width!r}: it must be 8, 16, 32, 64 or 128")
        self.width, self.levels = width, width.bit_length() - 2
        super().__init__(
            {
                "a": In(width),
                "b": In(width),
                "o": Out(width.bit_length() - 1),
                "spare": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pairs = list(zip(self.a, self.b, strict=True))
        spare = pairs.pop()
        middle = -(-self.levels // 2)
        numbers: list[Number] = []
        for level in range(1, self.levels + 1):
            n = 1 << (self.levels - level)
            if level == 1:
                numbers, pairs = [[pair] for pair in pairs[: 2 * n]], pairs[2 * n :]
            carries, pairs = pairs[:n], pairs[n:]
            adders = list(zip(numbers[::2], numbers[1::2], carries, strict=True))
            longest = max((_LONGEST - 1) // (level + 1), 1)
            numbers = []
            for k in range(0, n, longest):
                numbers += _adders(m, f"level{level}_{k}", adders[k : k + longest])
            if level == middle:
                numbers = [[(_later(m, bit), _ONE) for bit, _ in number] for number in numbers]
                pairs = [(_later(m, a), _later(m, b)) for a, b in pairs]
        (number,) = numbers
        product = Signal(name="product")
        o = Signal(len(self.o), reset_less=True)
        m.d.sync += o.eq(Cat(bit for bit, _ in number))
        m.d.comb += [
            product.eq(spare[0] & spare[1]),
            self.o.eq(o),
            self.spare.eq(delay(m, product, self.latency, name="spare")),
        ]
        return m


def _adders(m: Module, name: str, adders: Sequence[tuple]) -> list[Number]:
    """Return the sums of pairs of numbers, each pair with a carry in."""
    chain = Carries(m, name)
    out: list[Number] = []
    for n, (left, right, carry) in enumerate(adders):
        end = chain.cut(carry[0], carry[1], lambda a, b: a & b)
        if n:
            out[-1].append((end, _ONE))
        bits = zip(left, right, strict=True)
        out.append([(chain.add(*x, *y), _ONE) for x, y in bits])
    out[-1].append((chain.place(lambda a, b, c, d: 0), _ONE))
    chain.close()
    return out


def _later(m: Module, bit: Value) -> Value:
    q = Signal(reset_less=True)
    m.d.sync += q.eq(bit)
    return q


class RippleSum(wiring.Component):
    """``acc = (first ? 0 : acc) +- (o + spare)``, modulo 2**bits: a place for each bit, and one.

    Latency: 1 cycle. Throughput: 1 per cycle. The register has no reset.

    Parameters
    ----------
    bits : int
        Of the sum.
    addend : int
        Bits of ``o``, at most ``bits``.

    Members
    -------
    o : In(addend). spare : In(1). first : In(1), the sum starts. neg : In(1), it subtracts.
    acc : Out(bits), a register.
    """

    o: Value
    spare: Value
    first: Signal
    neg: Signal
    acc: Value

    latency = 1

    def __init__(self, bits: int, addend: int):
        assert addend <= bits
        self.bits, self.addend = bits, addend
        super().__init__(
            {
                "o": In(addend),
                "spare": In(1),
                "first": In(1),
                "neg": In(1),
                "acc": Out(bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        acc = Signal(self.bits, reset_less=True)
        chain = Carries(m, "sum")
        # -(o + spare) = ~o + 1 - spare, so that what begins the chain is spare, inverted with o
        chain.cut(self.spare, self.neg, lambda spare, neg: spare ^ neg)
        total = []
        for n, bit in enumerate(acc):
            if n < self.addend:
                pins = (bit, self.first, self.o[n], self.neg)
                total.append(chain.place(lambda acc, first, o, neg: acc & ~first ^ o ^ neg, *pins))
            else:
                pins = (bit, self.first, _ONE, self.neg)
                total.append(chain.place(lambda acc, first, _, neg: acc & ~first ^ neg, *pins))
        chain.close()
        m.d.sync += acc.eq(Cat(total))
        m.d.comb += self.acc.eq(acc)
        return m
