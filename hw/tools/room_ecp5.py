"""Room between the cells of an ECP5: rows of tiles that nextpnr's placer leaves free.

The placer fills three quarters of every tile and so leaves most of a large part empty, in one
piece: where the cells are, more wires are wanted than there are, while block RAMs lie far off.
Cells that do nothing, each locked to its place, keep whole rows free. Rows, as carry chains run
along them.
"""

from dataclasses import dataclass
from typing import Any

#: Share of the LUTs of the rows that are not kept free, above which none may be.
FULL = 0.6
#: Share of a die's LUTs below which a design is too small for a crowd.
LITTLE = 0.15
#: Of how many rows one is kept free, the most first.
OF = (2, 3, 4)
TILE = [f"SLICE{slice_}" for slice_ in "ABCD"]  #: Of two LUTs and two flip-flops each.
PREFIX = "$free"


@dataclass(frozen=True, kw_only=True)
class Die:
    """Where an ECP5's tiles of logic are.

    Attributes
    ----------
    columns, rows : range
        Of tiles; all of them but in rows of block RAMs and multipliers.
    memory : range
        Those rows.
    """

    columns: range
    rows: range
    memory: range

    @property
    def logic(self) -> list[int]:
        """Rows of tiles of logic."""
        return [y for y in self.rows if y not in self.memory]

    @property
    def luts(self) -> int:
        """LUTs of the die; it has as many flip-flops."""
        return len(self.logic) * len(self.columns) * 2 * len(TILE)


#: By nextpnr's names of sizes, as in Project Trellis' tile grids (``tilegrid.json``, PLC2).
DIES = {
    "12k": Die(columns=range(2, 71), rows=range(2, 49), memory=range(13, 38, 12)),
    "25k": Die(columns=range(2, 71), rows=range(2, 49), memory=range(13, 38, 12)),
    "45k": Die(columns=range(2, 89), rows=range(2, 70), memory=range(10, 59, 12)),
    "85k": Die(columns=range(2, 125), rows=range(2, 94), memory=range(10, 83, 12)),
}


def free_rows(die: Die, luts: int) -> list[int]:
    """Return the rows to keep free for a design of so many LUTs (or flip-flops).

    None where it fills the die, or needs little of it.
    """
    if luts < LITTLE * die.luts:
        return []
    for of in OF:
        kept = [y for n, y in enumerate(die.logic) if n % of == of - 1]
        if luts <= FULL * die.luts * (1 - len(kept) / len(die.logic)):
            return kept
    return []


def leave_room(module: dict[str, Any], die: Die, rows: list[int]) -> int:
    """Add cells to a module of Yosys' JSON netlist that keep whole rows of tiles free.

    Returns
    -------
    int
        How many LUTs, and as many flip-flops, these are.
    """
    cells, count = module["cells"], 0
    for y in rows:
        for x in die.columns:
            for slice_ in TILE:
                for half in "01":
                    place = f"X{x}/Y{y}/{slice_}"
                    cells[f"{PREFIX}{count}"] = _cell("TRELLIS_COMB", f"{place}.K{half}")
                    cells[f"{PREFIX}_ff{count}"] = _cell("TRELLIS_FF", f"{place}.FF{half}")
                    count += 1
    return count


def _cell(kind: str, place: str) -> dict[str, Any]:
    table = {"INITVAL": "0" * 16, "MODE": "LOGIC"} if kind == "TRELLIS_COMB" else {}
    return {
        "hide_name": 1,
        "type": kind,
        "parameters": table,
        "attributes": {"BEL": place},
        "port_directions": {},
        "connections": {},
    }
