"""Faults in the RTL that the benches must notice: ``python -m benchmarks.mutants FOLDER``.

Yosys puts small faults (an inverted, stuck or swapped bit of a cell's port) into one copy of the
core and one of the link behind its UART, all behind one select port, and each copy is compiled
once. A fault is killed where anything that a bench sees differs from the copy without a fault:
for the core every memory write, logits and cycles of whole inferences of random networks, which
without a fault equal the interpreter's; for the link every output pin and port in every cycle of
a recording of frames, whole and damaged. Of what survives a solver shows, fault by fault, that it
changes nothing; the rest has a reason, or is told as it is. All of it is a page of the docs.

The folder keeps what was made and how each fault ended: a command that is stopped goes on.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.mutation.copies import Bench, Copy, End
from benchmarks.mutation.core import core_copy
from benchmarks.mutation.link import link_copy
from benchmarks.mutation.page import page, summary, unused
from benchmarks.pages import parser
from hw.common.cli import command
from hw.common.files import write

FAULTS = {"core": 240, "link": 60}  #: Of each copy.
COPIES = {"core": core_copy, "link": link_copy}
PAGE = Path(__file__).parents[1] / "docs" / "develop"
NAME = "mutants.md"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    options = parser("benchmarks.mutants", __doc__ or "", PAGE, "page")
    options.add_argument("folder", type=Path, help="what is made and found is kept here")
    options.add_argument("--of", choices=[*FAULTS], help="one of the two copies, without a page")
    options.add_argument("--workers", type=int, default=os.cpu_count(), help="(%(default)s)")
    return options.parse_args(argv)


@command()
def main(argv: list[str] | None = None) -> int:
    """Print figures and survivors, and write or compare the page."""
    args = arguments(argv)
    folder = args.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    found: list[tuple[Copy, dict[int, End]]] = []
    for name, make in COPIES.items():
        if args.of in (None, name):
            copy = make(folder, FAULTS[name])
            found.append((copy, Bench(copy, folder, args.workers).ends()))
    for line in [*summary(found), *unused(found)]:
        print(line)
    if args.of:
        return 0
    text, path = page(found), args.output / NAME
    if not args.check:
        print(f"wrote {write(path, text)}")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{path} is not what was found; write it anew without --check")
    return 1


if __name__ == "__main__":
    sys.exit(main())
