"""A design as AND gates, inverters and registers: two of its copies beside each other.

Memories and popcounts are cut: what they read is an input that both copies share, what they are
given an output. As long as no output has differed, what a memory holds is the same in both: so
two copies whose outputs never differ with any inputs at all are equivalent.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from hw.tools.yosys import run_yosys

_ADDED = 10_000  #: First number of an added port.


def cut(rtlil: str) -> str:
    """Return RTLIL text in which memories and popcounts are ports."""
    out: list[str] = []
    lines = iter(rtlil.splitlines())
    ports = 0
    for line in lines:
        found = re.match(r"  cell (\$mem_v2|\S*countones\S*) ", line)
        if not found:
            out.append(line)
            continue
        values: dict[str, str] = {}
        for inner in lines:
            if inner == "  end":
                break
            one = re.match(r"    (?:parameter|connect) (?:signed )?\\(\S+) (.*)", inner)
            if one:
                values[one[1]] = one[2]
        for port, (bits, read) in _sizes(found[1], values).items():
            name = f"\\cut_{ports}_{port}"
            way, (to, by) = ("input", (values[port], name)) if read else (
                "output", (name, values[port]))  # fmt: skip
            ports += 1
            out.append(f"  wire width {bits} {way} {_ADDED + ports} {name}")
            out.append(f"  connect {to} {by}")
    return "\n".join(out) + "\n"


def _sizes(kind: str, values: dict[str, str]) -> dict[str, tuple[int, bool]]:
    """Bits of a cell's ports, and whether it drives them."""
    width = int(values["WIDTH"])
    if kind != "$mem_v2":
        return {"a": (width, False), "o": (width.bit_length(), True)}
    reads, writes, bits = (int(values[n]) for n in ("RD_PORTS", "WR_PORTS", "ABITS"))
    return {
        "RD_ADDR": (reads * bits, False),
        "RD_EN": (reads, False),
        "RD_DATA": (reads * width, True),
        "WR_ADDR": (writes * bits, False),
        "WR_EN": (writes * width, False),
        "WR_DATA": (writes * width, False),
    }


@dataclass(frozen=True)
class Gates:
    """AND gates over literals (2 n + 1: the inverse of variable n; 0 and 1 are constants)."""

    inputs: list[int]
    latches: list[tuple[int, int]]  #: Variable's literal, literal of its next value; 0 at first.
    outputs: list[int]
    ands: list[tuple[int, int, int]]  #: Literal, and those of its two inputs, in order.
    select: list[int]  #: Literals of the select port's bits.
    names: dict[str, int]  #: Literals of registers' bits by name, as "part.signal[3]".


def gates(folder: Path, name: str) -> Gates:
    """Return the gates of NAME.faulty.il, a design with a port ``mutsel``."""
    text = (folder / f"{name}.faulty.il").read_text(encoding="utf-8")
    (folder / f"{name}.cut.il").write_text(cut(text), encoding="utf-8")
    run_yosys(
        [f"read_rtlil {name}.cut.il", f"hierarchy -top {name}", "opt_clean", "techmap",
         "simplemap", "dffunmap", "techmap", "simplemap", "setundef -undriven -zero",
         "setundef -zero -init", "aigmap",
         f"write_aiger -ascii -zinit -symbols {name}.aag"], cwd=folder, name=f"{name}.gates",
    )  # fmt: skip
    return read_aiger((folder / f"{name}.aag").read_text(encoding="utf-8"))


def read_aiger(text: str) -> Gates:
    """Read the ASCII form of AIGER."""
    lines = text.splitlines()
    _, n_in, n_latch, n_out, n_and = (int(v) for v in lines[0].split()[1:6])
    rows = [
        [int(v) for v in line.split()] for line in lines[1 : 1 + n_in + n_latch + n_out + n_and]
    ]
    inputs = [row[0] for row in rows[:n_in]]
    latches = rows[n_in : n_in + n_latch]
    assert all(len(row) == 2 or row[2] == 0 for row in latches)
    select: dict[int, int] = {}
    names: dict[str, int] = {}
    for line in lines[1 + len(rows) :]:
        if found := re.match(r"i(\d+) mutsel(?:\[(\d+)\])?$", line):
            select[int(found[2] or 0)] = inputs[int(found[1])]
        elif found := re.match(r"l(\d+) (\S+)$", line):
            names[re.sub(r"\$\d+", "", found[2])] = latches[int(found[1])][0]
    return Gates(
        inputs,
        [(row[0], row[1]) for row in latches],
        [row[0] for row in rows[n_in + n_latch : n_in + n_latch + n_out]],
        [(row[0], row[1], row[2]) for row in rows[n_in + n_latch + n_out :]],
        [select[bit] for bit in sorted(select)],
        names,
    )
