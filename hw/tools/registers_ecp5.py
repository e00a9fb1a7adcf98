"""Flip-flops of an ECP5 netlist that cells with registers of their own may take the place of."""

import collections
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hw.common.files import write


def absorb(path: Path, *into: Callable[[dict[str, Any]], int]) -> int:
    """Let registers of cells take the place of flip-flops in Yosys' JSON netlist.

    Parameters
    ----------
    path : the netlist; it is written anew if anything has changed.
    into : functions that change a module so, and return how many cells or ports have taken some.

    Returns
    -------
    int
        How many have, in all.
    """
    netlist = json.loads(path.read_text(encoding="utf-8"))
    count = sum(change(module) for change in into for module in netlist["modules"].values())
    if count:
        write(path, json.dumps(netlist, indent=1))
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
