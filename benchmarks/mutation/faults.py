"""Faults that Yosys puts into a design, all behind one select port.

The design is made flat first, and what no output depends on is taken away, as synthesis does: a
fault of a bit that nobody reads is none. Which faults are made is the choice of Yosys alone
(``mutate -list``, its weights, a fixed seed), over all cells but what memories hold at first; those
of clock pins are left out.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from hw.tools.export import replicated
from hw.tools.yosys import run_yosys

BITS = 9  #: Of the select port.
SEED = 11
FLAT = [
    "proc -norom",
    "flatten",
    "delete t:$scopeinfo",
    "opt -full",
    "wreduce",
    "opt_clean -purge",
    "memory_collect",
    "opt -full",
    "opt_clean -purge",
]
_OPTION = re.compile(r"-(\w+) (\S+)")
_NUMBERS = re.compile(r"\$\d+")
_PART = re.compile(r"\\([^\W$]+)(?:\$\d+)?\.")  #: In a flattened cell's name.
_LONG = 40  #: Characters of a signal in a key.


@dataclass(frozen=True)
class Fault:
    """One fault.

    ``key`` tells it without the numbers that Yosys and Amaranth count up over a whole design:
    the cell's kind, the signals that it reads and drives, the port's bit, what becomes of it.
    """

    number: int  #: Of the select port.
    command: str  #: Of Yosys.
    key: str


@dataclass(frozen=True)
class Cell:
    """Kind of a cell, and for each of its ports the signals that are tied to it."""

    kind: str
    ports: dict[str, str]

    def tied(self, *ports: str) -> str:
        """Signals at ports, without Yosys' counted numbers; a dot for one that has no name."""
        return ", ".join(_named(self.ports[port]) for port in ports if port in self.ports)


def _named(signal: str) -> str:
    """Return a signal as text that stays as it is when other parts of a design change."""
    name = _NUMBERS.sub("", signal.replace("\\", ""))
    name = re.sub(r"\$(?:auto|flatten|procmux)\S*", ".", name)
    return name if len(name) <= _LONG else f"{name[:_LONG]}..."


def cells(rtlil: str) -> dict[str, Cell]:
    """Return the cells of an RTLIL text by name."""
    out: dict[str, Cell] = {}
    name, kind, ports = "", "", {}
    for line in rtlil.splitlines():
        if found := re.match(r"  cell (\S+) (\S+)", line):
            kind, name, ports = found[1], found[2].removeprefix("\\"), {}
        elif name and (found := re.match(r"    connect \\(\S+) (.*)", line)):
            ports[found[1]] = found[2]
        elif name and line == "  end":
            out[name] = Cell(kind, ports)
            name = ""
    return out


def _key(options: dict[str, str], cell: Cell) -> str:
    port, bit, mode = options["port"].removeprefix("\\"), options["portbit"], options["mode"]
    by = f" by bit {options['ctrlbit']}" if "ctrlbit" in options else ""
    wire = ""
    if "wire" in options:
        name = _NUMBERS.sub("", options["wire"].removeprefix("\\"))
        wire = f" ({name}[{options['wirebit']}])"
    reads, drives = cell.tied("A", "B", "S", "D"), cell.tied("Y", "Q", "RD_DATA", "o")
    part = "".join(f"{name} " for name in _PART.findall(options["cell"])[-1:])
    return f"{part}{cell.kind.lstrip('$')}({reads}) to {drives}: {port}[{bit}]{wire} {mode}{by}"


def flat(folder: Path, name: str) -> Path:
    """Write NAME.flat.il, a design NAME.il as one module, without what nothing depends on."""
    run_yosys([f"read_rtlil {name}.il", f"hierarchy -top {name}", *FLAT,
               f"write_rtlil {name}.flat.il"], cwd=folder, name=f"{name}.flat")  # fmt: skip
    return folder / f"{name}.flat.il"


def faults(folder: Path, name: str, count: int) -> list[Fault]:
    """Return faults of NAME.flat.il, ``count`` but for those of clock pins."""
    assert count < 1 << BITS, "the select port has too few bits"
    known = cells((folder / f"{name}.flat.il").read_text(encoding="utf-8"))
    run_yosys(
        [
            f"read_rtlil {name}.flat.il",
            "select t:* t:$meminit* %d",
            f"mutate -list {count} -seed {SEED} -ctrl mutsel {BITS} 1 -o {name}.faults",
        ],
        cwd=folder,
        name=f"{name}.list",
    )
    out = []
    for line in (folder / f"{name}.faults").read_text(encoding="utf-8").splitlines():
        options = {found[1]: found[2] for found in _OPTION.finditer(line)}
        if options["port"].endswith("CLK"):
            continue  # a switch in a clock makes a race of the copy, faults or none
        number = int(line.split(f"-ctrl mutsel {BITS} ")[1].split()[0])
        cell = known[options["cell"].removeprefix("\\")]
        out.append(Fault(number, line, _key(options, cell)))
    return out


def faulty_verilog(folder: Path, name: str, chosen: list[Fault]) -> str:
    """Return the Verilog of NAME.flat.il with faults, under the port ``mutsel``."""
    (folder / f"{name}.all.ys").write_text(
        "".join(f"{fault.command}\n" for fault in chosen), encoding="utf-8"
    )
    run_yosys(
        [
            f"read_rtlil {name}.flat.il",
            f"script {name}.all.ys",
            "opt_clean",
            f"write_rtlil {name}.faulty.il",
            f"write_verilog -sv -norename {name}.v",
        ],
        cwd=folder,
        name=f"{name}.apply",
    )
    return replicated((folder / f"{name}.v").read_text(encoding="utf-8"))
