"""Builds: from a trained network to RTL, netlist, bitstream and report for a board.

::

    from hw.build import build

    result = build("arty_a7", model="mnist-bestformer")
    result["resources"]["items"]["lut"]
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boards
from hw.build.pipeline import Event, Pipeline
from hw.build.steps import NAMES, STEPS, Job, board_design
from hw.common.errors import SpikeloomError
from sw.frontend.loader import DEFAULT

__all__ = ["NAMES", "Event", "SpikeloomError", "build"]


def build(
    board: str | boards.Board,
    model: str | Path = DEFAULT,
    output: str | Path | None = None,
    *,
    first: str | None = None,
    last: str | None = None,
    tell: Callable[[Event], None] = lambda event: None,
    design: Callable[[boards.Board, Any], Any] = board_design,
    stream: bool = False,
) -> dict[str, Any]:
    """Build a model for a board; return the report, or {} where ``last`` comes before it.

    Parameters
    ----------
    board : name of a board, or a Board.
    model : shipped name or path of a trained network.
    output : folder of the results; default ``build/<board>``.
    first, last : names of steps; from ``first`` on steps run even if nothing has changed, after
        ``last`` the build ends.
    tell : is called with each Event.
    design : makes what goes between the board's UART pins from board and program.
    stream : one call per step, membranes in memory between calls; for nets that store them.
    """
    found = board if isinstance(board, boards.Board) else boards.get(board)
    folder = Path(output) if output is not None else Path("build") / found.name
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise SpikeloomError(f"output {folder} is a file; choose a folder with --output")
    job = Job(found, str(model), folder, tell, design, stream)
    Pipeline(STEPS, folder, tell).run(job, first=first, last=last)
    return job.read("report.json") if last in (None, "report") else {}
