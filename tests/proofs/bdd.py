"""Proofs for all inputs: a component's netlist, with the vendor's cell models, as functions.

A netlist is read from Yosys as an and-inverter graph and turned into binary decision diagrams,
which are equal where functions are. Registers of a pipeline are taken as wires: what is proved is
what a result is of its operands, whatever their cycles; latencies are tested elsewhere. A register
that holds state is a variable (what it holds) and a function (what it takes).
"""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hw.tools.export import rtlil_text
from hw.tools.yosys import run_yosys
from tests.unit.netlist import models

cudd = pytest.importorskip("dd.cudd")


@dataclass(frozen=True)
class Graph:
    """An and-inverter graph; literals as in AIGER, inputs and outputs by bit, as ``o[2]``."""

    inputs: dict[str, int]
    outputs: dict[str, int]
    registers: dict[str, tuple[int, int]]  #: By name: its literal, and that of what it takes.
    wires: dict[int, int]  #: The same by literal, those without a name too.
    ands: dict[int, tuple[int, int]]


def graph(
    component,
    folder: Path,
    family: str = "generic",
    fault: Callable[[str], str] = lambda text: text,
    sources: Sequence[Path] = (),
) -> Graph:
    """Return the graph of a component whose cells are of ``family``.

    ``fault`` changes the RTLIL, to see that a proof can fail. ``sources``: SystemVerilog of modules
    that the component names.
    """
    text = rtlil_text(component)
    changed = fault(text)
    assert fault(text) == changed
    (folder / "top.il").write_text(changed, encoding="utf-8")
    run_yosys(
        [
            *models(family, folder),
            *(f"read_verilog -sv {Path(shutil.copy(path, folder)).name}" for path in sources),
            "read_rtlil top.il",
            "hierarchy -top top -check",
            "proc",
            "flatten",
            "setattr -unset init w:*",
            "opt -full",
            "delete t:$scopeinfo",
            "dffunmap",
            "synth -flatten -noabc -top top",
            "dffunmap",
            "setattr -unset init w:*",
            "delete -input w:clk w:rst",
            *(["connect -set rst 1'0"] if re.search(r"input \d+ +\\rst$", text, re.M) else []),
            "aigmap",
            "opt_clean -purge",
            "write_aiger -ascii -symbols top.aag",
        ],
        cwd=folder,
        name="proof",
    )
    return _read((folder / "top.aag").read_text(encoding="utf-8"))


def _read(text: str) -> Graph:
    lines = text.splitlines()
    _, n_in, n_latch, n_out, n_and = map(int, lines[0].split()[1:6])
    at = iter(lines[1:])
    take = lambda n: [tuple(map(int, next(at).split())) for _ in range(n)]  # noqa: E731
    ins, latches, outs, ands = take(n_in), take(n_latch), take(n_out), take(n_and)
    names: dict[str, str] = {}
    for line in at:
        if found := re.match(r"([ilo]\d+) (.*)", line):
            names[found[1]] = found[2]
    whole = lambda name: name if name.endswith("]") else f"{name}[0]"  # noqa: E731
    registers = {
        whole(name): (q, d)
        for n, (q, d, *_) in enumerate(latches)
        for name in names.get(f"l{n}", "").split()  # all names of one
    }
    wires = {q: d for q, d, *_ in latches}
    return Graph(
        {whole(names[f"i{n}"]): literal for n, (literal,) in enumerate(ins)},
        {whole(names[f"o{n}"]): literal for n, (literal,) in enumerate(outs)},
        registers,
        wires,
        {literal: (a, b) for literal, a, b in ands},
    )


class Functions:
    """Diagrams of a graph's outputs and of what its state takes, over variables in an order.

    Parameters
    ----------
    order : names of all variables, the first on top: inputs, and registers that hold state.
    """

    def __init__(self, order: Iterable[str]):
        self.bdd = cudd.BDD()
        self.bdd.configure(reordering=False)
        self.order = list(order)
        self.bdd.declare(*self.order)

    def vector(self, name: str, bits: int) -> list:
        """Return the variables ``name[0]`` and so on."""
        return [self.bdd.var(f"{name}[{n}]") for n in range(bits)]

    def of(self, g: Graph) -> dict[str, object]:
        """Return a function for each output, and for each register of state as ``name'``."""
        known = {0: self.bdd.false}
        known |= {literal: self.bdd.var(name) for name, literal in g.inputs.items()}
        state = {name: pair for name, pair in g.registers.items() if name in self.order}
        known |= {q: self.bdd.var(name) for name, (q, _) in state.items()}
        wires = {q: d for q, d in g.wires.items() if q not in known}

        def parts(literal: int) -> tuple[int, ...]:
            return (wires[literal],) if literal in wires else g.ands[literal]

        def function(literal: int):
            waiting = [literal & ~1]
            while waiting:
                at = waiting[-1]
                if at in known:
                    waiting.pop()
                    continue
                missing = [p & ~1 for p in parts(at) if p & ~1 not in known]
                if missing:
                    waiting += missing
                    continue
                values = [~known[p & ~1] if p & 1 else known[p] for p in parts(at)]
                known[at] = values[0] if len(values) == 1 else values[0] & values[1]
                waiting.pop()
            value = known[literal & ~1]
            return ~value if literal & 1 else value

        out = {name: function(literal) for name, literal in g.outputs.items()}
        return out | {f"{name}'": function(d) for name, (_, d) in state.items()}

    def count(self, width: int) -> list:
        """Return the bits of the count of ones of a & b."""
        pairs = [(self.bdd.var(f"a[{k}]"), self.bdd.var(f"b[{k}]")) for k in range(width)]
        out = []
        for bit in range(width.bit_length()):
            level = [self.bdd.true if c >> bit & 1 else self.bdd.false for c in range(width + 1)]
            for k in reversed(range(width)):
                both = pairs[k][0] & pairs[k][1]
                level = [self.bdd.ite(both, level[c + 1], level[c]) for c in range(k + 1)]
            out.append(level[0])
        return out

    def add(self, left: Sequence, right: Sequence, carry=None) -> list:
        """Return the sum of two numbers, one bit longer than the longer one."""
        carry = self.bdd.false if carry is None else carry
        n = max(len(left), len(right))
        rest = [self.bdd.false]
        out = []
        for a, b in zip(
            [*left, *rest * (n - len(left))], [*right, *rest * (n - len(right))], strict=True
        ):
            half = self.bdd.apply("xor", a, b)
            out.append(self.bdd.apply("xor", half, carry))
            carry = (a & b) | (half & carry)
        return [*out, carry]

    def differ(self, left: Sequence, right: Sequence):
        """Return where two numbers differ; the shorter one has zeros above."""
        n = max(len(left), len(right))
        rest = [self.bdd.false]
        out = self.bdd.false
        for a, b in zip(
            [*left, *rest * (n - len(left))], [*right, *rest * (n - len(right))], strict=True
        ):
            out |= self.bdd.apply("xor", a, b)
        return out


def interleaved(*vectors: tuple[str, int]) -> Iterator[str]:
    """Yield the names of vectors' bits, lowest first, those of one weight beside each other."""
    for n in range(max(bits for _, bits in vectors)):
        for name, bits in vectors:
            if n < bits:
                yield f"{name}[{n}]"


def bits(functions: dict[str, object], name: str) -> list:
    """Return the functions of the bits of an output, or of a register of state (``name'``)."""
    end = "'" if name.endswith("'") else ""
    stem, out = name.removesuffix("'"), []
    while (key := f"{stem}[{len(out)}]{end}") in functions:
        out.append(functions[key])
    assert out, name
    return out
