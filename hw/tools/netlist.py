"""Netlists in Yosys' JSON format: their cells, and how many there are of each type."""

import collections
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError


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
