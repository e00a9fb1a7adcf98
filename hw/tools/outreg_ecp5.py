"""Output registers of ECP5 block RAMs, which Yosys leaves to flip-flops.

A DP16KD gives a word 5 to 6 ns after the clock, from its own output register in a tenth of that.
Where every bit read at a port goes to a flip-flop and nowhere else, all without enable or reset
and of the port's clock, that register takes their place: the same word in the same cycle.
"""

import collections
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hw.common.files import write

BITS = 18  #: Data outputs of a port.


def absorb(path: Path) -> int:
    """Put output registers in place of flip-flops in Yosys' JSON netlist; return how many ports."""
    netlist = json.loads(path.read_text(encoding="utf-8"))
    count = sum(absorb_module(module) for module in netlist["modules"].values())
    if count:
        write(path, json.dumps(netlist, indent=1))
    return count


def absorb_module(module: dict[str, Any]) -> int:
    """The same of one module, whose cells it changes."""
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


def readers(module: dict[str, Any]) -> dict[Any, list[tuple[str, str]]]:
    """Return for each bit of a module the cells and pins that read it, ports without a name."""
    sinks: dict[Any, list[tuple[str, str]]] = collections.defaultdict(list)
    for name, pin, bit in _read(module):
        sinks[bit].append((name, pin))
    return sinks


def _read(module: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Cell, pin and bit of all that is read in a module; of ports without a cell's name."""
    for name, cell in module.get("cells", {}).items():
        ways = cell["port_directions"]
        for pin, bits in cell["connections"].items():
            if ways[pin] != "output":
                yield from ((name, pin, bit) for bit in bits)
    for port in module.get("ports", {}).values():
        if port["direction"] != "input":
            yield from (("", "", bit) for bit in port["bits"])


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


def plain(cell: dict[str, Any], clock: list[Any]) -> bool:
    """Whether a cell is a flip-flop that takes its input at every rising edge of a clock."""
    return register(cell) == (clock, ["1"], ["0"])


def register(cell: dict[str, Any]) -> tuple[list[Any], list[Any], list[Any]] | None:
    """Clock, enable and reset of a flip-flop; None if it is none of these.

    One that takes its input at the clock's rising edge, always or where it is enabled, or is
    reset to 0 by it. Not one that has both: which of the two wins is not for all registers the
    same.
    """
    pins, parameters = cell["connections"], cell["parameters"]
    if cell["type"] != "TRELLIS_FF" or (parameters["CLKMUX"], parameters["LSRMUX"]) != (
        "CLK",
        "LSR",
    ):
        return None
    enable = parameters["CEMUX"].strip()  # so that it reads as text, Yosys writes "1 "
    if enable not in ("1", "CE"):
        return None
    ce = ["1"] if enable == "1" else pins.get("CE")
    synchronous = parameters["REGSET"] == "RESET" and parameters.get("SRMODE") == "LSR_OVER_CE"
    if pins["LSR"] != ["0"] and (ce != ["1"] or not synchronous):
        return None
    return pins["CLK"], ce, pins["LSR"]
