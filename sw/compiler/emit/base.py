"""What a layer kind states to be compiled: planning facts, constants, instructions."""

from typing import Any, Generic

from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.kind import Kind, L


class Emission(Kind[L], Generic[L]):
    """How one layer kind is compiled; see `Kind` for the planning facts."""

    #: The layer kind; every subclass states it.
    layer: type[L]
    #: Constants lie after those of all other layers.
    late = False

    def constants(self, constants: Constants, layer: L) -> None:
        """Append what the layer needs in column memory; note addresses in its tables."""

    def emit(self, m: Emitter, layer: L, part: range | None = None) -> None:
        """Append the layer's instructions.

        ``part``: column tiles, where it runs in pieces; else all.
        """
        raise NotImplementedError


AnyEmission = Emission[Any]
