"""Emission: the instructions and constants of each layer kind, one file each."""

from sw.compiler.emit.base import Emission
from sw.compiler.emit.kinds import EMISSIONS, emissions

__all__ = ["EMISSIONS", "Emission", "emissions"]
