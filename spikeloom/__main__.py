"""``spikeloom COMMAND ...`` (or ``python -m spikeloom``): all commands under one name.

Unlike ``python -m``, the installed command never imports from the current folder.
"""

import importlib
import importlib.metadata
import sys
from collections.abc import Sequence

from hw.common.cli import command

#: Command -> module with its ``main``, and what it does.
COMMANDS = {
    "build": ("hw.build.__main__", "build a network for a board: RTL, netlist, bitstream, report"),
    "compile": ("sw.compiler.__main__", "compile a network for a core: cycles, memories, program"),
    "run": ("sim.run", "run images on the RTL of a core, checked"),
    "host": ("sw.host.__main__", "load a program into a board and classify images"),
    "train": ("sw.train.__main__", "train a network"),
    "ablation": ("sw.train.ablation", "train with parts of the method left out, and compare"),
    "agree": ("sw.agree.__main__", "how often integers and floats of a network agree"),
    "convert": ("sw.convert", "turn an authors' checkpoint into a model file, or that into NIR"),
    "data": ("sw.data.__main__", "list, fetch and prepare data sets"),
    "card": ("sim.card", "measure a shipped network and write its card"),
    "check": ("hw.tools.check_xc7", "check a 7-series netlist for the open flow"),
}


def version() -> str:
    """Return the installed version, or what to say where only a source tree is there."""
    try:
        return importlib.metadata.version("spikeloom")
    except importlib.metadata.PackageNotFoundError:
        return "(a source tree that is not installed)"


def usage() -> str:
    """Return the text of ``--help``."""
    lines = [f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: spikeloom [--help] [--version] COMMAND ...",
            "",
            "From a trained spiking network to a chip.",
            "",
            *lines,
            "",
            "spikeloom COMMAND --help tells a command's options.",
        ]
    )


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names; 2 where it names none."""
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else ""
    if first in ("-h", "--help", "help"):
        print(usage())
        return 0
    if first == "--version":
        print(f"spikeloom {version()}")
        return 0
    if first not in COMMANDS:
        said = f"no command {first!r}" if first else "a command is missing"
        print(f"{usage()}\n\nspikeloom: error: {said}", file=sys.stderr)
        return 2
    module, _ = COMMANDS[first]
    before, sys.argv = sys.argv, [f"spikeloom {first}", *words[1:]]
    try:
        return importlib.import_module(module).main()
    finally:
        sys.argv = before


if __name__ == "__main__":
    sys.exit(main())
