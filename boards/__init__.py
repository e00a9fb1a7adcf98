"""Boards: the part, the clock, and the core that fits. One thin file each, found by itself.

A board is a file ``boards/NAME.py`` with a ``BOARD`` of that name; there is no list to edit.
"""

import functools
import importlib
import pkgutil
from typing import Any

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
from boards.board import Board
from hw.common.errors import SpikeloomError

__all__ = ["NAMES", "Board", "get", "read", "table"]

#: Modules of this package that are no boards.
HELPERS = ("board", "dies", "memory", "platform", "platforms")
NAMES: tuple[str, ...]  #: Of all boards, in order of the alphabet; made on demand.


def get(name: str) -> Board:
    """Return the board called ``name``; SpikeloomError lists the known ones."""
    if name not in table():
        raise SpikeloomError(f"unknown board {name!r}; known boards: {', '.join(table())}")
    return table()[name]


@functools.cache
def table() -> dict[str, Board]:
    """Return all boards by name."""
    return read(__name__)


def read(package: str) -> dict[str, Board]:
    """Return the boards of a package's files, by name, in order of the alphabet.

    SpikeloomError names a file that has no ``BOARD``, or one of another name than its own.
    """
    path = importlib.import_module(package).__path__
    names = sorted(m.name for m in pkgutil.iter_modules(path) if m.name not in HELPERS)
    found = {}
    for name in names:
        file = f"{package.replace('.', '/')}/{name}.py"
        board = getattr(importlib.import_module(f"{package}.{name}"), "BOARD", None)
        if not isinstance(board, Board):
            raise SpikeloomError(
                f"{file}: holds no BOARD that is a boards.Board; give it one, or move the file "
                "elsewhere"
            )
        if board.name in names and board.name != name:
            raise SpikeloomError(
                f"{file}: its BOARD has the name of another file's, {board.name!r}; a board has "
                "the name of its file"
            )
        if board.name != name:
            raise SpikeloomError(
                f"{file}: its BOARD is called {board.name!r}; a board has the name of its file"
            )
        found[name] = board
    return found


def __getattr__(name: str) -> Any:
    if name == "NAMES":
        return tuple(table())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
