"""Resets of many ECP5 flip-flops on a global net, which nextpnr gives to clocks alone.

A reset of a thousand flip-flops all over the part otherwise takes a wire through every row, and the
longest of them the longest time of the design.
"""

from typing import Any

from hw.tools.registers_ecp5 import readers

#: Flip-flops of a net from which on it is worth a global one, and how many may be.
LEAST, MOST = 256, 4


def promote_module(module: dict[str, Any]) -> int:
    """Drive resets of many flip-flops of a module of Yosys' JSON netlist by way of a DCCA.

    What else reads such a net, as logic, reads it as before.

    Returns
    -------
    int
        How many nets these are.
    """
    cells = module.get("cells", {})
    found = {}
    for bit, sinks in readers(module).items():
        resets = [n for n, p in sinks if p == "LSR" and cells[n]["type"] == "TRELLIS_FF"]
        if isinstance(bit, int) and len(resets) >= LEAST:
            found[bit] = resets
    named = [net["bits"] for net in module.get("netnames", {}).values()]
    pins = [bits for cell in cells.values() for bits in cell["connections"].values()]
    free = 1 + max((b for bits in (*named, *pins) for b in bits if isinstance(b, int)), default=0)
    most = sorted(found, key=lambda bit: (-len(found[bit]), bit))[:MOST]
    for n, bit in enumerate(most):
        cells[f"$reset{n}"] = {
            "hide_name": 1,
            "type": "DCCA",
            "parameters": {},
            "attributes": {},
            "port_directions": {"CLKI": "input", "CLKO": "output"},
            "connections": {"CLKI": [bit], "CLKO": [free + n]},
        }
        for name in found[bit]:
            cells[name]["connections"]["LSR"] = [free + n]
    return len(most)
