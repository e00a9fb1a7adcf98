"""Who writes and who reads each tensor of a network."""

from collections.abc import Iterable, Iterator

from hw.common.errors import SpikeloomError
from sw.check import tensor_shapes
from sw.network import BinaryLayer, IntegerNetwork, Layer, Mean, PixelConv, SpikePool


def written(layer: Layer) -> Iterable[str]:
    """Names of the tensors that a layer writes."""
    residual, neuron = getattr(layer, "residual", None), getattr(layer, "neuron", None)
    if residual is not None:
        yield residual.output
    if neuron is not None:
        yield neuron.name
    elif residual is None:
        yield layer.name


def spikes(layer: Layer) -> str | None:
    """Name of the spike tensor that a layer writes."""
    if isinstance(layer, SpikePool):
        return layer.name
    neuron = getattr(layer, "neuron", None)
    return None if neuron is None else neuron.name


def reads(layer: Layer) -> Iterable[str]:
    """Names of the tensors that a layer reads."""
    for name in ("source", "left", "right", "map"):
        if hasattr(layer, name):
            yield getattr(layer, name)
    yield from getattr(layer, "sources", ())
    residual, shortcut = getattr(layer, "residual", None), getattr(layer, "shortcut", None)
    if residual is not None:
        yield from residual.inputs
    if shortcut is not None:
        yield shortcut.source


def halves(layer: Layer) -> bool:
    """Whether a layer reads with stride 2 or pool 2."""
    return isinstance(layer, BinaryLayer) and layer.stride * layer.pool == 2


class Uses:
    """Makers and readers, and the questions asked about them.

    Attributes
    ----------
    shape : dict
        (C, H, W) of spikes and residuals, (H, rows, columns) of maps, (C,) of features.
    maker, readers : dict
        Tensor to the index of the layer that writes it, and of those that read it.
    """

    def __init__(self, net: IntegerNetwork):
        self.net = net
        self.shape = tensor_shapes(net)
        self.maker: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        for n, layer in enumerate(net.layers):
            for name in reads(layer):
                self.readers[name].append(n)
            for name in written(layer):
                self.maker[name], self.readers[name] = n, []

    def fail(self, layer: str, what: str) -> SpikeloomError:
        """Return the error for a network that cannot be mapped."""
        return SpikeloomError(f"network {self.net.name!r}, layer {layer!r}: {what}")

    def last_use(self, name: str) -> int:
        """Index of the last layer that needs a tensor."""
        return max(self.readers[name], default=self.maker[name])

    def readers_of(self, name: str) -> Iterator[Layer]:
        """Layers that read a tensor."""
        return (self.net.layers[n] for n in self.readers[name])

    def stored(self, name: str) -> bool:
        """Whether spikes lie in row or column memory: means alone do not need them there."""
        readers = list(self.readers_of(name))
        return not readers or not all(isinstance(r, Mean) for r in readers)

    def kept(self, layer: Layer) -> str | None:
        """Name of the spikes that a layer keeps in residual memory, for a mean."""
        name = spikes(layer)
        if name is None or not any(isinstance(r, Mean) for r in self.readers_of(name)):
            return None
        if not isinstance(layer, PixelConv | BinaryLayer):
            raise self.fail(
                layer.name,
                f"a mean can sum spikes of convolutions only, but it reads {name!r}; "
                "put a 1x1 layer between them",
            )
        return name

    def residual(self, layer: Layer) -> str | None:
        """Name of the residual that a layer stores because somebody reads it."""
        residual = getattr(layer, "residual", None)
        return residual.output if residual is not None and self.readers[residual.output] else None
