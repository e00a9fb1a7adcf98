"""Masked popcount of an array element as two numbers, of 7-series cells: a DSP adds them later."""

import functools
import itertools
from typing import NamedTuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.errors import SpikeloomError
from hw.core.luts import full_adder, lut, six_to_three

_CHAIN = 6  # product cells in a row, and LUT levels, before the middle register
_WIDTHS = (2, 128)


class CarrySave(wiring.Component):
    """Count of ones of ``a & b`` as ``x + y``, which is exact: no carry is dropped.

    LUT6_2 cells in chains add two products to a running bit each and emit a carry; counters of
    six bits, and full adders where only few are left, leave at most two bits of each weight.

    Latency: ``latency`` cycles from operands to numbers, which are combinational behind a register
    in the middle. Throughput: 1 per cycle. Data registers have no reset: after power-up the first
    result is arbitrary.

    Parameters
    ----------
    width : int
        Bits of an operand word, 2 to 128.

    Members
    -------
    a, b : In(width)
        Operands, registered outside.
    x, y : Out(width.bit_length())
        Numbers whose sum is the count.
    """

    a: Value
    b: Value
    x: Value
    y: Value

    latency = 1

    def __init__(self, width: int):
        low, high = _WIDTHS
        if not low <= width <= high:
            raise SpikeloomError(f"carry-save width {width!r}: it must be {low} to {high}")
        self.width = width
        n = width.bit_length()
        super().__init__({"a": In(width), "b": In(width), "x": Out(n), "y": Out(n)})

    def elaborate(self, platform):
        m = Module()
        columns = _Columns(m, len(self.x))
        self._products(m, columns)
        _, sixes_threes = _plan(tuple(map(len, columns.bits)))
        counted = [
            sum(columns.count(w, 6, most=_CHAIN) for _ in range(sixes))
            for w, (sixes, _) in enumerate(sixes_threes)
        ]
        columns.register()
        for w, (sixes, threes) in enumerate(sixes_threes):
            for n in [6] * (sixes - counted[w]) + [3] * threes:
                assert columns.count(w, n)
        for k, out in enumerate((self.x, self.y)):
            bits = (column[k].bit if len(column) > k else Const(0, 1) for column in columns.bits)
            m.d.comb += out.eq(Cat(bits))
        return m

    def _products(self, m: Module, columns: "_Columns") -> None:
        """Chains of cells, each of which adds two products to what the one before has left."""
        n_cells = -(-self.width // 2)
        n_chains = -(-n_cells // _CHAIN)
        at = 0
        for chain in range(n_chains):
            run: Value = Const(0, 1)
            length = (n_cells + n_chains - 1 - chain) // n_chains
            for level in range(1, length + 1):
                pair: list[Value] = [Const(0, 1)] * 4
                for k, bit in enumerate(range(at, min(at + 2, self.width))):
                    pair[2 * k : 2 * k + 2] = [self.a[bit], self.b[bit]]
                at += 2
                run, carry = lut(
                    m,
                    f"p{chain}_{level}",
                    [*pair, run],
                    lambda a, b, c, d, r: (a & b) ^ (c & d) ^ r,
                    lambda a, b, c, d, r: (a & b) + (c & d) + r >> 1,
                )
                columns.add(1, _Bit(level, at, carry))
            columns.add(0, _Bit(length, at, run))


@functools.cache
def _plan(heights: tuple[int, ...]) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the fewest LUTs that leave two bits of each weight at most, and how.

    Parameters
    ----------
    heights : bits of each weight, the lowest first.

    Returns
    -------
    int
        LUTs: two for a counter of six bits, one for a full adder.
    tuple
        For each weight, how many counters of six bits and how many full adders.
    """
    if not heights:
        return 0, ()
    n, *above = heights
    found = []
    for sixes, threes in itertools.product(range(n // 5 + 1), range(n // 2 + 1)):
        left = n - 5 * sixes - 2 * threes
        if (1 if sixes or threes else 0) <= left <= 2:
            carries = (sixes + threes, sixes)
            more = [h + c for h, c in itertools.zip_longest(above, carries, fillvalue=0)]
            luts, rest = _plan(tuple(more[: len(above)]))
            found.append((2 * sixes + threes + luts, ((sixes, threes), *rest)))
    return min(found)


class _Bit(NamedTuple):
    """A bit that is to be added."""

    level: float  #: LUT levels behind it.
    place: int  #: End of the operands' bits that it is of.
    bit: Value


class _Columns:
    """Bits by weight: what is to be added, while it is compressed.

    A bit of a weight that no count of the word reaches is always 0, and is left out.
    """

    def __init__(self, m: Module, n: int):
        self.m, self.cells = m, 0
        self.bits: list[list[_Bit]] = [[] for _ in range(n)]

    def add(self, w: int, bit: _Bit) -> None:
        if w < len(self.bits):
            self.bits[w].append(bit)

    def register(self) -> None:
        """Put a register behind every bit."""
        for w, column in enumerate(self.bits):
            q = Signal(len(column), name=f"middle{w}", reset_less=True)
            self.m.d.sync += q.eq(Cat(bit.bit for bit in column))
            self.bits[w] = [_Bit(0, old.place, bit) for old, bit in zip(column, q, strict=True)]

    def count(self, w: int, n: int, most: float | None = None) -> bool:
        """Replace six or three bits of a weight by their count; tell whether there were so many.

        With ``most``, those that are there at LUT level ``most``, the count included; else the
        earliest. What lies side by side in the operands goes together.
        """
        make, levels = (six_to_three, 1.5) if n == 6 else (full_adder, 1)
        found = [b for b in self.bits[w] if most is None or b.level + levels <= most]
        if len(found) < n:
            return False
        taken = sorted(found, key=lambda b: (b.level if most is None else 0, b.place))[:n]
        self.bits[w] = [b for b in self.bits[w] if not any(b is t for t in taken)]
        self.cells += 1
        level = max(b.level for b in taken) + levels
        place = max(b.place for b in taken)
        out = make(self.m, f"count{self.cells}", [b.bit for b in taken])
        for k, bit in enumerate(out):
            self.add(w + k, _Bit(level, place, bit))
        return True
