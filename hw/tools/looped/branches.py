"""Logic that is needed where a signal is 1 only, which a branch leaves out mostly.

What an ``m.If`` assigns is computed for nothing in most cycles. Choices of one signal stand
together, their other side before a branch and the chosen one behind it, and with it the cells that
nothing else reads.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hw.tools.looped.alike import Alike
from hw.tools.looped.netlist import Netlist, Node, Spec

LEAST = 2  #: Fewest cells that are worth a branch.

Pin = tuple[object, str]  #: What reads a signal, and by which pin.


@dataclass(eq=False)
class Branch:
    """What depends on ``which``, a bit.

    Attributes
    ----------
    level : of the choices.
    choices : that are made by it: pin A, or B where the bit is 1.
    cells : that are needed where the bit is 1.
    inner : those of them that nothing else reads.
    body : choices and cells, each after what it needs.
    """

    which: Spec
    level: int
    choices: set[Node]
    cells: set[Node]
    inner: set[Node] = field(default_factory=set)
    body: list[Node] = field(default_factory=list)

    def inputs(self) -> Iterator[Node]:
        """Nodes that have to be there before."""
        yield from nodes(self.which)
        own = self.body or [*self.choices, *self.cells]
        for node in own:
            if node in self.choices:
                yield from nodes(node.pins["A"])
        for node in own:
            for pin in "B" if node in self.choices else node.pins:
                yield from (found for found in nodes(node.pins[pin]) if not self.has(found))

    def has(self, node: Node) -> bool:
        return node in self.choices or node in self.cells


def nodes(spec: Spec) -> Iterator[Node]:
    """Nodes of a signal."""
    return (run.node for run in spec if run.node is not None)


def inputs(node: Node) -> Iterator[Node]:
    """Nodes that a node reads."""
    return (found for spec in node.pins.values() for found in nodes(spec))


def branches(
    netlist: Netlist, alike: Alike, order: Sequence[Node], least: int = LEAST
) -> dict[Node, Branch]:
    """Return the branch of nodes that are in one; ``order``: nodes that are in no loop."""
    readers = _readers(netlist)
    alone = {node for node in order if node.kind == "cell"}
    sides: dict[tuple[Spec, int], set[tuple[Node, str]]] = defaultdict(set)
    for node in order:
        if node in alone:
            for which, pin in _sides(node):
                sides[node.pins[which], alike.node_level(node)].add((node, pin))
    found = []
    for (which, level), pins in sides.items():
        choices = {node for node, _ in pins if node.type == "$mux"}
        found.append(Branch(which, level, choices, _cone(pins, readers, alone)))
    out: dict[Node, Branch] = {}
    for branch in sorted(found, key=lambda b: -len(b.cells)):
        branch.choices -= out.keys()
        branch.cells -= out.keys()
        if len(branch.cells) < least:
            continue
        if _circular(branch, out):
            choices, branch.choices = [n for n in order if n in branch.choices], set()
            if _circular(branch, out):
                continue
            for choice in choices:
                branch.choices.add(choice)
                if _circular(branch, out):
                    branch.choices.remove(choice)
        own = branch.cells | branch.choices
        out |= dict.fromkeys(own, branch)
        branch.inner = {c for c in branch.cells if {r for r, _ in readers[c]} <= own}
        branch.body = [node for node in order if node in own]
    return out


def _sides(node: Node) -> Iterator[tuple[str, str]]:
    """Pins of a choice: what chooses, and what is read where that is 1."""
    if node.type == "$mux":
        yield "S", "B"
    elif node.type == "$pmux":
        yield from ((f"S{n}", f"B{n}") for n in range(node.params["S_WIDTH"]))


def _readers(netlist: Netlist) -> dict[Node, set[Pin]]:
    out: dict[Node, set[Pin]] = defaultdict(set)
    pins = [(node, pin, spec) for node in netlist.nodes for pin, spec in node.pins.items()]
    pins += [(m, pin, s) for m in netlist.memories for w in m.writes for pin, s in w.items()]
    pins += [(netlist, pin, spec) for pin, spec in netlist.outputs.items()]
    for reader, pin, spec in pins:
        for node in nodes(spec):
            out[node].add((reader, pin))
    return out


def _cone(
    pins: set[tuple[Node, str]], readers: dict[Node, set[Pin]], alone: set[Node]
) -> set[Node]:
    """Cells that nothing but these pins reads, or what only they read."""
    cone: set[Node] = set()
    inside: set[Pin] = set(pins)
    left = [found for node, pin in pins for found in nodes(node.pins[pin])]
    while left:
        node = left.pop()
        if node not in cone and node in alone and readers[node] <= inside:
            cone.add(node)
            inside |= {(node, pin) for pin in node.pins}
            left += inputs(node)
    return cone


def _circular(branch: Branch, others: dict[Node, Branch]) -> bool:
    """Whether what the branch needs, itself needs what the branch gives."""
    left, seen = list(branch.inputs()), set()
    while left:
        node = left.pop()
        if branch.has(node):
            return True
        thing = others.get(node, node)
        if thing not in seen and not node.settled:
            seen.add(thing)
            left += thing.inputs() if isinstance(thing, Branch) else inputs(node)
    return False
