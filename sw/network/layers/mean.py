"""Means of residuals or spikes over tokens and steps."""

import math
from dataclasses import dataclass

import numpy as np

from hw.arch import formats
from sw.network.checks import Ranges, Shapes
from sw.network.layers.base import Arithmetic, Layer, Tensors


@dataclass(frozen=True, kw_only=True)
class Mean(Layer):
    """x[c] = saturate((sum over tokens and steps of factor * source[c] + bias) >> shift).

    ``source`` is a residual or a spike tensor. ``factor``, ``bias`` one int each. Output tensor
    ``name`` (B, C); without ``over_tokens`` only steps are summed: (B, C * H * W), C major.
    """

    source: str
    factor: int
    bias: int
    shift: int
    over_tokens: bool = True

    def reads(self) -> tuple[str, ...]:
        return (self.source,)

    def shapes(self, ask: Shapes) -> None:
        source = ask.of(self.source, 3)
        ask.put(self.name, source[:1] if self.over_tokens else (math.prod(source),))

    def bounds(self, ask: Ranges) -> None:
        count = ask.network.steps
        if self.over_tokens:
            count *= math.prod(ask.shapes.shape[self.source][1:])
        largest = 1 if self.source in ask.spikes else -formats.MEMBRANE_MIN
        ask.accumulator(abs(self.factor) * count * largest + abs(self.bias))

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        affine = self.factor, self.bias, self.shift
        return {self.name: token_mean(run.whole(tensors[self.source]), *affine, self.over_tokens)}


def token_mean(
    source: np.ndarray, factor: int, bias: int, shift: int, over_tokens: bool = True
) -> np.ndarray:
    """``saturate((sum over T, H, W of factor * source + bias) >> shift)``.

    (T, B, C, H, W) to (B, C) int64; without ``over_tokens`` the sum is over T alone and gives
    (B, C * H * W), C major.
    """
    total = np.asarray(source, dtype=np.int64).sum(axis=(0, 3, 4) if over_tokens else 0)
    total = total.reshape(len(total), -1)
    return formats.saturate((total * factor + bias) >> shift)
