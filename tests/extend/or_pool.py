"""A toy layer kind: 2x2 OR-pooling of spikes, done by the array.

The array sums the four places of each window with a weight matrix that is the identity (0 and 1
instead of -1 and +1); a neuron whose threshold is one spike makes the sum 0 or 1 again. What is
left over at the edges drops. docs/develop/layer.md walks through this file.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sw import graph as g
from sw.compiler.emit import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.emit.gemm import emit_convolution
from sw.compiler.plan.numbering import Numbering
from sw.lower.context import Context
from sw.lower.patterns import Pattern
from sw.network import Affine, Neuron
from sw.network.checks import Ranges, Shapes
from sw.network.layers import LaneLayer
from sw.network.layers.base import Arithmetic, Tensors
from sw.network.layers.binary import quarters

# ---- 1. the kind: fields, shapes, bounds, golden function


@dataclass(frozen=True, kw_only=True)
class OrPool(LaneLayer):
    """Maximum of spikes over 2x2 windows side by side; (C, H, W) to (C, H // 2, W // 2).

    S is the number of spikes in a window, 0 to 4. ``affine`` arrays (C,): x = 2 S, so that
    u = (0 + 2 S) >> 1 = S, which is the neuron's threshold or more where there is a spike. Hard
    reset and no input leave the membrane 0: no step depends on another.
    """

    source: str
    affine: Affine
    neuron: Neuron

    def reads(self) -> tuple[str, ...]:
        return (self.source,)

    def shapes(self, ask: Shapes) -> None:
        channels, height, width = ask.of(self.source, 3)
        ask.want("factor", self.affine.factor.shape, (channels,))
        ask.want("bias", self.affine.bias.shape, (channels,))
        if min(height, width) < 2:
            ask.fail(f"pools {height}x{width} spikes to nothing")
        ask.put(self.neuron.name, (channels, height // 2, width // 2))

    def bounds(self, ask: Ranges) -> None:
        ask.bound("theta of a pool", self.neuron.theta, 1, 1)
        super().bounds(ask)

    def largest_sum(self, ask: Shapes) -> int:
        return 4

    def sums(self, run: Arithmetic, tensors: Tensors) -> np.ndarray:
        return np.stack(quarters(tensors[self.source])).sum(axis=0, dtype=np.int32)

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        return {self.neuron.name: np.stack(quarters(tensors[self.source])).max(axis=0)}


# ---- 2. the pattern: which nodes of a float graph become such a layer


def or_pool(walk: Context, node: g.MaxPool) -> bool:
    """Lower a maximum over 2x2 windows of spikes; leave other pools to other patterns."""
    if (node.size, node.stride, node.padding) != (2, 2, 0) or node.source not in walk.spikes:
        return False
    channels, (height, width) = walk.widths[node.source], walk.space[node.source]
    two = np.full(channels, 2 << 4, np.int64)
    zero = np.zeros(channels, np.int64)
    walk.layers.append(
        OrPool(
            name=node.name,
            source=node.source,
            affine=Affine(factor=two, bias=zero, shift=4),
            neuron=Neuron(name=node.name, theta=1),
        )
    )
    walk.put(node.name, channels, (height // 2, width // 2))
    return True


OR_POOL = Pattern("2x2 pool of spikes", g.MaxPool, or_pool)

# ---- 3. the emission: where it wants its tensors, what it stores, what instruction it is


class OrPoolEmission(Emission[OrPool]):
    """One GEMM instruction."""

    layer = OrPool

    def wants(self, layer: OrPool, name: str) -> Iterable[Numbering]:
        return (Numbering.PAIR,)  # even and odd columns in planes of their own

    def follows(self, layer: OrPool, gridded: bool) -> str | None:
        return layer.source if gridded else None

    def constants(self, constants: Constants, layer: OrPool) -> None:
        channels = len(layer.affine.factor)
        slots = constants.tile_channels(channels, layer.spikes())
        slots = slots.reshape(-1, slots.shape[-1])
        bias, factor = (
            constants.lanes_of(values, slots) for values in (layer.affine.bias, layer.affine.factor)
        )
        constants.params[layer.name] = constants.parameters(bias, factor[:, None])
        same = np.eye(channels, dtype=bool)[:, :, None, None]
        constants.weights[layer.name] = constants.binary_weights(same, layer.source, slots)

    def emit(self, m: Emitter, layer: OrPool, part: range | None = None) -> None:
        channels = len(layer.affine.factor)
        shape = (channels, channels, 1, 1)
        emit_convolution(m, layer, part, image=layer.source, weight=shape, pool=2, signed=False)
