"""Simulation of the core: ``sim.run(program, images)`` gives logits and cycles from RTL."""

from sim.compare import Mismatch
from sim.simulate import Simulated, run
from sim.testbench import SimulationError

__all__ = ["Mismatch", "Simulated", "SimulationError", "run"]
