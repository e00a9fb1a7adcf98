"""Binary convolutions as instructions."""

from collections.abc import Iterable

from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.emit.gemm import emit_convolution
from sw.compiler.plan.numbering import Numbering
from sw.network import BinaryLayer


class BinaryEmission(Emission[BinaryLayer]):
    """One GEMM instruction, or one for each piece."""

    layer = BinaryLayer
    outside = True
    keeps_spikes = True
    in_pieces = True
    sums = True
    writes_windows = True

    def wants(self, layer: BinaryLayer, name: str) -> Iterable[Numbering]:
        if layer.source == name:
            three = layer.weight.shape[2] == 3
            yield Numbering.PAIR if layer.stride * layer.pool == 2 else Numbering(three)
        if layer.shortcut is not None and layer.shortcut.source == name:
            yield Numbering.GRID

    def follows(self, layer: BinaryLayer, gridded: bool) -> str | None:
        return layer.source if gridded or layer.shortcut is not None else None

    def taps(self, layer: BinaryLayer, name: str) -> bool | None:
        if layer.source != name:  # shortcuts read any packing
            return None
        return layer.weight.shape[2:] == (3, 3)

    def makes_operand(self, layer: BinaryLayer) -> bool:
        return layer.residual is None and layer.shortcut is None

    def constants(self, constants: Constants, layer: BinaryLayer) -> None:
        slots = constants.tile_channels(len(layer.weight), layer.spikes())
        slots = slots.reshape(-1, slots.shape[-1])
        factor = constants.lanes_of(layer.affine.factor, slots)
        bias = constants.lanes_of(layer.affine.bias, slots)
        mean = constants.place.fusions.means.get(layer.name)
        constants.params[layer.name] = constants.parameters(bias, factor[:, None], mean)
        constants.weights[layer.name] = constants.binary_weights(layer.weight, layer.source, slots)

    def emit(self, m: Emitter, layer: BinaryLayer, part: range | None = None) -> None:
        emit_convolution(
            m,
            layer,
            part,
            image=layer.source,
            weight=layer.weight.shape,
            stride=layer.stride,
            pool=layer.pool,
        )
