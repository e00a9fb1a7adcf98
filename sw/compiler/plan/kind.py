"""What planning asks of a layer kind: how it reads its tensors, and what it leaves."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from hw.arch.config import Config
from hw.arch.isa import Dest
from sw.compiler.plan.layout import Layout
from sw.compiler.plan.numbering import Numbering
from sw.network import Layer

L = TypeVar("L", bound=Layer)
#: How a layer reads a tensor: where attention needs it and of how many heads; () of other readers.
Role = tuple[()] | tuple[Dest, int]


class Kind(Generic[L]):
    """Planning facts of one layer kind; the defaults are those of a kind that asks for nothing."""

    #: Whether its spikes can be kept in residual memory, for a mean that sums them.
    keeps_spikes = False
    #: Whether it sums what residual memory holds; such readers alone need no spikes elsewhere.
    sums_residuals = False
    #: Whether its spikes are those of an image, (C, H, W), which attention may read.
    writes_image = True
    #: Whether a mean over all tokens and steps of what it makes can be summed while it is made.
    sums = False
    #: Whether maxima of 3x3 windows of its spikes, at stride 2, can be written in their place.
    writes_windows = False
    #: Whether it gives such maxima, and nothing else.
    windows = False
    #: Whether its parameters and weights may come from outside, those of a column tile at a time.
    outside = False
    #: Whether it can run some column tiles at a time (see `sw.compiler.plan.spill`).
    in_pieces = False

    def wants(self, layer: L, name: str) -> Iterable[Numbering]:
        """Numberings that the layer wants of the tokens of ``name``, which it reads."""
        return ()

    def follows(self, layer: L, gridded: bool) -> str | None:
        """Name of a tensor whose image rows must be padded like those that the layer writes.

        ``gridded``: the layer writes padded rows.
        """
        return None

    def roles(self, layer: L, name: str) -> Iterable[Role]:
        """All ways in which the layer reads ``name``; none where any would do."""
        return ((),)

    def taps(self, layer: L, name: str) -> bool | None:
        """Whether the layer reads 3x3 windows of ``name``, which may then be packed by taps.

        None where it reads any packing.
        """
        return False

    def makes_operand(self, layer: L) -> bool:
        """Whether what the layer writes can be an operand of attention."""
        return False

    def layout(
        self,
        layer: L,
        config: Config,
        steps: int,
        shape: tuple[int, ...],
        numbering: Numbering,
    ) -> Layout | None:
        """Layout of the layer's spikes of ``shape`` where it is not an image's usual one."""
        return None


Kinds = Mapping[type[Layer], Kind[Any]]
