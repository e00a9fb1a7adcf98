"""Boards: the part, its budget and clock, and the core that fits it. One thin file each.

Pins come from amaranth-boards and are looked at only by ``hw.build``.
"""

import importlib
from dataclasses import dataclass, field
from typing import Any

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
from hw.arch import Config, SpikeloomError

NAMES = ("arty_a7", "arty_a7_100", "ulx3s")


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board.

    ``core_clock`` is made from ``clock`` by the part's PLL with its oscillator at ``vco``; all in
    Hz, whole ratios. ``resources`` is the part's budget by the names of ``hw.tools.netlist``.
    """

    name: str
    title: str
    family: str  #: 'xc7' or 'ecp5'.
    part: str
    clock: int
    vco: int
    core_clock: int
    config: Config
    platform: str  #: Class of amaranth-boards, ``module:name``.
    clock_resource: str
    reset_resource: str | None
    resources: dict[str, int] = field(hash=False)
    loader: str = ""  #: openFPGALoader's name of the board.
    database: str = ""  #: Chip database of the open 7-series flow.

    def __post_init__(self) -> None:
        for name, top, bottom in (
            ("vco / core_clock", self.vco, self.core_clock),
            ("vco / clock", self.vco, self.clock),
        ):
            if top % bottom:
                raise SpikeloomError(f"board {self.name}: {name} = {top} / {bottom} is not whole")

    def make_platform(self, base: type | None = None) -> Any:
        """Return the amaranth-boards platform, as a subclass that has ``base`` first."""
        module, name = self.platform.split(":")
        try:
            found = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)
        except ImportError as e:
            raise SpikeloomError(
                f"board {self.name}: amaranth-boards is not installed ({e}); "
                f"pip install amaranth-boards"
            ) from None
        return type(name, (base, found) if base else (found,), {})()


def get(name: str) -> Board:
    """Return the board called ``name``; SpikeloomError lists the known ones."""
    if name not in NAMES:
        raise SpikeloomError(f"unknown board {name!r}; known boards: {', '.join(NAMES)}")
    return importlib.import_module(f"boards.{name}").BOARD
