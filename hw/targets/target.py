"""What the build must know of an FPGA family: one class of steps and facts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from amaranth import Module, Signal

from boards import Board
from hw.common.errors import SpikeloomError
from hw.tools import find
from hw.tools.netlist import Netlist


@dataclass(frozen=True)
class Pin:
    """One bit of a port on a pin, and the attributes of its buffer."""

    port: str
    pin: str
    attributes: tuple[tuple[str, str], ...]


Pins = tuple[Pin, ...]
Clocks = tuple[tuple[str, float], ...]  #: Ports and their clocks in Hz.


@dataclass(frozen=True)
class Estimate:
    """What a netlist lets one expect of the clock, before place and route."""

    fmax_mhz: float
    note: str  #: How it was found.
    path: tuple[str, ...] = ()  #: Nets of the longest path.
    path_ns: float = 0.0


@dataclass(frozen=True)
class Placed:
    """What the router reports."""

    resources: dict[str, int]
    fmax_mhz: float
    clock: str  #: The clock whose figure that is.


class Target(ABC):
    """A target family, for one board.

    ``hw.build`` calls the steps in the order in which they stand here. A step that works in a
    folder finds there the files that it names, leaves its own, and gives outside tools paths
    relative to it. SpikeloomError is the way to refuse.
    """

    #: Cells that popcounts and multipliers of the core are made of, as ``hw.core`` knows them.
    primitives: ClassVar[str] = "generic"
    #: Resources that are counted, and their titles in a report.
    titles: ClassVar[Mapping[str, str]]
    #: Outside tools of route and pack, as ``hw.tools.find`` knows them.
    tools: ClassVar[tuple[str, ...]] = ()
    #: Files of earlier steps that `route` and `pack` work on.
    route_reads: ClassVar[tuple[str, ...]] = ()
    pack_reads: ClassVar[tuple[str, ...]] = ()
    #: What makes a bitstream where `route` cannot, as the end of a sentence.
    elsewhere: ClassVar[str] = ""

    def __init__(self, board: Board):
        self.board = board

    def check_board(self) -> None:
        """Raise SpikeloomError where the board cannot be, before anything else is done.

        Its platform must agree with its part, and the PLL make its core clock exactly.
        """
        _ = self.board.facts

    @abstractmethod
    def clock(self, source: Signal, clock: Signal, locked: Signal) -> Module:
        """Return the PLL: drives ``clock`` at the board's core clock, and ``locked``.

        ``source`` is the board's clock behind its input buffer.
        """

    def flash_clock(self, clock: Signal, enable: Signal) -> Module:
        """Return what drives the clock pin of the flash that the FPGA is configured from.

        ``clock`` is a register, and so is ``enable``: the pin is driven while it is 1. Here, that
        the family has no way to it: SpikeloomError.
        """
        raise SpikeloomError(
            f"{self.board.title}: this Spikeloom knows no way to the clock of the flash of its "
            "family; choose another memory with --outside"
        )

    @abstractmethod
    def synthesis(self, rtlil: str, netlist: str, stat: str) -> list[str]:
        """Return the Yosys commands from the file ``rtlil``, whose top is called top.

        They write the flat netlist as JSON to ``netlist`` and cell counts to ``stat``.
        """

    def finish(self, netlist: Path) -> None:  # noqa: B027  # few have more to do
        """Change the netlist that Yosys wrote, where Yosys cannot."""

    @abstractmethod
    def resources(self, counts: Mapping[str, int]) -> dict[str, int | float]:
        """Return what cells take of a die, by the names of `titles`, from cells by type."""

    @abstractmethod
    def check(self, netlist: Netlist, path: Path, resets: Mapping[str, int], program: Any) -> None:
        """Raise SpikeloomError where a netlist would not work.

        ``path`` is where it came from, ``resets`` are nets with their values in reset, ``program``
        is what the core's memories must hold, or None where the design is not the core.
        """

    @abstractmethod
    def timing(self, netlist: Netlist) -> Estimate | None:
        """Return an estimate of the clock, or None where only the router's figure is worth it."""

    @abstractmethod
    def constrain(self, folder: Path, pins: Pins, clocks: Clocks) -> None:
        """Write the constraint files, and scripts for people."""

    @abstractmethod
    def route(self, folder: Path) -> str | None:
        """Place and route; return why it could not be done here, or None where it was."""

    def placed(self, folder: Path) -> Placed | None:
        """Return the router's figures from what `route` left in ``folder``, if it gives any."""
        return None

    def refuse_slow(self, reached: float, wanted: float) -> None:
        """Raise SpikeloomError where the router reached less than is wanted, in MHz."""
        if reached < wanted:
            raise SpikeloomError(
                f"{self.board.title}: the router reached {reached:.1f} MHz, but the core's clock "
                f"is {wanted:g} MHz; build with a lower one (--clock)"
            )

    @abstractmethod
    def pack(self, folder: Path) -> None:
        """Make ``top.bit``; called only after `route` was done."""

    def lacking(self) -> str | None:
        """Return why no bitstream can be made here, or None where one can."""
        missing = [name for name in self.tools if not find.have(name)]
        return f"{missing[0]} is not installed" if missing else None

    def checks(self) -> list[Any]:
        """Return what else decides what `check` does, as JSON."""
        return []

    def inputs(self) -> list[Any]:
        """Return what else decides what `route` and `pack` do, as JSON: versions of tools."""
        return [find.version(name) if find.have(name) else None for name in self.tools]


def check_entry(family: str, target: object) -> None:
    """Raise SpikeloomError where an entry of the table of targets is no whole target."""
    if not (isinstance(target, type) and issubclass(target, Target)):
        raise SpikeloomError(
            f"target {family!r}: {target!r} is no class of hw.targets.target.Target; give such a "
            "class"
        )
    missing = [name for name in vars(Target) if name in target.__abstractmethods__]
    missing += [] if hasattr(target, "titles") else ["titles"]
    if missing:
        raise SpikeloomError(
            f"target {family!r}: {target.__name__} lacks {', '.join(missing)}; "
            "hw/targets/target.py says what a target must have"
        )
