"""Which instruction fields random networks draw, and over which values.

``python -m benchmarks.fields`` compiles the networks that tests/compiler/test_ranges.py compares
with the golden model, and prints a table of Markdown, which docs/develop/fields.md keeps.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from tqdm import tqdm

from hw.arch import isa
from hw.arch.config import Config
from hw.common.cli import command
from hw.common.files import write
from sw.api import IntegerNetwork
from sw.compiler import Program, compile_network, fit_config
from sw.testing import random_core, random_wide_network

NETWORKS = 500  #: Of the property test.
FEW = 5  #: Bits up to which every value is told.


def compiled(seed: int) -> tuple[IntegerNetwork, Program]:
    """Return a random network and its program for a random core, made as deep as it needs."""
    network = random_wide_network(seed)
    return network, compile_network(network, fit_config(network, random_core(seed)))


def programs(count: int) -> Iterable[Program]:
    """Compile the first ``count`` random networks."""
    for seed in tqdm(range(count), desc="networks", disable=None):
        yield compiled(seed)[1]


def values(found: Iterable[Program]) -> tuple[dict[str, Counter], Counter]:
    """How often each field (of instructions that have it) has each value; and each core."""
    fields = {name: Counter() for name in isa.BY_NAME}
    cores: Counter = Counter()
    for program in found:
        c: Config = program.config
        cores[c.rows, c.cols, c.width] += 1
        for instruction in program.instructions():
            for name, field in isa.BY_NAME.items():
                if field.only in (None, instruction.op):
                    fields[name][getattr(instruction, name)] += 1
    return fields, cores


def ranges(numbers: Iterable[int]) -> str:
    """Return whole numbers as text, neighbours joined: 0 to 3, 7."""
    out: list[list[int]] = []
    for n in sorted(numbers):
        if out and n == out[-1][1] + 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ", ".join(
        str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a} to {b}" for a, b in out
    )


def drawn(field: isa.Field, seen: Counter) -> str:
    """Return the values of a field in words."""
    if field.bits <= FEW:
        return ranges(seen)
    if not seen:
        return "none"
    return f"{len(seen)} values, {min(seen)} to {max(seen)}"


def page(count: int, fields: dict[str, Counter], cores: Counter) -> str:
    """Return the table as Markdown."""
    lines = [
        "# What random networks draw",
        "",
        f"Made by `python -m benchmarks.fields --output docs/develop/fields.md` from the {count} "
        "random networks that `tests/compiler/test_ranges.py` compares, on random cores, with the "
        "golden model: every logit and the cycles. For fields of few bits all values that came, "
        "for others how many, and from where to where. What is not drawn there no compiler emits: "
        "numbers without a name in their enum, parts of a word that no width divides it into, "
        "addresses and counts of larger memories than these small networks need.",
        "",
        "| cores (rows x columns x width) | networks |",
        "|---|---|",
        *(f"| {r} x {c} x {w} | {n} |" for (r, c, w), n in sorted(cores.items())),
        "",
        "| field | holds | drawn | meaning |",
        "|---|---|---|---|",
    ]
    for f in (*isa.FIELDS, *isa.OVERLAYS):
        lines.append(
            f"| `{f.name}` | {f.least} to {f.most} | {drawn(f, fields[f.name])} | "
            f"{f.doc.replace('|', '/')} |"
        )
    return "\n".join(lines) + "\n"


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print or write the table."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.fields", description=(__doc__ or "").split("\n")[0]
    )
    p.add_argument("--networks", type=int, default=NETWORKS, help="default: %(default)s")
    p.add_argument("--output", metavar="FILE", help="write the table there (default: print it)")
    args = p.parse_args(argv)
    text = page(args.networks, *values(programs(args.networks)))
    if args.output:
        print(write(args.output, text))
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
