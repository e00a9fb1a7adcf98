"""Simulation of the core: ``sim.run(program, images)`` gives logits and cycles from RTL."""

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
from sim.compare import Mismatch
from sim.simulate import Simulated, run
from sim.testbench import SimulationError

__all__ = ["Mismatch", "Simulated", "SimulationError", "run"]
