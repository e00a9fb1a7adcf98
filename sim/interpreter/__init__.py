"""The instruction interpreter: a core in numpy, exact in every memory write and its cycle."""

from sim.interpreter.events import Events, locate, recover
from sim.interpreter.interpret import Machine, Run, interpret

__all__ = ["Events", "Machine", "Run", "interpret", "locate", "recover"]
