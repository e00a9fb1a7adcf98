"""Where registers stand and what they take at an edge, so that little code moves many of them.

A register that takes another's value stands behind it, and so does each of an array the next of
which takes it. Such rows move by one place at an edge, and nothing is moved for it: where they
begin in memory goes down by one, and only what a row begins with is written. What an input like a
reset sets is set by one branch after all else.
"""

from collections import defaultdict

from hw.tools.looped.alike import Alike, Vector
from hw.tools.looped.netlist import Netlist, Node, Run, Spec, bits_of, constant, width

SLIDE = 256  #: Edges after which rows of registers go back to where they began.
STEP = 16  #: Numbers of an array are a multiple of it; loops run over what is beyond the copies.


def full(count: int) -> int:
    """Return the length of an array of ``count`` copies."""
    return -(-count // STEP) * STEP


class Layout:
    """Next values and places of the registers of a netlist.

    Attributes
    ----------
    next : of a register that is in no loop, what it takes where no reset sets it.
    resets : of a signal, registers that it sets, and to what.
    place : of a register or an array of them that is of a row, its place among all rows. The one
        before a row is of nobody: what the row begins with next is written there.
    begun : of an array of what a row begins with next and the registers of the row, the row: at an
        edge it is where the row stands after that.
    taken : registers that are not the first of their row, and need no writing.
    length : of all rows; 0 if there is none.
    """

    def __init__(self, netlist: Netlist, alike: Alike):
        self.next: dict[Node, Spec] = {}
        self.resets: dict[Spec, list[tuple[Node, int]]] = defaultdict(list)
        self.place: dict[Node | Vector, int] = {}
        self.taken: set[Node] = set()
        for reg in netlist.regs:
            if reg not in alike.place:
                self._separate(reg)
        at = 0
        for vector in alike.regs:
            if _moves(vector) and sum(reg.sources is vector.sources for reg in alike.regs) == 1:
                self.place[vector] = at + 1
                at += 1 + vector.count
        self.begun = self._begun(alike)
        for row in self._rows(alike):
            self.place |= {node: at + 1 + n for n, node in enumerate(row)}
            self.taken |= set(row[1:])
            at += 1 + len(row)
        self.length = at

    def _separate(self, reg: Node) -> None:
        """Set apart what an input sets the register to."""
        spec = reg.pins["D"]
        node = spec[0].node if len(spec) == 1 else None
        if node and node.type == "$mux" and width(spec) == node.width:
            (which, *more), value = node.pins["S"], constant(node.pins["B"])
            if not more and which.node and which.node.kind == "input" and value is not None:
                self.resets[node.pins["S"]].append((reg, value))
                spec = node.pins["A"]
        self.next[reg] = spec

    def _begun(self, alike: Alike) -> dict[Vector, Vector]:
        """Arrays of what a row begins with next, and then of its registers."""
        rows = {row.nodes[0]: row for row in alike.regs if row in self.place}
        out = {}
        for vector in alike.vectors:
            run = vector.specs[1][0] if vector.op == "gather" else None
            row = rows.get(run.node) if run and run.node else None
            if row and isinstance(row.sources, Vector) and vector is not row.sources:
                after = [(Run(node, 0, node.width),) for node in row.nodes]
                if list(vector.specs) == [row.sources.specs[0], *after][: vector.count]:
                    out[vector] = row
        return out

    def _rows(self, alike: Alike) -> list[list[Node]]:
        """Rows of registers each of which takes the value of the one before."""
        after: dict[Node, Node] = {}
        for reg, spec in self.next.items():
            source = spec[0].node
            if (
                spec == (Run(source, 0, reg.width),)
                and source is not None
                and source.kind in ("reg", "read")
                and source.settled
                and source not in alike.place
                and source.width == reg.width
                and bits_of(reg.width) == 32
            ):
                after.setdefault(source, reg)
        out, inside = [], set(after.values())
        for first in after:
            if first not in inside:
                row = [first]
                while row[-1] in after:
                    row.append(after[row[-1]])
                out.append(row)
        return out


def _moves(vector: Vector) -> bool:
    """Whether each register of an array but the first takes the value of the one before."""
    source = vector.sources
    if vector.bits != 32 or not isinstance(source, Vector) or source.op != "gather":
        return False
    before = [(Run(node, 0, node.width),) for node in vector.nodes]
    return list(source.specs[1:]) == before[:-1]
