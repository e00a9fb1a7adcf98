"""What the commands that write pages of the docs have in common."""

import argparse
from pathlib import Path

from hw.common.cli import prog

CHOOSE = "choose a folder with --output"  #: What to do where a page cannot be written.


def parser(module: str, description: str, folder: Path, what: str) -> argparse.ArgumentParser:
    """Return the options of a command that writes ``what`` into ``folder``, or compares it."""
    p = argparse.ArgumentParser(prog=prog(module), description=description)
    p.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    shown = f"docs/{folder.name}"
    p.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=folder,
        help=f"folder of the {what} (default: {shown})",
    )
    return p
