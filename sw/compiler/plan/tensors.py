"""Who writes and who reads each tensor of a network."""

from collections.abc import Iterator
from typing import Any

from hw.common.errors import SpikeloomError
from sw.compiler.plan.kind import Kind, Kinds
from sw.network import IntegerNetwork, Layer, tensor_shapes
from sw.network.layers import residual_of


class Uses:
    """Makers and readers, and the questions asked about them.

    Attributes
    ----------
    shape : dict
        (C, H, W) of spikes and residuals, (H, rows, columns) of maps, (C,) of features.
    maker, readers : dict
        Tensor to the index of the layer that writes it, and of those that read it.
    summed : set
        Indices of means that are summed while what they read is made: no memory holds that for
        them. Empty until `Fusions` fills it.
    """

    def __init__(self, net: IntegerNetwork, kinds: Kinds):
        self.net, self.kinds = net, kinds
        self.summed: set[int] = set()  # readers that need no memory, see `Fusions`
        self.shape = tensor_shapes(net).shape
        self.maker: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        for n, layer in enumerate(net.layers):
            for name in layer.reads():
                self.readers[name].append(n)
            for name in layer.writes():
                self.maker[name], self.readers[name] = n, []

    def fail(self, layer: str, what: str) -> SpikeloomError:
        """Return the error for a network that cannot be mapped."""
        return SpikeloomError(f"network {self.net.name!r}, layer {layer!r}: {what}")

    def last_use(self, name: str) -> int:
        """Index of the last layer that needs a tensor in memory."""
        return max(self._in_memory(name), default=self.maker[name])

    def _in_memory(self, name: str) -> list[int]:
        """Indices of the layers that read a tensor from memory."""
        return [n for n in self.readers[name] if n not in self.summed]

    def readers_of(self, name: str) -> Iterator[Layer]:
        """Layers that read a tensor."""
        return (self.net.layers[n] for n in self.readers[name])

    def stored(self, name: str) -> bool:
        """Whether spikes lie in row or column memory: means alone do not need them there."""
        readers = list(self.readers_of(name))
        return not readers or not all(self.kind(r).sums_residuals for r in readers)

    def kind(self, layer: Layer) -> Kind[Any]:
        """Planning facts of a layer's kind."""
        return self.kinds[type(layer)]

    def sums(self, name: str) -> list[Layer]:
        """Layers that sum a tensor over its steps, from residual memory: means."""
        readers = (self.net.layers[n] for n in self._in_memory(name))
        return [r for r in readers if self.kind(r).sums_residuals]

    def kept(self, layer: Layer) -> str | None:
        """Name of the spikes that a layer keeps in residual memory, for a mean."""
        name = layer.spikes()
        if name is None or not self.sums(name):
            return None
        if not self.kind(layer).keeps_spikes:
            raise self.fail(
                layer.name,
                f"a mean can sum spikes of convolutions only, but it reads {name!r}; "
                "put a 1x1 layer between them",
            )
        return name

    def residual(self, layer: Layer) -> str | None:
        """Name of the residual that a layer stores because somebody reads it."""
        residual = residual_of(layer)
        return (
            residual.output if residual is not None and self._in_memory(residual.output) else None
        )
