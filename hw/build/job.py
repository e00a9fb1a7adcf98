"""What one build is about, and what its steps have made so far."""

import dataclasses
import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards import Board
from hw import targets
from hw.build import network
from hw.build.pipeline import Event
from hw.soc.top import Top
from hw.targets import Target
from hw.targets.target import Clocks, Pin, Pins
from hw.tools.netlist import Netlist


def board_design(board: Board, program: Any) -> Any:
    """Return the design that goes on a board: UART and core, its memories initialised."""
    primitives = targets.of(board).primitives
    return Top(board.config, clk_freq=board.core_clock, program=program, primitives=primitives)


@dataclass
class Job:
    """One build; its results are read from ``output``, where steps have left them."""

    given: Board
    model: str
    output: Path
    tell: Callable[[Event], None]
    design: Callable[[Board, Any], Any] = board_design
    stream: bool = False  #: One call per step, membranes in memory.
    fit: bool = False  #: Make the memories as deep as the network needs.

    @functools.cached_property
    def board(self) -> Board:
        """The board, with the core that is built; with ``fit`` only after the step 'lower'."""
        if not self.fit:
            return self.given
        config = network.fitted(self.integer(), self.given.config)
        return dataclasses.replace(self.given, config=config)

    @functools.cached_property
    def target(self) -> Target:
        """The target of the board's family."""
        return targets.of(self.given)

    @functools.cached_property
    def source(self) -> Path:
        """The model's file."""
        return network.source(self.model)

    @functools.cached_property
    def network(self) -> Any:
        """The float network."""
        return network.read(self.source)

    def integer(self) -> Any:
        """Return the integer network of the step 'lower'."""
        return network.integer(self.output / "network.npz")

    def program(self) -> Any:
        """Return the program of the step 'compile'."""
        return network.program(self.output / "program.npz")

    def read(self, name: str) -> Any:
        """Return a JSON file of the output folder."""
        return json.loads((self.output / name).read_text(encoding="utf-8"))

    def netlist(self) -> Netlist:
        """Return the netlist of the step 'synthesise'."""
        return Netlist.load(self.output / "top.json")

    def bring(self, work: Path, *names: str) -> None:
        """Copy outputs of earlier steps into a step's folder."""
        for name in names:
            shutil.copyfile(self.output / name, work / name)

    def note(self, step: str, text: str) -> None:
        """Tell the user one line."""
        self.tell(Event(step, "note", text))

    def elaborated(self) -> tuple[Pins, Clocks]:
        """Return pins and clocks of the step 'elaborate'."""
        held = self.read("pins.json")
        pins = tuple(
            Pin(p["port"], p["pin"], tuple((k, v) for k, v in p["attributes"]))
            for p in held["pins"]
        )
        return pins, tuple((port, hz) for port, hz in held["clocks"])
