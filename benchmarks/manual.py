"""The reference manual: ``python -m benchmarks.manual`` writes ``docs/reference`` from ``hw.arch``.

Each module of ``hw.arch`` has a page: its docstring, a section for each enumeration and each data
class, a table of its constants, and its functions. What more a page shows (bits of instruction
words, bytes of frames) stands in ``EXTRAS``; what a module holds is found by ``benchmarks.facts``.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import facts
from benchmarks import pages as options
from benchmarks.facts import table
from hw.arch import config, isa, link, memmap, timing
from hw.arch.config import Config
from hw.arch.isa import Dest, Op
from hw.common import files
from hw.common.cli import command
from hw.common.errors import SpikeloomError

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
COMMAND = "python -m benchmarks.manual"
NOTE = f"<!-- Made by `{COMMAND}`; change hw/arch, not this file. -->"


def bits(low: int, width: int) -> str:
    """Return a bit range, high bit first."""
    return str(low) if width == 1 else f"{low + width - 1}:{low}"


def isa_words() -> list[str]:
    """Return the loop levels and the fields of every word of an instruction."""
    levels = ", ".join(f"`{level}`" for level in isa.LEVELS)
    out = ["## Loop levels", "", f"From inner to outer: {levels}.", "", "## Fields", ""]
    out += [
        f"An instruction has {isa.NI} words of 32 bits. Words {isa.LATE_WORD} to {isa.NI - 1} are "
        "used at the lanes and at write-back, and constant until the pipeline has drained. "
        "Deltas are signed; bits that no field has are 0.",
        "",
    ]
    for word in range(isa.NI):
        fields = [f for f in isa.FIELDS if f.word == word]
        both = (f for f in (*fields, *isa.OVERLAYS) if f.word == word)
        rows = [
            (
                bits(f.low, f.bits),
                f"`{f.name}`",
                "signed" if f.signed else "",
                f.doc if f.only is None else f"{f.only.name}, in place of `{f.over}`: {f.doc}",
            )
            for f in sorted(both, key=lambda f: (f.low, bool(f.over)))
        ]
        used = sum(f.bits for f in fields)
        if used < 32:
            rows.append((bits(used, 32 - used), "", "", "unused"))
        late = ", late" if word >= isa.LATE_WORD else ""
        out += [f"### Word {word}{late}", "", *table(("bits", "field", "", "meaning"), rows)]
    return out


def load_addresses() -> list[str]:
    """Return the parts of a load port address, and where each memory begins."""
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
    rows = [(f"`{m.name}`", f"{memmap.load_addr(m, 0):#010x}") for m in memmap.Mem]
    return [
        *["## Address", "", *table(("bits", "holds"), places)],
        *["## First addresses", "", *table(("memory", "first address"), rows)],
    ]


def identity_rows() -> list[tuple[int, int, str]]:
    """Return (first byte, bytes, name) of everything in the payload that IDENTIFY answers."""
    kinds = {"s": 1, "H": 2, "I": 4}
    sizes = [link.SESSION.size]
    for count, kind in re.findall(r"(\d*)([sHI])", link._IDENTITY.format):
        n = int(count or 1)
        sizes += [n] if kind == "s" else [kinds[kind]] * n
    names = ["session", "MAGIC", "VERSION", "MAX_PAYLOAD", "digest", "clock", "queue", "rates"]
    rows, at = [], 0
    for size, name in zip(sizes, [*names, *Config().as_dict()], strict=True):
        rows.append((at, size, name))
        at += size
    return rows


def frames() -> list[str]:
    """Return the bytes of IDENTIFY's answer, and some whole frames."""
    session, begin = link.SESSION.pack(0x7E01), link.START_REQUEST.pack(1, 0)
    busy = link.REFUSAL.pack(link.Reason.BUSY, 2)
    examples = [
        ("IDENTIFY, session 0x7e01", link.frame(link.Command.IDENTIFY, 0, 0, session)),
        ("START, run 1, no limit", link.frame(link.Command.START, 1, 1, begin)),
        ("its reply", link.frame(link.REPLY | link.Command.START, 1, 1)),
        ("refused, the core is busy, 2 is due", link.frame(link.NAK, 2, 2, busy)),
    ]
    said = {"MAGIC": f"`{link.MAGIC!r}`"} | facts.comments(link) | facts.comments(config.Config)
    said |= facts.comments(link.Identity) | {"session": "The session before, 0 if there was none."}
    said["rates"] += " Bit n stands for RATES[n]."
    rows = [(at, size, f"`{name}`", said[name]) for at, size, name in identity_rows()]
    return [
        "## Identity, byte by byte",
        "",
        *table(("byte", "bytes", "name", "meaning"), rows),
        "## Frames, byte by byte",
        "",
        *table(("frame", "bytes"), [(what, f"`{data.hex(' ')}`") for what, data in examples]),
    ]


def by_size() -> list[str]:
    """Return the distances that depend on a core's sizes, for every size there is."""
    rows = []
    for n_rows in (4, 8, 16):
        for cols in (8, 16, 32, 64):
            try:
                c = Config(rows=n_rows, cols=cols, width=max(32, cols))
            except SpikeloomError:
                continue
            drains = []
            for dest in (Dest.ROW, Dest.ROW_CHANNEL):
                words = timing.encode(c, Op.GEMM, dest=dest, n_k=1, n_dx=1, n_dy=1)
                drains.append(isa.decode(words).drain)
            pix = timing.encode(c, Op.MAC, dest=Dest.PIX, n_k=1, n_dx=1, n_dy=1)
            outside = (timing.stop_cycles(c), timing.peek_cycles(c))
            drain = (*drains, isa.decode(pix).drain)
            rows.append((n_rows, cols, timing.write_cycle(c), *drain, *outside))
    names = ("`write_cycle`", "drain to ROW", "to ROW_CHANNEL", "to PIX")
    names = (*names, "`stop_cycles`", "`peek_cycles`")
    return ["## By size", "", *table(("rows", "cols", *names), rows)]


#: Module -> what its page shows beside what is found in it.
EXTRAS: dict[str, Callable[[], list[str]]] = {
    "isa": isa_words,
    "memmap": load_addresses,
    "link": frames,
    "timing": by_size,
}


def page(name: str) -> list[str]:
    """Return the page of a module of ``hw.arch`` as lines, the title first."""
    module = facts.modules()[name]
    title = re.split(r"[.:,]", facts.summary(module.__doc__))[0]
    out = [f"# {title}", "", NOTE, "", *facts.prose(module.__doc__)]
    for kind in facts.enums(module):
        out += facts.enum_section(kind)
    for kind in facts.records(module):
        out += facts.record_section(kind)
    if rows := facts.constant_table(module):
        out += ["## Constants", "", *rows]
    if name in EXTRAS:
        out += EXTRAS[name]()
    return out + facts.function_section(module)


def pages() -> dict[str, str]:
    """Return file name -> text of the whole manual."""
    out = {}
    for name in facts.modules():
        text = "\n".join(page(name))
        out[f"{name}.md"] = text.replace("``", "`").rstrip("\n") + "\n"
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
    args = options.parser(
        "benchmarks.manual", "Write the reference manual.", FOLDER, "pages"
    ).parse_args(argv)
    if args.check:
        found = differences(args.output)
        for line in found:
            print(f"error: {line}; run {COMMAND}", file=sys.stderr)
        return int(bool(found))
    made = pages()
    for name, text in made.items():
        files.write(args.output / name, text, options.CHOOSE)
    print(f"{len(made)} pages in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
