"""What is alike in a netlist: registers and memories of copies, and the logic between them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hw.tools.looped.netlist import Memory, Netlist, Node, Run, Spec, bits_of, copy_of, width

LEAST = 8  #: Fewest copies that are worth a loop.


@dataclass(eq=False, repr=False)
class Vector:
    """The same value in each of ``count`` copies.

    ``op``: "reg" (next value ``sources``), "read" (a memory's, see `Store`), "cell" (an operation
    ``like`` of the first copy's cell, on ``pins``), "cat" (``pieces``: value, its lowest bit and
    number of bits), "gather" (any signals ``specs``, one a copy) or "slice" (copies ``at`` and on
    of ``base``).
    """

    op: str
    count: int
    width: int
    like: Node | None = None
    nodes: Sequence[Node] = ()
    pins: dict[str, "Operand"] = field(default_factory=dict)
    pieces: list[tuple["Operand", int, int]] = field(default_factory=list)
    specs: Sequence[Spec] = ()
    base: "Vector | None" = None
    at: int = 0
    sources: "Operand | None" = None
    level: int | None = None

    @property
    def bits(self) -> int:
        """Bits of the number that holds it."""
        return bits_of(self.width)

    @property
    def settled(self) -> bool:
        """Whether only the clock changes it."""
        if self.base is not None:
            return self.base.settled
        return self.op in ("reg", "read") and all(node.settled for node in self.nodes)

    @property
    def kind(self) -> tuple[str, int]:
        """What may stand in one loop with it: operations, gathers, or reads of memories."""
        return ("pure" if self.op in ("cell", "cat") else self.op), self.count


Operand = Vector | Spec  #: A signal that is the same for all copies, or a value in each.


@dataclass(eq=False, repr=False)
class Store:
    """Memories that are alike, and the vectors at their ports (pins of reads and writes)."""

    memories: list[Memory]
    reads: list[Vector]
    writes: list[dict[str, Operand]]


def _ordered(items: Iterable[Any]) -> list[Any]:
    """Order by the numbers in the names, the one of most values last."""
    items = list(items)
    numbers = [[int(digits) for digits in re.findall(r"\d+", item.name)] for item in items]
    columns = range(len(numbers[0]))
    most = max(columns, key=lambda c: (len({n[c] for n in numbers}), -c), default=0)
    keys = [(n[:most] + n[most + 1 :] + n[most : most + 1], k) for k, n in enumerate(numbers)]
    return [items[k] for _, k in sorted(keys)]


def _family(name: str) -> str:
    """A name without the numbers that tell copies of a part, or what is in none, apart."""
    copy = copy_of(name)
    return (
        re.sub(r"\d+", "#", copy) + name.removeprefix(copy) if copy else re.sub(r"\d+", "#", name)
    )


def _inside(node: Node, reader: Any) -> bool:
    """Whether ``node`` is logic of the part that reads it, so that a copy has its own."""
    if node.copy and node.copy == reader.copy:
        return True
    a, b = f"{node.path}.", f"{reader.path}."
    return "." in (a, b) or a.startswith(b) or b.startswith(a)


def _lines(regs: Sequence[Node], read: Counter[Node | None]) -> bool:
    """Whether registers are lines of several lengths, most of them read by the next one only.

    These are better rows of registers by themselves (`hw.tools.looped.layout`), which move at once.
    """
    takes = [reg.pins["D"][0].node for reg in regs]
    if takes[1:] == list(regs[:-1]):
        return False
    return 2 * sum(read[node] == 1 for node in set(takes) & set(regs)) > len(regs)


def _params(node: Node) -> tuple[Any, ...]:
    return tuple(sorted(node.params.items()))


class Alike:
    """Registers, memories and logic of a netlist that `narrow` was over, by copies.

    Attributes
    ----------
    regs : list of Vector, and stores : list of Store
    vectors : list of Vector, everything else that is a loop.
    place : of a node that is in one, its vector and its number there.
    """

    def __init__(self, netlist: Netlist, least: int = LEAST):
        self.regs: list[Vector] = []
        self.stores: list[Store] = []
        self.vectors: list[Vector] = []
        self.place: dict[Node, tuple[Vector, int]] = {}
        self._shapes: dict[Node, int] = {}
        self._tuples: dict[Any, Any] = {}
        self._levels: dict[Node, int] = {}
        read = Counter(run.node for n in netlist.nodes for s in n.pins.values() for run in s)
        for regs in self._groups(netlist.regs, least, lambda r: self._shape_of(r.pins["D"], r)):
            if not _lines(regs, read):
                self.regs.append(self._placed(Vector("reg", len(regs), regs[0].width, nodes=regs)))
        whole = [memory for memory in netlist.memories if memory.depth == 1 << memory.address]
        for found in self._groups(whole, least, self._memory_shape):
            reads = [
                self._placed(Vector("read", len(found), found[0].width, nodes=nodes))
                for nodes in zip(*(memory.reads for memory in found), strict=True)
            ]
            self.stores.append(Store(found, reads, []))
        for vector in self.regs:
            vector.sources = self.operand([reg.pins["D"] for reg in vector.nodes])
        for store in self.stores:
            for read in store.reads:
                for pin in ("addr", "en"):
                    read.pins[pin] = self.operand([node.pins[pin] for node in read.nodes])
            for n in range(len(store.memories[0].writes)):
                pins = [memory.writes[n] for memory in store.memories]
                store.writes.append(
                    {pin: self.operand([p[pin] for p in pins]) for pin in ("addr", "data", "en")}
                )

    def _placed(self, vector: Vector) -> Vector:
        for n, node in enumerate(vector.nodes):
            self.place[node] = vector, n
        return vector

    def _groups(self, items: Iterable[Any], least: int, shape: Any) -> list[list[Any]]:
        """Items whose names differ in numbers only, and that do the same."""
        found: dict[Any, list[Any]] = defaultdict(list)
        for item in items:
            found[_family(item.name), item.width, shape(item)].append(item)
        return [_ordered(group) for group in found.values() if len(group) >= least]

    # What logic looks like, down to registers and to what other parts give.
    def _shape(self, node: Node) -> int:
        if node.kind != "cell":
            return hash((node.kind, node.width))
        if node not in self._shapes:
            pins = tuple((p, self._shape_of(s, node)) for p, s in sorted(node.pins.items()))
            self._shapes[node] = hash((node.type, node.width, _params(node), pins))
        return self._shapes[node]

    def _shape_of(self, spec: Spec, reader: Any) -> tuple[Any, ...]:
        out = []
        for node, low, bits in spec:
            if node is None:
                out.append((-1, 0, bits))
            elif _inside(node, reader):
                out.append((0 if node.settled else self._shape(node), low, bits))
            else:
                out.append((0, 0, bits))
        return tuple(out)

    def _memory_shape(self, memory: Memory) -> Any:
        place = Node("read", memory.name, memory.width)
        reads = tuple((r.sync, r.pins["en"] == memory.reads[0].pins["en"]) for r in memory.reads)
        pins = [spec for r in memory.reads for spec in (r.pins["addr"], r.pins["en"])]
        pins += [write[pin] for write in memory.writes for pin in ("addr", "data")]
        return memory.depth, reads, tuple(self._shape_of(spec, place) for spec in pins)

    # Values of all copies.
    def operand(self, specs: Sequence[Spec]) -> Operand:
        """Return what the copies' signals are: one for all, or a vector."""
        key = tuple(specs)
        if key not in self._tuples:
            self._tuples[key] = self._operand(key)
        return self._tuples[key]

    def _operand(self, specs: Sequence[Spec]) -> Operand:
        if all(spec == specs[0] for spec in specs):
            return specs[0]
        form = [(run.node is None, run.width) for run in specs[0]]
        if any([(run.node is None, run.width) for run in spec] != form for spec in specs):
            return self._gather(specs)
        pieces: list[tuple[Operand, int, int]] = []
        for column in zip(*specs, strict=True):
            run = column[0]
            nodes = [r.node for r in column if r.node is not None]
            leaf = None
            if len(nodes) == len(column) and len({r.low for r in column}) == 1:
                leaf = self._vector(nodes)
            if all(r == run for r in column):
                pieces.append(((run,), 0, run.width))
            elif leaf is not None:
                pieces.append((leaf, run.low, run.width))
            else:
                pieces.append((self._gather([(r,) for r in column]), 0, run.width))
        value, low, bits = pieces[0]
        if len(pieces) == 1 and isinstance(value, Vector) and (low, bits) == (0, value.width):
            return value
        return self._kept(Vector("cat", len(specs), width(specs[0]), pieces=pieces))

    def _kept(self, vector: Vector) -> Vector:
        self.vectors.append(vector)
        return vector

    def _gather(self, specs: Sequence[Spec]) -> Vector:
        key = "gather", *specs
        if key not in self._tuples:
            found = Vector("gather", len(specs), width(specs[0]), specs=specs)
            self._tuples[key] = self._kept(found)
        return self._tuples[key]

    def _vector(self, nodes: Sequence[Node]) -> Vector | None:
        """Return the value of one node a copy; None if they are of different widths."""
        key = tuple(nodes)
        if key not in self._tuples:
            self._tuples[key] = self._found(key)
        return self._tuples[key]

    def _found(self, nodes: Sequence[Node]) -> Vector | None:
        node, count = nodes[0], len(nodes)
        if len({n.width for n in nodes}) > 1:
            return None
        base, at = self.place.get(node, (None, 0))
        if base and all(self.place.get(n) == (base, at + k) for k, n in enumerate(nodes)):
            if base.count == count:
                return base
            return Vector("slice", count, node.width, base=base, at=at)
        alone = len(set(nodes)) == count and not any(n in self.place for n in nodes)
        same = len({(n.kind, n.type, _params(n), self._shape(n)) for n in nodes}) == 1
        same = same and node.kind == "cell"
        if not alone or not same:
            return self._gather([(Run(n, 0, n.width),) for n in nodes])
        pins = {pin: self.operand([n.pins[pin] for n in nodes]) for pin in sorted(node.pins)}
        return self._placed(
            self._kept(Vector("cell", count, node.width, like=node, nodes=nodes, pins=pins))
        )

    # Levels: what is computed before what.
    def spec_level(self, spec: Spec) -> int:
        """Return the level that a signal is there at."""
        return max((self.node_level(n) for n, _, _ in spec if n is not None), default=0)

    def node_level(self, node: Node) -> int:
        """Return the level that a node's value is there at; 0 for what the clock settles."""
        if node.settled:
            return 0
        if node in self.place:
            return self.level(self.place[node][0]) + 1
        if node not in self._levels:
            self._levels[node] = max((self.spec_level(s) for s in node.pins.values()), default=0)
        return self._levels[node]

    def level(self, vector: Vector) -> int:
        """Return the level of a vector: loops of a level need those of lower levels only."""
        if vector.settled:
            return 0
        if vector.base is not None:
            return self.level(vector.base)
        if vector.level is None:
            level = max((self.spec_level(spec) for spec in vector.specs), default=0)
            for operand in operands(vector):
                if not isinstance(operand, Vector):
                    level = max(level, self.spec_level(operand))
                elif operand.kind == vector.kind:
                    level = max(level, self.level(operand))
                else:
                    level = max(level, self.level(operand) + (not operand.settled))
            vector.level = level
        return vector.level


def operands(vector: Vector) -> list[Operand]:
    """Return what a vector is computed from."""
    return [*vector.pins.values(), *(value for value, _, _ in vector.pieces)]
