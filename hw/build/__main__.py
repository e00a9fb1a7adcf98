"""``python -m hw.build``: the command line of ``hw.build.build``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import boards
from hw.build import NAMES, build, default_folder, listing
from hw.build.pipeline import Event
from hw.build.program import program
from hw.common.cli import command, prog
from hw.tools import loader
from sw.frontend.loader import DEFAULT


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=prog("hw.build"),
        description="Build a trained network for a board: RTL, netlist, bitstream, report.",
    )
    p.add_argument("--board", help=f"one of: {', '.join(boards.NAMES)}")
    p.add_argument(
        "--list-boards",
        action="store_true",
        help="print each board's part, clock and budget, how far a build goes here, the largest "
        "shipped network that its core holds, and its latency",
    )
    p.add_argument("--model", default=DEFAULT, help="shipped name or file (default: %(default)s)")
    p.add_argument(
        "--stream",
        action="store_true",
        help="one call per step, membranes in memory between calls: for event streams",
    )
    p.add_argument(
        "--config",
        metavar="K=V,...",
        default="",
        help="what differs from the board's core, e.g. rows=8,col_depth=2048",
    )
    p.add_argument(
        "--fit", action="store_true", help="make the memories as deep as the network needs"
    )
    p.add_argument("--clock", metavar="MHZ", help="clock of the core (default: the board's)")
    p.add_argument(
        "--outside",
        choices=("sdram", "flash"),
        help="memory outside of a core with a mover (default: the board's first)",
    )
    p.add_argument(
        "--output", metavar="DIR", help="folder of the results (default: build/BOARD/MODEL)"
    )
    p.add_argument(
        "--from",
        dest="first",
        metavar="STEP",
        choices=NAMES,
        help="run again from this step on, even if nothing has changed",
    )
    p.add_argument(
        "--to",
        dest="last",
        metavar="STEP",
        choices=NAMES,
        help=f"end after this step; steps: {', '.join(NAMES)}",
    )
    p.add_argument(
        "--program",
        action="store_true",
        help="load the bitstream into the board that is plugged in, with openFPGALoader",
    )
    return p


class _Progress:
    """One line for each step; on a terminal with a spinner while it runs."""

    def __init__(self, console: Console):
        self.console = console
        self.status = console.status("")
        self.ran = 0  # steps that did something

    def __call__(self, event: Event) -> None:
        place = f"[{NAMES.index(event.step) + 1:>2}/{len(NAMES)}] {event.step:<10}"
        if event.state == "start":
            self.status.update(f"{event.step}: {event.text}")
            self.status.start()
            return
        if event.state == "note":
            text = f"        {event.text}"
        else:
            self.status.stop()
            ending = {"fresh": "up to date", "skipped": "skipped"}.get(
                event.state, f"{event.seconds:.1f} s"
            )
            self.ran += event.state == "done"
            text = f"{place} {event.text}: {ending}"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


@command("interrupted; the same command goes on from here")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake of the user, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    if args.list_boards:
        print(listing.text(), end="")
        return 0
    if args.board is None:
        _parser().error("the following arguments are required: --board")
    if args.first and args.last and NAMES.index(args.first) > NAMES.index(args.last):
        _parser().error(f"--from {args.first} comes after --to {args.last}")
    if args.program and args.last not in (None, "pack", "report", "page"):
        _parser().error(f"--program needs the bitstream, but --to {args.last} ends before it")
    if args.program:  # what is missing is told before a build of minutes
        board = boards.get(args.board)
        loader.ready(board.title, board.loader)
    progress = _Progress(Console())
    try:
        build(
            args.board,
            args.model,
            args.output,
            first=args.first,
            last=args.last,
            tell=progress,
            stream=args.stream,
            config=args.config,
            fit=args.fit,
            clock=args.clock,
            outside=args.outside,
        )
    finally:
        progress.status.stop()
    folder = Path(args.output) if args.output else default_folder(args.board, args.model)
    if not progress.ran:
        print("nothing to do: every step is up to date")
    if args.last in (None, "report", "page"):
        print((folder / "report.txt").read_text(encoding="utf-8"), end="")
    print(f"results: {folder}")
    if args.program:
        print(program(boards.get(args.board), folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
