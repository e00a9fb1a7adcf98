"""From a finished build into the board that is plugged in."""

import json
from pathlib import Path

from boards import Board
from hw.common.errors import SpikeloomError
from hw.tools import loader

BITSTREAM = "top.bit"


def program(board: Board, folder: Path) -> str:
    """Load the bitstream of a build into its board; return what was done, as a sentence.

    SpikeloomError where the build made none, or where tool, library, cable or board is missing.
    """
    if not (folder / BITSTREAM).is_file():
        raise SpikeloomError(
            f"{folder} holds no bitstream to program: {_why(folder)}; what makes one is told in "
            "docs/use/on-your-board.md"
        )
    loader.program(board.title, board.loader, folder, BITSTREAM)
    return (
        f"{board.title} is programmed, until its power goes; ask it what it is: "
        "python -m sw.host list"
    )


def _why(folder: Path) -> str:
    """Why a build went without, as its step 'route' has it."""
    try:
        reason = json.loads((folder / "route.json").read_text(encoding="utf-8"))["reason"]
    except (OSError, ValueError, KeyError, TypeError):
        reason = None
    return reason or "the build has not come so far"
