"""The boards, and for each what can be had: how far a build goes here, and what its core holds."""

import functools
from dataclasses import dataclass

import boards
from boards import Board
from hw import targets
from hw.arch.config import Config
from hw.build import network
from hw.common.errors import SpikeloomError
from hw.common.show import table
from sw.compiler import Program

HEAD = (
    "board",
    "part",
    "MHz",
    "LUTs",
    "block RAM",
    "DSPs",
    "goes to",
    "holds",
    "latency",
)
TEXT = (0, 1, 6, 7)  #: Columns of HEAD that are no figures.


@dataclass(frozen=True)
class Listed:
    """What is told of a board.

    Attributes
    ----------
    board : the board.
    lacking : why no bitstream can be made here; None where one can.
    network : the largest shipped network that its core holds; None where it holds none.
    latency_ms : of an image of that network, by the forecast of cycles.
    """

    board: Board
    lacking: str | None
    network: str | None
    latency_ms: float | None

    @property
    def goes_to(self) -> str:
        """The last thing that a build makes here."""
        return "bitstream" if self.lacking is None else "netlist"

    def row(self) -> tuple[object, ...]:
        """Return its line of the table."""
        budget, block = self.board.resources, self.board.die.block
        return (
            self.board.name,
            self.board.part,
            f"{self.board.core_clock / 1e6:g}",
            budget["lut"],
            f"{budget[block.resource]} {block.title}",
            budget["dsp"],
            self.goes_to,
            self.network or "none",
            "" if self.latency_ms is None else f"{self.latency_ms:.3f} ms",
        )


def listed(board: Board) -> Listed:
    """Look at one board: tools that are installed, shipped networks that its core holds."""
    held = {name: program for name, program in programs(board.config).items() if program}
    largest = max(held, key=lambda name: held[name].total_ops, default=None)
    latency = None if largest is None else 1e3 * held[largest].cycles / board.core_clock
    return Listed(board, targets.of(board).lacking(), largest, latency)


@functools.cache
def programs(config: Config) -> dict[str, Program | None]:
    """Return the shipped networks compiled for a core, by name; None where one does not fit."""
    return {name: _compiled(name, config) for name in network.names()}


def _compiled(name: str, config: Config) -> Program | None:
    try:
        return network.lowered(name).compile(config)
    except SpikeloomError:
        return None


def text() -> str:
    """Return the table of all boards, and below it why a build ends before the bitstream."""
    found = [listed(boards.get(name)) for name in boards.NAMES]
    lines = [table(HEAD, (entry.row() for entry in found), TEXT)]
    reasons = dict.fromkeys(f.lacking for f in found if f.lacking)
    for reason in reasons:
        names = ", ".join(f.board.name for f in found if f.lacking == reason)
        lines.append(f"no bitstream here for {names}: {reason}")
    return "\n".join(lines) + "\n"
