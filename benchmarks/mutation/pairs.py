"""Two copies of a circuit beside each other, without a fault and with one."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.mutation.circuit import Gates

PATTERNS = 512  #: Random inputs by which gates are told apart before a solver is asked.


class Hashed:
    """AND gates, each different pair of inputs once, and what they give for random inputs."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, int], int] = {}
        self.ands: list[tuple[int, int]] = []  #: By number; (-1, -1) where a variable is free.
        self.rng = random.Random(1)
        self.values: dict[int, int] = {0: 0}

    def free(self) -> int:
        """Return the literal of a new free variable."""
        self.ands.append((-1, -1))
        return 2 * len(self.ands)

    def both(self, a: int, b: int) -> int:
        """Return the literal of a AND b."""
        if a > b:
            a, b = b, a
        if a == 0 or a == b ^ 1:
            return 0
        if a == 1 or a == b:
            return b
        found = self.known.get((a, b))
        if found is None:
            self.ands.append((a, b))
            found = self.known[a, b] = 2 * len(self.ands)
        return found

    def differ(self, a: int, b: int) -> int:
        """Return the literal of a XOR b."""
        return self.both(self.both(a, b ^ 1) ^ 1, self.both(a ^ 1, b) ^ 1) ^ 1

    def value(self, literal: int) -> int:
        """Return what a literal is for each of the random inputs."""
        values, full, left = self.values, (1 << PATTERNS) - 1, [literal & ~1]
        while left:
            v = left[-1]
            if v in values:
                left.pop()
                continue
            a, b = self.ands[v // 2 - 1]
            if a < 0:
                values[v] = self.rng.getrandbits(PATTERNS)
            elif a & ~1 in values and b & ~1 in values:
                x, y = values[a & ~1] ^ full * (a & 1), values[b & ~1] ^ full * (b & 1)
                values[v] = x & y
            else:
                left += [w for w in (a & ~1, b & ~1) if w not in values]
        return values[literal & ~1] ^ full * (literal & 1)


@dataclass(frozen=True)
class Pair:
    """A circuit without and with a fault, sharing what is alike."""

    latches: list[tuple[int, int]]  #: Literal and next; shared ones once.
    differing: list[tuple[int, int]]  #: Outputs of the two that may differ.
    asked: bool  #: A solver was needed to share what is shared.


class Pairs:
    """Pairs of a design's copies.

    Parameters
    ----------
    design : the circuit, with all faults.
    equal : tells whether literals of a `Hashed`, two by two, are the same for all values of its
        free variables; may say no where it does not know.
    given : bits of registers, by name, that are taken to be constant.
    """

    def __init__(
        self,
        design: Gates,
        equal: Callable[[Hashed, Sequence[tuple[int, int]]], bool],
        given: Mapping[str, int] | None = None,
    ):
        self.design, self.logic, self.equal = design, Hashed(), equal
        fixed = {design.names[name]: value for name, value in (given or {}).items()}
        self.latches = [(v, after) for v, after in design.latches if v not in fixed]
        self.sound = {0: 0} | dict.fromkeys(design.select, 0) | fixed
        free = [v for v in design.inputs if v not in design.select]
        self.sound |= {v: self.logic.free() for v in [*free, *(v for v, _ in self.latches)]}
        for out, a, b in design.ands:
            self.sound[out] = self.logic.both(
                self.sound[a & ~1] ^ (a & 1), self.sound[b & ~1] ^ (b & 1)
            )

    def pair(self, fault: int) -> Pair:
        """Return the pair of a fault.

        A register is shared where its next value is the same in both copies, as long as shared
        registers are: all are taken as shared first, those that turn out to differ are told
        apart, until none does. Registers begin alike, so what is shared then is so for ever.
        """
        sound, design = self.sound, self.design
        apart: dict[int, int] = {}
        asked = False
        while True:
            other = self._faulty(fault, apart)
            ends = {
                v: (self._at({}, after), self._at(other, after))
                for v, after in self.latches
                if after & ~1 in other and v not in apart
            }
            ends = {v: two for v, two in ends.items() if two[0] != two[1]}
            found = self._unequal(ends)
            asked |= len(found) < len(ends)
            if not found:
                break
            apart |= {v: self.logic.free() for v in found}
        latches = [(sound[v], self._at({}, after)) for v, after in self.latches]
        latches += [(apart[v], self._at(other, after)) for v, after in self.latches if v in apart]
        outputs = {v: (self._at({}, v), self._at(other, v)) for v in design.outputs}
        outputs = {v: two for v, two in outputs.items() if two[0] != two[1]}
        left = self._unequal(outputs)
        asked |= len(left) < len(outputs)
        return Pair(latches, [outputs[v] for v in left], asked)

    def _at(self, other: dict[int, int], old: int) -> int:
        return other.get(old & ~1, self.sound[old & ~1]) ^ (old & 1)

    def _faulty(self, fault: int, apart: dict[int, int]) -> dict[int, int]:
        """Return the literals of what is not the same in the copy with the fault."""
        sound, both = self.sound, self.logic.both
        other = {v: fault >> bit & 1 for bit, v in enumerate(self.design.select)} | apart
        for out, a, b in self.design.ands:
            if a & ~1 in other or b & ~1 in other:
                z = both(self._at(other, a), self._at(other, b))
                if z != sound[out]:
                    other[out] = z
        return other

    def _unequal(self, ends: Mapping[int, tuple[int, int]]) -> list[int]:
        """Return which pairs of literals are not shown to be the same."""
        value, equal = self.logic.value, self.equal
        alike = [v for v, (a, b) in ends.items() if value(a) == value(b)]
        if alike and not equal(self.logic, [ends[v] for v in alike]):
            alike = [v for v in alike if equal(self.logic, [ends[v]])]
        known = set(alike)
        return [v for v in ends if v not in known]
