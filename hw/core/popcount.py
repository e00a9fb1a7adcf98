"""Masked popcount of an array element: the count of common ones of two words, in two cycles."""

from collections.abc import Callable, Sequence
from itertools import product

from amaranth import Cat, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.common.errors import SpikeloomError

_CHAIN = 6  # product cells in a row, and LUT levels, before the middle register
_ROUNDS = 3  # rounds of full adders before the middle register, generic form


def lut_init(o6: Callable[..., int], o5: Callable[..., int], inputs: int) -> int:
    """Return INIT of a LUT6_2 whose I5 is tied to 1, from the boolean functions of its outputs.

    Bit ``sum(I[k] << k)`` of INIT is the value of the function at these inputs. With I5 = 1 the
    output O6 is the upper half and O5 is always the lower half. ``inputs`` (at most 5) inputs
    are passed to the functions; the others do not matter, so they may be tied to anything.
    """
    init = 0
    for point in product((0, 1), repeat=5):  # point[4] is I0
        args = point[::-1][:inputs]
        index = sum(bit << k for k, bit in enumerate(point[::-1]))
        init |= (o5(*args) & 1) << index | (o6(*args) & 1) << (32 + index)
    return init


class MaskedPopcount(wiring.Component):
    """Count of ones of ``a & b``.

    Latency: 2 cycles, ``o`` being a register. Throughput: 1 per cycle.
    Data registers have no reset: after power-up the first two results are arbitrary.

    Parameters
    ----------
    width : int
        Bits of an operand word, 2 to 256.
    target : str
        ``generic``: full adders as word-wide bit operations, which simulate quickly and map to
        two LUT4 each. ``xc7``: instantiated LUT6_2 cells, about 0.94 per bit at width 32 (Yosys
        alone needs 2); equal bit for bit.

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

    def __init__(self, width: int, *, target: str = "generic"):
        if target not in self.FORMS:
            known = tuple(self.FORMS)
            raise SpikeloomError(f"popcount target {target!r}: known targets are {known}")
        if not 2 <= width <= 256:
            raise SpikeloomError(f"popcount width {width!r}: it must be 2 to 256")
        self.width, self.target = width, target
        super().__init__({"a": In(width), "b": In(width), "o": Out(bits_for(width))})

    def elaborate(self, platform):
        return self.FORMS[self.target](self)

    # ---- generic: columns[w] is a vector of bits of weight 2**w

    def _generic(self) -> Module:
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

    # ---- xc7: columns[w] is a list of (LUT levels, bit)

    def _xc7(self) -> Module:
        m = Module()
        columns: list[list[tuple[int, Value]]] = [[] for _ in range(len(self.o) + 1)]
        # A chain: each cell adds two products to the running bit and emits a carry.
        n_chains = -(-self.width // (2 * _CHAIN)) | 1  # odd: full adders join them without rest
        n_cells = -(-self.width // 2)
        at = 0
        for chain in range(n_chains):
            run: Value = Const(0, 1)
            length = (n_cells + n_chains - 1 - chain) // n_chains
            for level in range(1, length + 1):
                pair: list[Value] = [Const(0, 1)] * 4
                for k, bit in enumerate(range(at, min(at + 2, self.width))):
                    pair[2 * k : 2 * k + 2] = [self.a[bit], self.b[bit]]
                at += 2
                run, carry = _cell(
                    m,
                    f"p{chain}_{level}",
                    [*pair, run],
                    lambda a, b, c, d, r: (a & b) ^ (c & d) ^ r,
                    lambda a, b, c, d, r: (a & b) + (c & d) + r >> 1,
                )
                columns[1].append((level, carry))
            if length:
                columns[0].append((length, run))
        top = (self.width - 1).bit_length() - 3  # column that ends with eight bits: _finish
        _compress(m, columns, top, _CHAIN, "in")
        middle = []
        for w, bits in enumerate(columns):
            register = Signal(len(bits), name=f"middle{w}", reset_less=True)
            m.d.sync += register.eq(Cat(bit for _, bit in bits))
            middle.append([(0, bit) for bit in register])
        _compress(m, middle, top, 99, "out")
        columns = _finish(m, middle)
        o = Signal(self.o.shape(), reset_less=True)
        m.d.sync += o.eq(Cat(bits[0][1] if bits else Const(0, 1) for bits in columns))
        m.d.comb += self.o.eq(o)
        return m

    #: How each set of primitives makes it.
    FORMS = {
        "generic": _generic,
        "xc7": _xc7,
    }


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


def _cell(
    m: Module, name: str, inputs: Sequence[Value], o6: Callable[..., int], o5: Callable[..., int]
) -> tuple[Value, Value]:
    """Instantiate a LUT6_2 of up to five inputs; return its outputs O6, O5."""
    assert 1 <= len(inputs) <= 5
    first, second = Signal(name=f"{name}_o6"), Signal(name=f"{name}_o5")
    pins = [*inputs, *[Const(0, 1)] * (5 - len(inputs)), Const(1, 1)]
    m.submodules[name] = Instance(
        "LUT6_2",
        p_INIT=Const(lut_init(o6, o5, len(inputs)), 64),
        **{f"i_I{k}": pin for k, pin in enumerate(pins)},
        o_O6=first,
        o_O5=second,
    )
    return first, second


def _compress(
    m: Module, columns: list[list[tuple[int, Value]]], top: int, limit: int, name: str
) -> None:
    """Replace triples below column ``top`` by full adders, in place, up to ``limit`` LUT levels.

    Bits that are there first go first.
    """
    count = 0
    for w in range(max(top, 1)):
        while len(columns[w]) >= 3:
            columns[w].sort(key=lambda bit: bit[0])
            level = columns[w][2][0] + 1
            if level > limit:
                break
            taken, columns[w] = columns[w][:3], columns[w][3:]
            total, carry = _cell(
                m,
                f"{name}{w}_{count}",
                [bit for _, bit in taken],
                lambda a, b, c: a ^ b ^ c,
                lambda a, b, c: a + b + c >> 1,
            )
            columns[w].append((level, total))
            columns[w + 1].append((level, carry))
            count += 1


def _finish(m: Module, columns: list[list[tuple[int, Value]]]) -> list[list[tuple[int, Value]]]:
    """Reduce every column to at most one bit."""
    columns = [sorted(bits, key=lambda bit: bit[0]) for bits in columns]
    group = 0

    def count(taken: list[tuple[int, Value]]) -> None:
        """Replace bits (weight, bit), at most five, by their sum, two result bits a cell."""
        nonlocal group
        low = min(w for w, _ in taken)
        weights = [1 << (w - low) for w, _ in taken]
        n_out = sum(weights).bit_length()
        for k in range(0, n_out, 2):
            one = lambda *x, k=k: sum(map(int.__mul__, x, weights)) >> k  # noqa: E731
            two = lambda *x, k=k: sum(map(int.__mul__, x, weights)) >> k + 1  # noqa: E731
            bits = _cell(m, f"sum{group}_{k}", [bit for _, bit in taken], one, two)
            for i, bit in enumerate(bits[: n_out - k]):
                if low + k + i < len(columns):
                    columns[low + k + i].append((0, bit))
        group += 1

    for w in range(len(columns)):
        # 5 to 3 bits in two cells, 3 to 2 in one; what the groups give is added below
        n = len(columns[w])
        sizes = [5, 3] if n == 8 else [5] if n == 5 else [3] * (n // 3) if n > 5 else []
        for size in sizes:
            taken, columns[w] = columns[w][:size], columns[w][size:]
            count([(w, bit) for _, bit in taken])
        bits = columns[w]
        if len(bits) > 1:
            rest = [(v, bit) for v in range(w, len(columns)) for _, bit in columns[v]]
            taken = rest if len(rest) <= 5 else [(w, bit) for _, bit in bits]
            for v, bit in taken:
                columns[v] = [entry for entry in columns[v] if entry[1] is not bit]
            count(taken)
    return columns
