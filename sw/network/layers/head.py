"""The last linear layer: logits."""

from dataclasses import dataclass

import numpy as np

from hw.arch import formats
from sw.network.checks import Ranges, Shapes
from sw.network.layers.base import Arithmetic, Layer, Tensors


@dataclass(frozen=True, kw_only=True)
class Head(Layer):
    """logits = saturate((sum weight * concat(sources) + bias) >> shift).

    ``weight`` (classes, sum of the sources' sizes), ``bias`` (classes,). Lowering proves
    that it cannot saturate. ``scale``: float logit = integer logit * scale.
    """

    sources: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    shift: int
    weight_bits: int
    scale: float

    last = True

    def reads(self) -> tuple[str, ...]:
        return self.sources

    def shapes(self, ask: Shapes) -> None:
        inputs = sum(ask.of(source, 1)[0] for source in self.sources)
        ask.want("weight", self.weight.shape, (ask.network.classes, inputs))
        ask.want("bias", self.bias.shape, (ask.network.classes,))
        ask.put(self.name, (ask.network.classes,))

    def bounds(self, ask: Ranges) -> None:
        limit = (1 << (self.weight_bits - 1)) - 1
        ask.bound("weight", self.weight, -limit, limit)
        worst = np.abs(self.weight).sum(axis=1) * -formats.MEMBRANE_MIN
        ask.accumulator(int((worst + np.abs(self.bias)).max()))

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        x = np.concatenate([tensors[source] for source in self.sources], axis=1)
        return {self.name: head_sum(x, self.weight, self.bias, self.shift)}


def head_sum(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, shift: int) -> np.ndarray:
    """``saturate((sum weight * x + bias) >> shift)``: (B, K) to (B, classes) int64."""
    return formats.saturate((np.asarray(x, dtype=np.int64) @ weight.T + bias) >> shift)
