"""The reference manual: ``python -m hw.arch.manual`` writes ``docs/reference`` from this package.

Nothing is said twice: values come from the modules, words from their docstrings and from the
``#:`` comments beside constants, enumeration members and fields.
"""

import argparse
import ast
import enum
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from hw.arch import config, formats, isa, link, memmap, timing
from hw.arch.config import Config
from hw.arch.isa import Op
from hw.common import files
from hw.common.cli import command
from hw.common.errors import SpikeloomError

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
COMMAND = "python -m hw.arch.manual"
NOTE = f"<!-- Made by `{COMMAND}`; change hw/arch, not this file. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table as lines."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows), ""]


def prose(text: str | None) -> list[str]:
    """Return a docstring as Markdown lines; ``::`` blocks are indented already."""
    out = inspect.cleandoc(text or "").replace("``", "`")
    return [*re.sub(r"::$", ":", out, flags=re.MULTILINE).splitlines(), ""]


def comments(where: ModuleType | type) -> dict[str, str]:
    """Return name -> ``#:`` comment of the assignments of a module or class."""
    found = {}
    for line in inspect.getsource(where).splitlines():
        if match := re.match(r"\s*(\w+)(?:: \w+)?(?: = .*?)?  #: (.*)", line):
            found[match[1]] = match[2].replace("``", "`")
    return found


def constants(module: ModuleType) -> list[str]:
    """Return the table of a module's numbers; where nothing is said, the expression says it."""
    said, rows = comments(module), []
    for node in ast.parse(inspect.getsource(module)).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(target, ast.Name) or target.id.startswith("_"):
            continue
        name, value = target.id, getattr(module, target.id)
        if isinstance(value, int | bytes) or (isinstance(value, tuple) and name in said):
            assert isinstance(node, ast.Assign)
            meaning = said.get(name) or f"`{ast.unparse(node.value)}`"
            rows.append((f"`{name}`", shown(name, value), meaning))
    return table(("name", "value", "meaning"), rows)


def shown(name: str, value: object) -> str:
    """Return a constant's value as a person writes it."""
    if name in ("SYNC", "REPLY", "NAK") and isinstance(value, int):
        return f"{value:#04x}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value) if isinstance(value, int) else f"`{value!r}`"


def members(kind: type[enum.IntEnum]) -> list[str]:
    """Return the section of an enumeration."""
    said = comments(kind)
    rows = [(int(m), f"`{m.name}`", said.get(m.name, "")) for m in kind]
    head = ("value", "name", "meaning") if said else ("value", "name", "")
    return [f"## {kind.__name__}", "", *prose(kind.__doc__), *table(head, rows)]


def bits(low: int, width: int) -> str:
    """Return a bit range, high bit first."""
    return str(low) if width == 1 else f"{low + width - 1}:{low}"


def isa_page() -> list[str]:
    """Return the page of instructions."""
    out = ["# Instruction set", "", *prose(isa.__doc__)]
    out += [
        f"An instruction has {isa.NI} words of 32 bits. Words {isa.LATE_WORD} to {isa.NI - 1} are "
        "used at the lanes and at write-back, and fetched only after the pipeline has drained. "
        "Deltas are signed; bits that no field has are 0.",
        "",
    ]
    for kind in (isa.Op, isa.Dest, isa.Pack, isa.Res, isa.Mod, isa.Step):
        out += members(kind)
    levels = ", ".join(f"`{level}`" for level in isa.LEVELS)
    out += ["## Loop levels", "", f"From inner to outer: {levels}.", ""]
    out += ["## Fields", ""]
    for word in range(isa.NI):
        fields = [f for f in isa.FIELDS if f.word == word]
        shown = sorted(
            (f for f in (*fields, *isa.OVERLAYS) if f.word == word),
            key=lambda f: (f.low, bool(f.over)),
        )
        rows = [
            (
                bits(f.low, f.bits),
                f"`{f.name}`",
                "signed" if f.signed else "",
                f.doc if f.only is None else f"{f.only.name}, in place of `{f.over}`: {f.doc}",
            )
            for f in shown
        ]
        used = sum(f.bits for f in fields)
        if used < 32:
            rows.append((bits(used, 32 - used), "", "", "unused"))
        late = ", late" if word >= isa.LATE_WORD else ""
        out += [f"### Word {word}{late}", "", *table(("bits", "field", "", "meaning"), rows)]
    return out


def memmap_page() -> list[str]:
    """Return the page of the load port."""
    said = comments(memmap.Mem)
    rows = [
        (int(m), f"`{m.name}`", f"{memmap.load_addr(m, 0):#010x}", said[m.name]) for m in memmap.Mem
    ]
    places = []
    for name, one, full in (
        ("word", {"word": 1}, {"word": 0xFFFF}),
        ("part", {"word": 0, "part": 1}, {"word": 0, "part": 15}),
        ("bank", {"word": 0, "bank": 1}, {"word": 0, "bank": 127}),
    ):
        first = memmap.load_addr(memmap.Mem.PROG, **one)
        last = memmap.load_addr(memmap.Mem.PROG, **full)
        low = first.bit_length() - 1
        places.append((bits(low, last.bit_length() - low), name))
    return [
        "# Memory map of the load port",
        "",
        *prose(memmap.__doc__),
        "## Address",
        "",
        *table(("bits", "holds"), places),
        "## Memories",
        "",
        *table(("memory", "name", "first address", "words"), rows),
    ]


