"""Builds: from a trained network to RTL, netlist, bitstream and report for a board.

::

    from hw.build import build

    result = build("arty_a7", model="mnist-bestformer")
    result["resources"]["items"]["lut"]
"""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import boards
from hw import targets
from hw.arch.config import Config
from hw.build.pipeline import Event, Pipeline
from hw.build.steps import NAMES, STEPS, Job, board_design
from hw.common.errors import SpikeloomError
from hw.common.files import plain_name
from hw.soc.uart import rates
from sw.frontend.files import stem
from sw.frontend.loader import DEFAULT, find

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
    config: str | Config = "",
    fit: bool = False,
    clock: float | str | None = None,
    outside: str | None = None,
) -> dict[str, Any]:
    """Build a model for a board; return the report, or {} where ``last`` comes before it.

    Parameters
    ----------
    board : name of a board, or a Board.
    model : shipped name or path of a trained network.
    output : folder of the results; default ``build/<board>/<model>``. A folder holds the build of
        one model for one board; another's is refused there.
    first, last : names of steps; from ``first`` on steps run even if nothing has changed, after
        ``last`` the build ends.
    tell : is called with each Event.
    design : makes what goes between the board's UART pins from board and program.
    stream : one call per step, membranes in memory between calls; for nets that store them.
    config : another core than the board's, or what differs, ``"rows=8,col_depth=2048"``.
    fit : make the memories as deep as the network needs.
    clock : of the core in MHz; default the board's. SpikeloomError where PLL or UART cannot have
        it, with the nearest that they can.
    outside : the memory outside that a core with a mover has, 'sdram' or 'flash'; default the
        board's first.
    """
    found = board if isinstance(board, boards.Board) else boards.get(board)
    if config:
        core = config if isinstance(config, Config) else found.config.changed(config)
        found = dataclasses.replace(found, config=core)
    if outside is not None:
        found = found.having(outside)
    if clock is not None:
        found = dataclasses.replace(found, core_clock=hertz(clock))
    if output is not None and not str(output):
        raise SpikeloomError("output '' names no folder; give one with --output, or leave it out")
    folder = Path(output) if output is not None else default_folder(found.name, model)
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise SpikeloomError(f"output {folder} is a file; choose a folder with --output")
    targets.of(found).check_board()
    if design is board_design:
        rates(found.core_clock)
    job = Job(found, str(model), folder, tell, design, stream, fit)
    target = {"model": str(find(model).resolve()), "board": found.name}
    Pipeline(STEPS, folder, tell, target).run(job, first=first, last=last)
    return job.read("report.json") if last in (None, "report", "page") else {}


def hertz(mhz: float | str) -> int:
    """Return a clock in Hz; SpikeloomError where it is no number, or no whole number of Hz."""
    try:
        hz = Fraction(str(mhz)) * 1_000_000
    except (ValueError, ZeroDivisionError):
        raise SpikeloomError(f"clock {mhz!r} is no number; give it in MHz: --clock 80") from None
    if hz <= 0 or hz.denominator != 1:
        raise SpikeloomError(
            f"clock {mhz} MHz: a clock has a positive whole number of Hz; give such a one, as in "
            "--clock 80"
        )
    if hz > 10**12:
        raise SpikeloomError(f"clock {mhz} MHz is faster than any PLL; give a lower --clock")
    return int(hz)


def default_folder(board: str, model: str | Path) -> Path:
    """Return where a build of ``model`` for ``board`` goes: ``build/<board>/<model>``."""
    name = str(model) if len(Path(model).parts) == 1 else stem(Path(model))
    return Path("build") / plain_name(board) / plain_name(name)
