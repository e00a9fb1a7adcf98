"""Maxima of spikes over windows."""

from dataclasses import dataclass

import numpy as np

from sw.network.checks import Ranges, Shapes
from sw.network.layers.base import Arithmetic, Layer, Tensors


@dataclass(frozen=True, kw_only=True)
class SpikePool(Layer):
    """3x3 stride-2 pad-1 maximum (OR) of spikes; output side ceil(side / 2).

    Its name is that of the output tensor, too.
    """

    source: str

    def reads(self) -> tuple[str, ...]:
        return (self.source,)

    def spikes(self) -> str | None:
        return self.name

    def shapes(self, ask: Shapes) -> None:
        channels, height, width = ask.of(self.source, 3)
        ask.put(self.name, (channels, -(-height // 2), -(-width // 2)))

    def bounds(self, ask: Ranges) -> None:
        """Nothing is added."""

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        return {self.name: pool3x3(tensors[self.source])}


def pool3x3(spikes: np.ndarray) -> np.ndarray:
    """OR over 3x3 windows, stride 2, zero padding 1: (..., H, W) to (..., ceil(H/2), ceil(W/2))."""
    spikes = np.asarray(spikes)
    height, width = spikes.shape[-2:]
    pad = [(0, 0)] * (spikes.ndim - 2) + [(1, 2), (1, 2)]
    padded = np.pad(spikes, pad)
    rows, columns = -(-height // 2), -(-width // 2)
    out = np.zeros((*spikes.shape[:-2], rows, columns), dtype=spikes.dtype)
    for i in range(3):
        for j in range(3):
            out |= padded[..., i : i + 2 * rows : 2, j : j + 2 * columns : 2]
    return out
