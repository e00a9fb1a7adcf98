"""Registers of several fields as a register a field, so that nothing is packed and unpacked."""

from collections import defaultdict
from collections.abc import Iterator

from hw.tools.looped.netlist import Netlist, Node, Run, Spec, part


def fields(netlist: Netlist) -> None:
    """Split registers where parts of what they take meet, in place.

    A field that anything but a register reads together with its neighbour stays with it, as does
    all of a copy of a part.
    """
    whole = _read_whole(netlist)
    cuts: dict[Node, set[int]] = defaultdict(set)
    regs = [reg for reg in netlist.regs if not reg.copy]
    grown = True
    while grown:
        grown = False
        for reg in regs:
            found = {at for at in _meets(reg.pins["D"], cuts) if not whole[reg] >> at & 1}
            grown |= not found <= cuts[reg]
            cuts[reg] |= found
    pieces = {reg: _pieces(reg, sorted(cuts[reg])) for reg in regs if cuts[reg]}
    netlist.regs = [piece for reg in netlist.regs for piece in pieces.get(reg, [reg])]
    netlist.replace(
        {node: tuple(Run(p, 0, p.width) for p in found) for node, found in pieces.items()}
    )


def _read_whole(netlist: Netlist) -> dict[Node, int]:
    """Of a node, the bits that something reads together with the one below."""
    out: dict[Node, int] = defaultdict(int)

    def read(spec: Spec) -> None:
        for node, low, bits in spec:
            if node is not None:
                out[node] |= (1 << bits - 1) - 1 << low + 1

    for node in netlist.nodes:
        for spec in node.pins.values() if node.kind != "reg" or node.copy else ():
            read(spec)
    for memory in netlist.memories:
        for pins in memory.writes:
            for spec in pins.values():
                read(spec)
    for spec in netlist.outputs.values():
        read(spec)
    return out


def _meets(spec: Spec, cuts: dict[Node, set[int]]) -> Iterator[int]:
    """Bits of a signal where parts of it begin, but the first."""
    at = 0
    for node, low, bits in spec:
        if at:
            yield at
        if node is not None:
            yield from (at + cut - low for cut in cuts.get(node, ()) if low < cut < low + bits)
        at += bits


def _pieces(reg: Node, cuts: list[int]) -> list[Node]:
    out = []
    for n, (low, end) in enumerate(zip([0, *cuts], [*cuts, reg.width], strict=True)):
        init = reg.init >> low & (1 << end - low) - 1
        piece = Node("reg", f"{reg.name}:{n}", end - low, reg.type, reg.params, init)
        piece.pins = {"D": part(reg.pins["D"], low, end - low)}
        out.append(piece)
    return out
