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
    cells = module.get("cells", {})
    sinks: dict[Any, list[tuple[str, str]]] = collections.defaultdict(list)
    for name, pin, bit in _read(module):
        sinks[bit].append((name, pin))
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
        if more or pin != "DI" or not _plain(cells[name], pins[f"CLK{side}"]):
            return {}
        found[n] = name
    return found


def _plain(cell: dict[str, Any], clock: list[Any]) -> bool:
    """Whether a cell is a flip-flop that takes its input at every rising edge of a clock."""
    pins, parameters = cell["connections"], cell["parameters"]
    return (
        cell["type"] == "TRELLIS_FF"
        and pins["CLK"] == clock
        and parameters["CLKMUX"] == "CLK"
        and parameters["CEMUX"].strip() == "1"  # so that it reads as text, Yosys writes "1 "
        and parameters["LSRMUX"] == "LSR"
        and pins["LSR"] == ["0"]
    )
