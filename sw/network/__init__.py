"""The integer network: the contract between lowering, golden model and compiler.

A network is an ordered tuple of layers; each layer names the tensors it reads and writes. All
arithmetic is integer; nothing downstream of this type looks at a float (``scale`` of the logits
and the accuracy notes in ``meta`` are labels only). The arithmetic that the lanes of all layers
share stands in `sw.network.values`. Spike tensors are 0/1, named after their neuron, canonical
shape (T, B, C, H, W); attention operands and maps have the shapes given at their layer.

It is data with checks: `sw.golden` runs it, `sw.compiler` compiles it.
"""

from sw.network.checks import PRODUCT_MAX
from sw.network.layers import (
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    Layer,
    Mean,
    PixelConv,
    SpikePool,
)
from sw.network.layers.base import IMAGE
from sw.network.layers.pixel import pixel_reach
from sw.network.network import IntegerNetwork, tensor_shapes
from sw.network.values import Affine, Neuron, Residual, Shortcut, State

__all__ = [
    "IMAGE",
    "PRODUCT_MAX",
    "Affine",
    "AttentionApply",
    "AttentionMap",
    "BinaryLayer",
    "Head",
    "IntegerNetwork",
    "Layer",
    "Mean",
    "Neuron",
    "PixelConv",
    "Residual",
    "Shortcut",
    "SpikePool",
    "State",
    "pixel_reach",
    "tensor_shapes",
]
