"""Target families: all that a build must know of an FPGA family, one module each."""

from boards import Board
from hw.common.errors import SpikeloomError
from hw.targets.ecp5 import Ecp5
from hw.targets.target import Target, check_entry
from hw.targets.xc7 import Xc7

__all__ = ["TARGETS", "Target", "of"]

#: By the name that a die tells (``boards.dies``).
TARGETS: dict[str, type[Target]] = {"ecp5": Ecp5, "xc7": Xc7}


def of(board: Board) -> Target:
    """Return the target of a board's family.

    SpikeloomError where the table has none, or where any entry of it lacks a step.
    """
    for family, target in TARGETS.items():
        check_entry(family, target)
    if board.family not in TARGETS:
        raise SpikeloomError(
            f"board {board.name}: its part {board.part} is of the unknown target family "
            f"{board.family!r}; known families: {', '.join(TARGETS)}"
        )
    return TARGETS[board.family](board)
