"""Netlists in Yosys' JSON format: cells, counts and the resources they take."""

import collections
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError

XC7_LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV")
XC7_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
#: LUTs of a slice that a cell used as memory takes.
XC7_MEMORY_LUTS = {
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
}


@dataclass(frozen=True)
class Cell:
    """One cell of a netlist; ``connections`` maps a port to its bits (net numbers or '0', '1')."""

    name: str
    type: str
    parameters: dict[str, Any] = field(repr=False)
    connections: dict[str, list[int | str]] = field(repr=False)

    def number(self, parameter: str, default: int = 0) -> int:
        """Return a parameter as a number; undefined bits count as 0."""
        value = self.parameters.get(parameter, default)
        if isinstance(value, int):
            return value
        bits = "".join("1" if c == "1" else "0" for c in value.strip())
        return int(bits or "0", 2)

    def text(self, parameter: str, default: str = "") -> str:
        """Return a parameter as text."""
        return str(self.parameters.get(parameter, default)).strip()


@dataclass(frozen=True)
class Netlist:
    """The top module of a flattened netlist."""

    name: str
    cells: tuple[Cell, ...]
    ports: dict[str, Any] = field(repr=False)
    netnames: dict[str, list[int | str]] = field(repr=False)

    @classmethod
    def load(cls, path: Path | str) -> "Netlist":
        """Read the file Yosys' ``write_json`` made; SpikeloomError where it is not whole."""
        try:
            modules = json.loads(Path(path).read_text(encoding="utf-8"))["modules"]
        except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as e:
            raise SpikeloomError(
                f"{path} is not a whole netlist ({e}); is the disk full? Build again"
            ) from None
        tops = [n for n, m in modules.items() if int(str(m["attributes"].get("top", "0")), 2)]
        if not tops:
            raise SpikeloomError(f"{path}: no module is marked as top; modules: {sorted(modules)}")
        module = modules[tops[0]]
        cells = tuple(
            Cell(name, c["type"], c["parameters"], c["connections"])
            for name, c in module["cells"].items()
        )
        nets = {name: n["bits"] for name, n in module["netnames"].items()}
        return cls(tops[0], cells, module["ports"], nets)

    def counts(self, prefix: str = "") -> dict[str, int]:
        """Return the number of cells by type, of those whose name starts with ``prefix``."""
        found = collections.Counter(c.type for c in self.cells if c.name.startswith(prefix))
        return dict(sorted(found.items()))


def lut_cells(counts: dict[str, int]) -> int:
    """Return the number of LUT cells (LUT1 to LUT6, inverters; a LUT6_2 counts as one)."""
    return sum(counts.get(t, 0) for t in XC7_LUTS)


def xc7_resources(counts: dict[str, int]) -> dict[str, int | float]:
    """Return what the cells of a 7-series netlist take of a part.

    LUTs are counted before packing: two small LUTs may share one site later. ``bram36`` counts a
    RAMB18E1 as half of a RAMB36E1.
    """
    memory = sum(counts.get(t, 0) * n for t, n in XC7_MEMORY_LUTS.items())
    ram36, ram18 = counts.get("RAMB36E1", 0), counts.get("RAMB18E1", 0)
    bram36 = ram36 + (ram18 + 1) // 2
    return {
        "lut": lut_cells(counts) + memory,
        "lut_as_memory": memory,
        "ff": sum(counts.get(t, 0) for t in XC7_FLIP_FLOPS),
        "bram36": bram36,
        "dsp": counts.get("DSP48E1", 0),
    }


def ecp5_resources(counts: dict[str, int]) -> dict[str, int | float]:
    """Return what the cells of an ECP5 netlist take of a part, before packing."""
    memory = 6 * counts.get("TRELLIS_DPR16X4", 0)
    return {
        "lut": counts.get("LUT4", 0) + 2 * counts.get("CCU2C", 0) + memory,
        "lut_as_memory": memory,
        "ff": counts.get("TRELLIS_FF", 0),
        "bram18": counts.get("DP16KD", 0),
        "dsp": counts.get("MULT18X18D", 0),
    }
