"""A flat netlist of Yosys's word-wide cells: what drives each bit."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

#: Name of a register's cell: the wire that it drives, and this.
REGISTER = "$ff"
_FLIPFLOP = re.compile(
    r"  cell \$dff \S+\n((?:    (?!connect \\Q).*\n)*)    connect \\Q \\(\S+)(.*)\n"
)
#: Output ports of cells that are not named Y.
_OUTPUTS = {"$dff": "Q", "countones": "o"}


@dataclass(eq=False)
class Node:
    """What drives a signal.

    ``kind``: "input", "reg" (pins D), "cell" (pins by port) or "read", a read port of a memory
    (pins addr, en; ``sync``: it reads at the clock's edge).
    """

    kind: str
    name: str
    width: int
    type: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    init: int = 0
    sync: bool = False
    pins: dict[str, "Spec"] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        plain = re.sub(r"^\$flatten", "", self.name).replace("\\", "")
        #: Path of the part that it is of, and the first on that path that is one of several.
        self.path, self.copy = plain.rpartition(".")[0], copy_of(plain)

    @property
    def settled(self) -> bool:
        """Whether only the clock changes it."""
        return self.kind in ("input", "reg") or self.sync


class Run(NamedTuple):
    """Bits ``low`` to ``low + width - 1`` of ``node``, or without one the constant ``low``."""

    node: Node | None
    low: int
    width: int


Spec = tuple[Run, ...]  #: A signal, lowest run first.


def copy_of(name: str) -> str:
    """Return the first part on the path of ``name`` that is one of several, or ""."""
    parts = name.split(".")[:-1]
    for n, part in enumerate(parts):
        if re.search(r"_\d+$", part):
            return ".".join(parts[: n + 1])
    return ""


def bits_of(width: int) -> int:
    """Return the bits of the number of C++ that holds so many: 32 or 64."""
    return 32 if width <= 32 else 64


@dataclass(eq=False, repr=False)
class Memory:
    """A memory: its read ports, and for each write port addr, data and en (a bit of it a bit)."""

    name: str
    width: int
    depth: int
    address: int
    init: list[int]
    reads: list[Node]
    writes: list[dict[str, Spec]]


def width(spec: Spec) -> int:
    """Return the number of bits of a signal."""
    return sum(run.width for run in spec)


def part(spec: Spec, low: int, bits: int) -> Spec:
    """Return ``bits`` bits of a signal from ``low`` on."""
    out, at = [], 0
    for node, start, size in spec:
        a, b = max(low, at), min(low + bits, at + size)
        if a < b and node is None:
            out.append(Run(None, start >> (a - at) & ((1 << (b - a)) - 1), b - a))
        elif a < b:
            out.append(Run(node, start + a - at, b - a))
        at += size
    return tuple(out)


def constant(spec: Spec) -> int | None:
    """Return the value of a signal that never changes, else None."""
    value, at = 0, 0
    for node, low, size in spec:
        if node is not None:
            return None
        value |= low << at
        at += size
    return value


def registers_named(rtlil: str) -> str:
    """Return RTLIL in which the cell of each register has its wire's name, for `Node.name`."""
    return _FLIPFLOP.sub(
        lambda m: f"  cell $dff \\{m[2]}{REGISTER}\n{m[1]}    connect \\Q \\{m[2]}{m[3]}\n", rtlil
    )


def choices(node: Node) -> dict[str, Spec]:
    """Return the pins of a ``$pmux`` with each choice by itself: A, S0, B0, S1, ..."""
    pins = {"A": node.pins["A"]}
    for n in range(node.params["S_WIDTH"]):
        pins[f"S{n}"] = part(node.pins["S"], n, 1)
        pins[f"B{n}"] = part(node.pins["B"], n * node.width, node.width)
    return pins


def _number(bits: str) -> Any:
    """A parameter as Yosys writes it: a number in binary, else text."""
    return int(bits, 2) if bits and set(bits) <= {"0", "1"} else bits


class Netlist:
    """Inputs, outputs, registers, cells and memories of a flat module with one clock."""

    def __init__(self, module: dict[str, Any]):
        self.inputs: list[Node] = []
        self.outputs: dict[str, Spec] = {}
        self.regs: list[Node] = []
        self.cells: list[Node] = []
        self.memories: list[Memory] = []
        self._driver: dict[Any, tuple[Node, int]] = {}
        later: list[tuple[Node, dict[str, Any]]] = []
        for name, port in module["ports"].items():
            if port["direction"] == "input":
                node = Node("input", name, len(port["bits"]))
                self.inputs.append(node)
                self._drive(node, port["bits"])
        init = {
            bit: value
            for wire in module["netnames"].values()
            for bit, value in zip(
                wire["bits"], reversed(wire["attributes"].get("init", "")), strict=False
            )
            if value in "01"
        }
        stored = []
        for name, cell in module["cells"].items():
            kind, wires = cell["type"], cell["connections"]
            if kind == "$scopeinfo":
                continue
            if kind == "$shift" and cell["parameters"]["B_SIGNED"].endswith("0"):
                kind = "$shr"  # as it never goes to the left
            if kind == "$mem_v2":
                stored.append((cell["parameters"], wires, self._reads(cell, later)))
                continue
            output = _OUTPUTS.get(kind, "Y")
            bits = wires[output]
            node = Node("cell", name, len(bits), kind)
            if kind == "$dff":
                assert cell["parameters"]["CLK_POLARITY"].endswith("1"), name
                start = "".join(init.get(bit, "0") for bit in reversed(bits))
                node = Node("reg", name, len(bits), init=int(start, 2))
            node.params = {k: _number(v) for k, v in cell["parameters"].items()}
            (self.regs if kind == "$dff" else self.cells).append(node)
            self._drive(node, bits)
            later.append((node, {k: v for k, v in wires.items() if k not in (output, "CLK")}))
        for node, pins in later:
            node.pins = {name: self._spec(bits) for name, bits in pins.items()}
            if node.type == "$pmux":
                node.pins = choices(node)
        self.memories = [self._memory(*parts) for parts in stored]
        self.outputs = {
            name: self._spec(port["bits"])
            for name, port in module["ports"].items()
            if port["direction"] == "output"
        }

    @classmethod
    def read(cls, path: Path, top: str) -> "Netlist":
        """Return the netlist of module ``top`` in what Yosys's ``write_json`` wrote."""
        return cls(json.loads(path.read_text(encoding="utf-8"))["modules"][top])

    @property
    def nodes(self) -> list[Node]:
        """Everything that has pins: registers, cells and the memories' read ports."""
        reads = [read for memory in self.memories for read in memory.reads]
        return [*self.regs, *self.cells, *reads]

    def replace(self, made: dict[Node, Spec]) -> None:
        """Put signals of their width in the place of nodes, wherever these are read."""

        def over(spec: Spec) -> Spec:
            return tuple(
                new
                for run in spec
                for new in (part(made[run.node], *run[1:]) if run.node in made else [run])
            )

        for node in self.nodes:
            node.pins = {pin: over(spec) for pin, spec in node.pins.items()}
        for memory in self.memories:
            memory.writes = [{p: over(s) for p, s in pins.items()} for pins in memory.writes]
        self.outputs = {name: over(spec) for name, spec in self.outputs.items()}

    def _drive(self, node: Node, bits: Sequence[Any]) -> None:
        for n, bit in enumerate(bits):
            assert bit not in self._driver, f"{node.name} is driven twice"
            self._driver[bit] = node, n

    def _spec(self, bits: Sequence[Any]) -> Spec:
        runs: list[Run] = []
        for bit in bits:
            if isinstance(bit, str):
                node, at = None, int(bit == "1")
            else:
                node, at = self._driver[bit]
            last = runs[-1] if runs else None
            if last and node is None and last.node is None:
                runs[-1] = Run(None, last.low | at << last.width, last.width + 1)
            elif last and node is not None and last.node is node and last.low + last.width == at:
                runs[-1] = Run(node, last.low, last.width + 1)
            else:
                runs.append(Run(node, at, 1))
        return tuple(runs)

    def _reads(self, cell: dict[str, Any], later: list[tuple[Node, dict[str, Any]]]) -> list[Node]:
        """Read ports of a memory, which drive their data."""
        params, wires = cell["parameters"], cell["connections"]
        bits, address = int(params["WIDTH"], 2), int(params["ABITS"], 2)
        assert int(params["OFFSET"], 2) == int(params["RD_TRANSPARENCY_MASK"], 2) == 0
        assert int(params["RD_WIDE_CONTINUATION"], 2) == 0
        name, out = params["MEMID"].lstrip("\\"), []
        for n in range(int(params["RD_PORTS"], 2)):
            clocked = params["RD_CLK_ENABLE"][::-1][n] == "1"
            node = Node("read", f"{name}.read{n}", bits, sync=clocked)
            self._drive(node, wires["RD_DATA"][n * bits : (n + 1) * bits])
            pins = {"addr": wires["RD_ADDR"][n * address : (n + 1) * address]}
            later.append((node, pins | {"en": wires["RD_EN"][n : n + 1]}))
            out.append(node)
        return out

    def _memory(self, params: dict[str, Any], wires: dict[str, Any], reads: list[Node]) -> Memory:
        bits, address = int(params["WIDTH"], 2), int(params["ABITS"], 2)
        depth, init = int(params["SIZE"], 2), params["INIT"].replace("x", "0")[::-1]
        words = [init[n * bits : (n + 1) * bits][::-1] for n in range(depth)]
        writes = [
            {
                pin: self._spec(wires[f"WR_{pin.upper()}"][n * size : (n + 1) * size])
                for pin, size in (("addr", address), ("data", bits), ("en", bits))
            }
            for n in range(int(params["WR_PORTS"], 2))
        ]
        name = params["MEMID"].lstrip("\\")
        return Memory(name, bits, depth, address, [int(w or "0", 2) for w in words], reads, writes)
