"""``spikeloom COMMAND ...`` (or ``python -m spikeloom``): all commands under one name.

Each is ``main`` of a module that can be run by ``python -m`` as well; only the one asked for is
imported. Unlike ``python -m``, the installed command never imports from the current folder.
"""

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from hw.common.cli import command
from hw.common.errors import SpikeloomError
from spikeloom import ROOT, __version__

#: Command -> module with its ``main``, and what it does. The last ones are tools of the repository,
#: which the installed package leaves out.
COMMANDS = {
    "build": ("hw.build.__main__", "build a network for a board: RTL, netlist, bitstream, report"),
    "train": ("sw.train.__main__", "train a network"),
    "run": ("sim.run", "run images on the RTL of a core, checked"),
    "compile": ("sw.compiler.__main__", "compile a network for a core: cycles, memories, program"),
    "convert": ("sw.convert", "turn an authors' checkpoint into a model file, or that into NIR"),
    "agree": ("sw.agree.__main__", "how often integers and floats of a network agree"),
    "data": ("sw.data.__main__", "list, fetch and prepare data sets"),
    "host": ("sw.host.__main__", "load a program into a board and classify images"),
    "page": ("sw.page.__main__", "write the HTML page of a build, a simulation or a network"),
    "board": ("sim.board.__main__", "simulate a board behind a serial port, for host"),
    "check": ("hw.tools.check_xc7", "check a 7-series netlist for the open flow"),
    "timing": ("hw.tools.timing_xc7", "print the longest paths of a 7-series netlist"),
    "delays": ("hw.tools.derive_xc7", "derive 7-series cell delays from Project X-Ray's files"),
    "card": ("benchmarks.card", "measure a shipped network and write its card"),
    "ablation": ("benchmarks.ablation", "train with parts of the method left out, and compare"),
    "manual": ("benchmarks.manual", "write the reference tables of the hardware"),
}
TOOLS = "benchmarks"  #: Package of the tools that only the repository has.
REPOSITORY = "https://github.com/spikeloom/spikeloom"


def _called() -> str:
    """Return what the user typed before the command's name."""
    by_module = os.path.basename(sys.argv[0]) == "__main__.py"
    return "python -m spikeloom" if by_module else "spikeloom"


def _short() -> str:
    return f"usage: {_called()} [--help] [--version] COMMAND ..."


def usage() -> str:
    """Return the text of ``--help``: a line for each command."""
    own = [f"  {name:<10}{text}" for name, (at, text) in COMMANDS.items() if not _is_tool(at)]
    tools = [f"  {name:<10}{text}" for name, (at, text) in COMMANDS.items() if _is_tool(at)]
    return "\n".join(
        [
            _short(),
            "",
            "From a trained spiking network to a chip.",
            "",
            *own,
            "",
            f"in a clone of {REPOSITORY} only:",
            *tools,
            "",
            f"{_called()} COMMAND --help tells a command's options.",
        ]
    )


def _is_tool(module: str) -> bool:
    return module.partition(".")[0] == TOOLS


def _main_of(name: str) -> Callable[[], int]:
    """Import the module of a command; return its ``main``."""
    module, _ = COMMANDS[name]
    if _is_tool(module):
        if not os.path.isfile(os.path.join(ROOT, *module.split(".")) + ".py"):
            raise SpikeloomError(
                f"{name} is a tool of the repository, which the installed package leaves out; "
                f"clone {REPOSITORY}, pip install -e '.[test]' there and run the same command"
            )
        if ROOT not in sys.path:  # an installation in place knows the shipped packages alone
            sys.path.insert(0, ROOT)
    return importlib.import_module(module).main


def _unknown(word: str) -> str:
    """Return what is wrong where ``word`` is no command, with those that are written alike."""
    if not word:
        return f"{usage()}\n\nspikeloom: error: a command is missing"
    near = difflib.get_close_matches(word, COMMANDS)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return (
        f"{_short()}\nspikeloom: error: no command {word[:40]!r}{meant or ';'} "
        f"{_called()} --help lists all"
    )


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names and return its exit status; 2 where it names none."""
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else ""
    if first in ("-h", "--help", "help"):
        print(usage())
        return 0
    if first == "--version":
        print(f"spikeloom {__version__}")
        return 0
    if first not in COMMANDS:
        print(_unknown(first), file=sys.stderr)
        return 2
    called = f"{_called()} {first}"  # which hw.common.cli.prog looks for
    before, sys.argv = sys.argv, [called, *words[1:]]
    try:
        return _main_of(first)()
    finally:
        sys.argv = before


if __name__ == "__main__":
    sys.exit(main())
