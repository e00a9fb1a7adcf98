"""Inputs of ECP5 carry cells that are 0: left open, where the cell's table says the same.

An input without a net reads 1. nextpnr has a net bring the zeros of CCU2C cells, with a branch for
each of thousands of them, through the crowd that the adders make; of LUTs Yosys has none left.
"""

from typing import Any

BITS = 16  #: Of a half's table.
INPUTS = "ABCD"


def absorb_module(module: dict[str, Any]) -> int:
    """Take zeros from CCU2C cells of a module of Yosys' JSON netlist into their tables.

    Returns
    -------
    int
        How many inputs had one.
    """
    count = 0
    for cell in module.get("cells", {}).values():
        if cell["type"] != "CCU2C":
            continue
        pins, parameters = cell["connections"], cell["parameters"]
        for half in "01":
            name = f"INIT{half}"
            for place, letter in enumerate(INPUTS):
                if pins.get(letter + half) == ["0"]:
                    parameters[name] = _without(parameters[name], 1 << place)
                    pins[letter + half] = ["1"]
                    count += 1
    return count


def _without(table: str, weight: int) -> str:
    """Return a table, bit 0 last, that takes the input of this weight as 0 whatever it is.

    The carry is made of its first four entries, as a table of A and B: they change alike.
    """
    bits = table.strip()[::-1]
    assert len(bits) == BITS, table
    return "".join(bits[n & ~weight] for n in reversed(range(BITS)))
