"""Shows that a fault changes nothing, for all inputs and for ever.

A pair of copies shares every register whose next value is the same in both (`pairs.Pairs`): the
same gates, or gates of which ABC shows that they give the same. Where outputs are left that may
differ, ABC is asked about them and the registers that are not shared, from registers that are 0:
equivalent registers by induction, then property-directed reachability.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.mutation.circuit import Gates
from benchmarks.mutation.pairs import Hashed, Pairs
from hw.tools import find

STRUCTURE = "same gates"
INDUCTION = "equal registers"
SOLVER = "reachability"
SECONDS = 30
_ALIKE = "read_aiger {name}.aig; strash; iprove"
_EVER = (
    "read_aiger {name}.aig; strash; scleanup; scorr; write_aiger {name}.left.aig; "
    "pdr -T {seconds}; print_status"
)


def aiger(
    logic: Hashed, pairs: Sequence[tuple[int, int]], latches: Sequence[tuple[int, int]] = ()
) -> bytes:
    """Return binary AIGER with one output: some pair of literals differs."""
    bad = 0
    for a, b in pairs:
        bad = logic.both(bad ^ 1, logic.differ(a, b) ^ 1) ^ 1
    after = dict(latches)
    needed: set[int] = set()
    left = [bad & ~1]
    while left:  # what the output depends on
        v = left.pop()
        if v == 0 or v in needed:
            continue
        needed.add(v)
        a, b = logic.ands[v // 2 - 1]
        if a >= 0:
            left += [a & ~1, b & ~1]
        elif v in after:
            left.append(after[v] & ~1)
    order = sorted(needed)
    free = [v for v in order if logic.ands[v // 2 - 1][0] < 0]
    inputs = [v for v in free if v not in after]
    states = [v for v in free if v in after]
    ands = [v for v in order if logic.ands[v // 2 - 1][0] >= 0]
    number = {0: 0} | {v: 2 * n for n, v in enumerate([*inputs, *states, *ands], 1)}

    def literal(old: int) -> int:
        return number[old & ~1] ^ (old & 1)

    head = [len(number) - 1, len(inputs), len(states), 1, len(ands)]
    text = f"aig {' '.join(map(str, head))}\n"
    text += "".join(f"{literal(after[v])}\n" for v in states) + f"{literal(bad)}\n"
    out = bytearray(text.encode())
    for v in ands:
        a, b = sorted(map(literal, logic.ands[v // 2 - 1]))
        for delta in (number[v] - b, b - a):
            while delta >= 0x80:
                out.append(delta & 0x7F | 0x80)
                delta >>= 7
            out.append(delta)
    return bytes(out)


def abc() -> Path | None:
    """Return the ABC that comes with pyosys."""
    if not find.have_pyosys():
        return None
    import pyosys

    path = Path(str(pyosys.__file__)).parent / "yosys-abc"
    return path if path.exists() else None


class Prover:
    """Shows faults of a design to change nothing.

    Parameters
    ----------
    design : the circuit, with all faults.
    folder : where ABC works.
    given : bits of registers, by name, that are taken to be constant.
    seconds : that reachability may take; 0: it is not tried.
    """

    def __init__(
        self,
        design: Gates,
        folder: Path,
        given: Mapping[str, int] | None = None,
        seconds: int = SECONDS,
    ):
        self.folder, self.solver, self.seconds = folder, abc(), seconds
        folder.mkdir(parents=True, exist_ok=True)
        self.pairs = Pairs(design, self._equal, given)

    def shown(self, fault: int) -> str:
        """Return how a fault is shown to change nothing, "" where it is not."""
        two = self.pairs.pair(fault)
        if not two.differing:
            return INDUCTION if two.asked else STRUCTURE
        if not self.seconds:
            return ""
        text = aiger(self.pairs.logic, two.differing, two.latches)
        said = self._ask(f"fault_{fault}", text, _EVER, 6 * self.seconds)
        if "Property proved" in said or _never(self.folder / f"fault_{fault}.left.aig"):
            return SOLVER
        return ""

    def _equal(self, logic: Hashed, pairs: Sequence[tuple[int, int]]) -> bool:
        return "UNSATISFIABLE" in self._ask("alike", aiger(logic, pairs), _ALIKE, SECONDS)

    def _ask(self, name: str, problem: bytes, script: str, limit: int) -> str:
        """Return what ABC says to a problem; nothing where there is none, or no time."""
        if self.solver is None:
            return ""
        (self.folder / f"{name}.aig").write_bytes(problem)
        commands = script.format(name=name, seconds=self.seconds)
        try:
            done = subprocess.run(
                [self.solver, "-c", commands],
                cwd=self.folder, capture_output=True, encoding="utf-8", timeout=limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout


def _never(path: Path) -> bool:
    """Whether the one output of a binary AIGER file is the constant 0."""
    if not path.exists():
        return False
    head, *lines = path.read_bytes().split(b"\n")
    latches, outputs = (int(n) for n in head.split()[3:5])
    return outputs == 1 and lines[latches] == b"0"
