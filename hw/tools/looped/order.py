"""What is computed before what: a value after what it needs, and no earlier than it has to be."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from hw.tools.looped.alike import Alike, Vector, operands
from hw.tools.looped.branches import Branch, inputs
from hw.tools.looped.netlist import Netlist, Node


def ordered(
    netlist: Netlist, alike: Alike, behind: Mapping[Node, Branch] | None = None
) -> list[Node | Branch]:
    """Return cells, reads and registers that are in no loop: each after what it needs.

    ``behind``: branches that stand in the place of their cells. Registers that choices give come
    last: what they choose from then is mostly there, and what else it is for already done.
    """
    out: dict[Node | Branch, None] = {}
    inside: set[Node | Branch] = set()
    behind = behind or {}

    def visit(node: Node) -> None:
        thing = behind.get(node, node)
        if thing in out or thing in inside or node in alike.place or node.settled:
            return
        inside.add(thing)
        for found in thing.inputs() if isinstance(thing, Branch) else inputs(node):
            visit(found)
        out[thing] = None

    for reg in sorted(netlist.regs, key=_chosen):
        if reg not in alike.place:
            for found in inputs(reg):
                visit(found)
            out[reg] = None
    for node in netlist.nodes:
        visit(node)
    return list(out)


def _chosen(reg: Node) -> bool:
    """Whether a choice gives a register's next value."""
    node = reg.pins["D"][0].node
    return node is not None and node.type in ("$mux", "$pmux")


def sorted_vectors(vectors: Sequence[Vector]) -> list[Vector]:
    """Return the values of a loop, each after what it needs of them."""
    out: dict[Vector, None] = {}
    inside = set(vectors)

    def add(vector: Vector) -> None:
        if vector not in out:
            for operand in operands(vector):
                if isinstance(operand, Vector) and operand in inside:
                    add(operand)
            out[vector] = None

    for vector in vectors:
        add(vector)
    return list(out)


def late(netlist: Netlist, alike: Alike) -> None:
    """Compute values late that only loops of later levels read: in one loop none needs an array."""
    readers: dict[Vector, list[Vector]] = defaultdict(list)
    early: set[Vector] = set()
    reads = [read for store in alike.stores for read in store.reads]
    specs = [s for n in netlist.nodes if n not in alike.place for s in n.pins.values()]
    for vector in [*alike.vectors, *reads]:
        specs += vector.specs
        for operand in operands(vector):
            if not isinstance(operand, Vector):
                specs.append(operand)
            elif operand.kind == vector.kind:
                readers[operand].append(vector)
            else:
                early.add(operand.base or operand)
    early |= {alike.place[n][0] for s in specs for n, _, _ in s if n in alike.place}
    for vector in alike.vectors:
        alike.level(vector)
    for vector in reversed(alike.vectors):
        if vector.kind[0] == "pure" and vector not in early and readers[vector]:
            vector.level = min(alike.level(reader) for reader in readers[vector])