def config_page() -> list[str]:
    """Return the page of a core's sizes."""
    said, default = comments(Config), Config()
    rows = [(f"`{name}`", value, said[name]) for name, value in default.as_dict().items()]
    return [
        "# Core configuration",
        "",
        *prose(config.__doc__),
        *prose(Config.__doc__),
        *table(("field", "default", "meaning"), rows),
        "A board's own is in `boards/`; `boards.get(NAME).config` is it.",
        "",
    ]


def identity_rows() -> list[tuple[int, int, str]]:
    """Return (first byte, bytes, name) of everything in the payload that IDENTIFY answers."""
    kinds = {"s": 1, "H": 2, "I": 4}
    sizes = []
    for count, kind in re.findall(r"(\d*)([sHI])", link._IDENTITY.format):
        n = int(count or 1)
        sizes += [n] if kind == "s" else [kinds[kind]] * n
    names = ["MAGIC", "VERSION", "MAX_PAYLOAD", "digest", "clock", *Config().as_dict()]
    rows, at = [], 0
    for size, name in zip(sizes, names, strict=True):
        rows.append((at, size, name))
        at += size
    return rows


def link_page() -> list[str]:
    """Return the page of link packets."""
    examples = [
        ("IDENTIFY, tag 0", link.frame(link.Command.IDENTIFY, 0)),
        ("START, tag 1", link.frame(link.Command.START, 1)),
        ("its reply", link.frame(link.REPLY | link.Command.START, 1)),
        ("refused, the core is busy", link.frame(link.NAK, 1, bytes([link.Reason.BUSY]))),
    ]
    said = {"MAGIC": f"`{link.MAGIC!r}`"} | comments(link) | comments(Config)
    said |= comments(link.Identity)
    rows = [(at, size, f"`{name}`", said[name]) for at, size, name in identity_rows()]
    return [
        "# Link packets",
        "",
        *prose(link.__doc__),
        *members(link.Command),
        *members(link.Reason),
        "## Identity",
        "",
        *prose(link.Identity.__doc__),
        *table(("byte", "bytes", "name", "meaning"), rows),
        "## Constants",
        "",
        *constants(link),
        "## Frames, byte by byte",
        "",
        *table(("frame", "bytes"), [(what, f"`{data.hex(' ')}`") for what, data in examples]),
    ]


def formats_page() -> list[str]:
    """Return the page of number formats."""
    return ["# Number formats", "", *prose(formats.__doc__), *constants(formats)]


def timing_page() -> list[str]:
    """Return the page of distances and overheads."""
    rows = []
    for n_rows in (4, 8, 16):
        for cols in (8, 16, 32, 64):
            try:
                c = Config(rows=n_rows, cols=cols, width=max(32, cols))
            except SpikeloomError:
                continue
            rows.append(
                (
                    n_rows,
                    cols,
                    timing.write_cycle(c),
                    timing.drain_cycles(c),
                    timing.overhead(c, isa.Instruction(op=Op.GEMM)),
                )
            )
    names = ("write_cycle", "drain_cycles", "overhead")
    return [
        "# Timing",
        "",
        *prose(timing.__doc__),
        "## Distances",
        "",
        *constants(timing),
        "## By size",
        "",
        *[f"* `{name}`: {(getattr(timing, name).__doc__ or '').strip()}" for name in names],
        "",
        *table(("rows", "cols", *(f"`{name}`" for name in names)), rows),
        "## Length of a program",
        "",
        *[
            f"* `{name}`: {line}"
            for name in (
                "tile_words",
                "tile_cycles",
                "column_tile",
                "column_starts",
                "issue_cycles",
                "program_cycles",
            )
            for line in [" ".join(inspect.cleandoc(getattr(timing, name).__doc__ or "").split())]
        ],
        "",
    ]


PAGES = {
    "isa.md": isa_page,
    "memmap.md": memmap_page,
    "link.md": link_page,
    "formats.md": formats_page,
    "timing.md": timing_page,
    "config.md": config_page,
}


def pages() -> dict[str, str]:
    """Return file name -> text of the whole manual."""
    out = {}
    for name, make in PAGES.items():
        title, *rest = make()
        text = "\n".join([title, "", NOTE, *rest])
        out[name] = text.replace("``", "`").rstrip("\n") + "\n"
    rows = [
        (f"[{name}]({name})", text.splitlines()[0].removeprefix("# ")) for name, text in out.items()
    ]
    index = ["# Reference", "", NOTE, "", *table(("page", "holds"), rows)]
    return {"README.md": "\n".join(index).rstrip("\n") + "\n", **out}


def differences(folder: Path) -> list[str]:
    """Return what is missing, changed or foreign in ``folder``, in words."""
    want = pages()
    have = {p.name: p for p in folder.glob("*.md")} if folder.is_dir() else {}
    out = [f"{folder / n} does not belong to the manual" for n in sorted(have.keys() - want.keys())]
    for name, text in want.items():
        if name not in have:
            out.append(f"{folder / name} is missing")
        elif have[name].read_text(encoding="utf-8") != text:
            out.append(f"{folder / name} differs from hw/arch")
    return out


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Write the manual, or compare it; 0, or 1 where it differs or cannot be written."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write the reference manual.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=FOLDER,
        help="folder of the pages (default: docs/reference)",
    )
    args = parser.parse_args(argv)
    if args.check:
        found = differences(args.output)
        for line in found:
            print(f"error: {line}; run {COMMAND}", file=sys.stderr)
        return int(bool(found))
    for name, text in pages().items():
        files.write(args.output / name, text, "choose a folder with --output")
    print(f"{len(PAGES) + 1} pages in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
