"""Simulation of the core: ``sim.run(program, images)`` gives logits and cycles from RTL."""

import sys
import types
from typing import Any

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
from sim.compare import Mismatch
from sim.simulate import Simulated, run
from sim.testbench import SimulationError

__all__ = ["Mismatch", "Simulated", "SimulationError", "run"]


class _Package(types.ModuleType):
    """The package ``sim``, whose ``run`` stays the function.

    The command ``python -m sim.run`` is a module of that name, and importing it would put the
    module in the function's place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "run" or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
