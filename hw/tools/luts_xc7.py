"""LUTs of two outputs taken apart, for routers that know none: a LUT6_2 is a LUT5 and a LUT6.

What the two halves compute is what the whole did, so any router may have the result; it takes up to
two LUTs where one did, unless the router puts halves of the same inputs together again.
"""

import json
from pathlib import Path
from typing import Any

from hw.common.files import write

INPUTS = tuple(f"I{n}" for n in range(6))


def split_luts(netlist: Path, result: Path) -> int:
    """Write a netlist without LUT6_2 (Yosys' JSON); return how many were taken apart.

    O5 is of the lower half of INIT and the first five inputs, O6 of all of it and of all six.
    """
    whole: dict[str, Any] = json.loads(netlist.read_text(encoding="utf-8"))
    count = 0
    for module in whole["modules"].values():
        cells = module.get("cells", {})
        for name in [n for n, cell in cells.items() if cell["type"] == "LUT6_2"]:
            for half, made in _halves(cells.pop(name)):
                cells[f"{name}${half}"] = made
            count += 1
    write(result, json.dumps(whole))
    return count


def _halves(cell: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The cells of the outputs that are connected."""
    wires, init = cell["connections"], str(cell["parameters"]["INIT"]).rjust(64, "0")
    out = []
    for output, size, bits in (("O5", 5, init[-32:]), ("O6", 6, init)):
        if not wires.get(output):
            continue
        ports = INPUTS[:size]
        made = {
            **cell,
            "type": f"LUT{size}",
            "parameters": {"INIT": bits},
            "port_directions": {**dict.fromkeys(ports, "input"), "O": "output"},
            "connections": {**{port: wires[port] for port in ports}, "O": wires[output]},
        }
        out.append((output, made))
    return out
