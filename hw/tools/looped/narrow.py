"""Signals and memories of more than 64 bits as several that a number of C++ holds each."""

from collections.abc import Callable

from hw.tools.looped.netlist import Memory, Netlist, Node, Run, Spec, part, width

WIDEST = 64  #: Bits of the widest number of C++.
BITWISE = ("$and", "$or", "$xor", "$not", "$pos", "$mux", "$pmux")  #: Each bit by itself.
REDUCE = {"$logic_not": "$reduce_or", "$reduce_bool": "$reduce_or"}  #: Of a piece, if not the same.
REDUCED = (*REDUCE, "$reduce_or", "$reduce_and", "$reduce_xor")


def narrow(netlist: Netlist) -> None:
    """Split what is wider than WIDEST bits, in place; what is computed stays the same."""
    pieces: dict[Node, list[Node]] = {}
    assert all(node.width <= WIDEST for node in netlist.inputs)
    netlist.regs = [piece for reg in netlist.regs for piece in _split(reg, pieces)]
    netlist.cells = [piece for cell in netlist.cells for piece in _cells(cell, pieces)]
    netlist.memories = [piece for m in netlist.memories for piece in _memories(m, pieces)]
    netlist.replace({n: tuple(Run(p, 0, p.width) for p in found) for n, found in pieces.items()})


def _spread(spec: Spec, bits: int, signed: bool) -> Spec:
    """A signal extended to ``bits``."""
    missing = bits - width(spec)
    if missing <= 0:
        return spec
    if not signed:
        return (*spec, Run(None, 0, missing))
    return spec + part(spec, width(spec) - 1, 1) * missing


def _named(node: Node, n: int) -> str:
    return f"{node.name}:{chr(ord('a') + n)}"


def _split(node: Node, pieces: dict[Node, list[Node]]) -> list[Node]:
    """A node whose bits are each by themselves, as pieces of WIDEST bits or fewer."""
    if node.width <= WIDEST:
        return [node]
    found, signed = [], bool(node.params.get("A_SIGNED", 0))
    for n, low in enumerate(range(0, node.width, WIDEST)):
        bits = min(WIDEST, node.width - low)

        def cut(pin: str, low: int = low, bits: int = bits) -> Spec:
            spec = node.pins[pin]
            if node.kind == "read" or pin.startswith("S"):
                return spec
            return part(_spread(spec, node.width, signed), low, bits)

        init = node.init >> low & (1 << bits) - 1
        piece = Node(node.kind, _named(node, n), bits, node.type, node.params, init, node.sync)
        piece.pins = {pin: cut(pin) for pin in node.pins}
        found.append(piece)
    pieces[node] = found
    return found


def _cells(node: Node, pieces: dict[Node, list[Node]]) -> list[Node]:
    if max((node.width, *(width(spec) for spec in node.pins.values()))) <= WIDEST:
        return [node]
    if node.type in BITWISE:
        return _split(node, pieces)
    assert node.type in (*REDUCED, "countones"), f"{node.name}: a {node.type} of too many bits"
    return _counted(node) if node.type == "countones" else _reduced(node)


def _chunks(node: Node, pin: str, made: Callable[[int, Spec], Node]) -> list[Node]:
    spec = node.pins[pin]
    starts = range(0, width(spec), WIDEST)
    return [made(n, part(spec, at, min(WIDEST, width(spec) - at))) for n, at in enumerate(starts)]


def _reduced(node: Node) -> list[Node]:
    """A reduction of the reductions of pieces."""
    kind = REDUCE.get(node.type, node.type)

    def made(n: int, spec: Spec) -> Node:
        return Node("cell", _named(node, n), 1, kind, node.params, pins={"A": spec})

    found = _chunks(node, "A", made)
    node.pins = {"A": tuple(Run(piece, 0, 1) for piece in found)}
    return [*found, node]


def _counted(node: Node) -> list[Node]:
    """A count as the sum of the counts of pieces."""

    def made(n: int, spec: Spec) -> Node:
        return Node("cell", _named(node, n), node.width, "countones", pins={"a": spec})

    found = _chunks(node, "a", made)
    total = found[0]
    for n, piece in enumerate(found[1:], len(found)):
        last = n == 2 * len(found) - 2
        added = node if last else Node("cell", _named(node, n), node.width)
        added.type, added.params = "$add", {"A_SIGNED": 0}
        added.pins = {p: (Run(x, 0, x.width),) for p, x in (("A", total), ("B", piece))}
        found.append(added)
        total = added
    return found


def _memories(memory: Memory, pieces: dict[Node, list[Node]]) -> list[Memory]:
    if memory.width <= WIDEST:
        return [memory]
    reads = [_split(read, pieces) for read in memory.reads]
    found = []
    for n, low in enumerate(range(0, memory.width, WIDEST)):
        bits = min(WIDEST, memory.width - low)
        writes = [
            {pin: spec if pin == "addr" else part(spec, low, bits) for pin, spec in pins.items()}
            for pins in memory.writes
        ]
        init = [word >> low & (1 << bits) - 1 for word in memory.init]
        name = f"{memory.name}:{chr(ord('a') + n)}"
        mine = [read[n] for read in reads]
        found.append(Memory(name, bits, memory.depth, memory.address, init, mine, writes))
    return found
