"""Attention maps applied to the third operand."""

from dataclasses import dataclass

import numpy as np

from sw.network.checks import Ranges, Shapes
from sw.network.layers.base import Arithmetic, LaneLayer, Tensors, by_heads
from sw.network.values import Affine, Neuron


@dataclass(frozen=True, kw_only=True)
class AttentionApply(LaneLayer):
    """order 'qk': S[n, c] = sum_m A[n, m] * v[m, c], ``source`` = v; order 'kv':
    S[n, j] = sum_i q[n, i] * A[i, j], ``source`` = q. ``affine.factor`` and ``bias`` (T, H).
    """

    map: str
    source: str
    heads: int
    order: str
    affine: Affine
    neuron: Neuron

    def reads(self) -> tuple[str, ...]:
        return (self.source, self.map)

    def tokens(self) -> tuple[str, ...]:
        return (self.source, self.neuron.name)

    def shapes(self, ask: Shapes) -> None:
        channels, height, width = ask.of(self.source, 3)
        ask.heads(channels, self.heads, self.order)
        side = height * width if self.order == "qk" else channels // self.heads
        ask.want(self.map, ask.of(self.map, 3), (self.heads, side, side))
        for what in ("factor", "bias"):
            ask.want(what, getattr(self.affine, what).shape, (ask.network.steps, self.heads))
        ask.put(self.neuron.name, (channels, height, width))

    def largest_sum(self, ask: Shapes) -> int:
        return ask.shape[self.map][1]

    def bounds(self, ask: Ranges) -> None:
        ask.tokens(self.source, self.heads)
        super().bounds(ask)

    def sums(self, run: Arithmetic, tensors: Tensors) -> np.ndarray:
        operand = by_heads(tensors[self.source], self.heads)  # (T, B, H, d, N)
        bits = tensors[self.map]
        if self.order == "qk":  # (d, m) x (n, m)
            return run.row_counts(operand, bits)
        return run.row_counts(bits.swapaxes(3, 4), operand.swapaxes(3, 4))  # (j, i) x (n, i)

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        ((name, spikes),) = super().golden(run, tensors).items()  # (T, B, H, d, N)
        return {name: spikes.reshape(tensors[self.source].shape)}
