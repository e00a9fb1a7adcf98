"""Block-RAM contents of a 7-series netlist, read back as words of the memories they came from.

Yosys names the cells of a memory ``PATH.P.S``: copy P for another read port, slice S of the word
(and of the depth, where one cell is not deep enough: not handled, refused). A word fills the
slices from its bit 0 up. With write enables per group of bits, each group starts a new unit of 9
bits (8 data, 1 parity); without, the word fills units of 9 bits completely.
"""

import re
from dataclasses import dataclass

from hw.common.errors import SpikeloomError
from hw.tools.netlist import Cell, Netlist

_NAME = re.compile(r"^(?P<path>.*)\.(?P<copy>\d+)\.(?P<slice>\d+)$")


@dataclass(frozen=True)
class BlockMemory:
    """The cells of one memory: one list of slices for each copy."""

    path: str
    copies: tuple[tuple[Cell, ...], ...]

    def words(self, *, width: int, depth: int, granularity: int | None = None) -> list[int]:
        """Return the initial words; SpikeloomError where copies or sizes disagree.

        ``granularity`` is the number of bits behind one write enable, None for a single enable.
        """
        reads = [_words(self.path, c, width, depth, granularity) for c in self.copies]
        if any(r != reads[0] for r in reads):
            raise SpikeloomError(f"{self.path}: the copies for several read ports differ")
        return reads[0]


def block_memories(netlist: Netlist) -> dict[str, BlockMemory]:
    """Return the memories held in block RAM, by path (``core.row.bank0.mem``)."""
    found: dict[str, dict[int, dict[int, Cell]]] = {}
    for cell in netlist.cells:
        if cell.type not in ("RAMB18E1", "RAMB36E1"):
            continue
        if not (match := _NAME.match(cell.name)):
            raise SpikeloomError(f"block RAM {cell.name} does not carry the name of a memory")
        copies = found.setdefault(match["path"].replace("\\", ""), {})
        copies.setdefault(int(match["copy"]), {})[int(match["slice"])] = cell
    out = {}
    for path, copies in sorted(found.items()):
        slices = tuple(
            tuple(cells[i] for i in sorted(cells)) for _, cells in sorted(copies.items())
        )
        out[path] = BlockMemory(path, slices)
    return out


def _bits(cell: Cell, prefix: str, count: int) -> int:
    """Return the parameters PREFIX_00.. as one number, 256 bits each."""
    return sum(cell.number(f"{prefix}_{i:02X}") << (256 * i) for i in range(count))


def _raw(cell: Cell, width: int, depth: int) -> list[int]:
    """Return ``depth`` words of a cell at hardware width, in units of 8 data and 1 parity bits."""
    scale = 2 if cell.type == "RAMB36E1" else 1
    data, parity = _bits(cell, "INIT", 64 * scale), _bits(cell, "INITP", 8 * scale)
    if width < 9:
        mask = (1 << width) - 1
        return [data >> (width * i) & mask for i in range(depth)]
    units = width // 9
    out = []
    for i in range(depth):
        word = 0
        for u in range(units):
            at = i * units + u
            word |= (data >> 8 * at & 0xFF | (parity >> at & 1) << 8) << 9 * u
        out.append(word)
    return out


def _words(
    path: str, cells: tuple[Cell, ...], width: int, depth: int, granularity: int | None
) -> list[int]:
    hard = max(cells[0].number(f"{p}_WIDTH_{s}") for p in ("READ", "WRITE") for s in "AB")
    if granularity is None or granularity >= width:
        places = list(range(width))
    else:
        unit = 9 if hard >= 9 else hard
        per_group = -(-granularity // unit) * unit
        if hard < 9 and granularity % unit:
            raise SpikeloomError(f"{path}: groups of {granularity} bits in units of {unit}")
        places = [(b // granularity) * per_group + b % granularity for b in range(width)]
    if (needed := places[-1] // hard + 1) != len(cells):
        raise SpikeloomError(
            f"{path}: {width} x {depth} wants {needed} cells of {hard} bits, found {len(cells)}"
        )
    raw = [_raw(cell, hard, depth) for cell in cells]
    out = []
    for i in range(depth):
        joined = sum(r[i] << hard * s for s, r in enumerate(raw))
        out.append(sum((joined >> p & 1) << b for b, p in enumerate(places)))
    return out
