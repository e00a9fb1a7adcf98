"""Output registers of ECP5 block RAMs, which Yosys leaves to flip-flops.

A DP16KD gives a word 5 to 6 ns after the clock, from its own output register in a tenth of that.
Where every bit read at a port goes to a flip-flop and nowhere else, all without enable or reset
and of the port's clock, that register takes their place: the same word in the same cycle.
"""

from typing import Any

from hw.tools.registers_ecp5 import plain, readers

BITS = 18  #: Data outputs of a port.


def absorb_module(module: dict[str, Any]) -> int:
    """Put output registers in place of flip-flops in a module of Yosys' JSON netlist.

    Returns
    -------
    int
        At how many ports.
    """
    cells, sinks = module.get("cells", {}), readers(module)
    count = 0
    for ram in [c for c in cells.values() if c["type"] == "DP16KD"]:
        for side in "AB":
            found = _registers(cells, sinks, ram, side)
            for n, name in found.items():
                ram["connections"][f"DO{side}{n}"] = cells.pop(name)["connections"]["Q"]
            if found:
                ram["parameters"][f"REGMODE_{side}"] = "OUTREG"
                count += 1
    return count


def _registers(
    cells: dict[str, Any], sinks: dict[Any, list[tuple[str, str]]], ram: dict[str, Any], side: str
) -> dict[int, str]:
    """Flip-flops, by data output, that a port's own register can replace; none if not all can."""
    pins, found = ram["connections"], {}
    if ram["parameters"].get(f"REGMODE_{side}", "NOREG") != "NOREG":
        return {}
    if pins.get(f"OCE{side}") != ["1"] or pins.get(f"RST{side}") != ["0"]:
        return {}
    for n in range(BITS):
        (bit,) = pins.get(f"DO{side}{n}") or [None]
        readers = sinks.get(bit, [])
        if not readers:
            continue
        (name, pin), more = readers[0], readers[1:]
        if more or pin != "DI" or not plain(cells[name], pins[f"CLK{side}"]):
            return {}
        found[n] = name
    return found
