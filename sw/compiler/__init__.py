"""The compiler: integer network to memory images, program and cycle forecast."""

from sw.compiler.compile import MisfitError, compile_network
from sw.compiler.layers import forecast_layers, logged_layers
from sw.compiler.mapper import fit_config, required
from sw.compiler.program import Program
from sw.compiler.records import Forecast, Label, Region

__all__ = [
    "Forecast",
    "Label",
    "MisfitError",
    "Program",
    "Region",
    "compile_network",
    "fit_config",
    "forecast_layers",
    "logged_layers",
    "required",
]
