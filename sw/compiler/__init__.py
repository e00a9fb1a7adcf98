"""The compiler: integer network to memory images, program and cycle forecast."""

from sw.compiler.compile import MisfitError, compile_network
from sw.compiler.interpreter import Events, Run, interpret, locate, recover
from sw.compiler.mapper import fit_config, required
from sw.compiler.program import Forecast, Label, Program, Region

__all__ = [
    "Events",
    "Forecast",
    "Label",
    "MisfitError",
    "Program",
    "Region",
    "Run",
    "compile_network",
    "fit_config",
    "interpret",
    "locate",
    "recover",
    "required",
]
