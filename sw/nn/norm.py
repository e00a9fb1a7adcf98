"""Batch normalisation whose result can be that of the integer network, and memory order.

Within the networks channels are the innermost axis of the memory, whatever the shape says: fast
on CPUs and GPUs, and token matrices are views.
"""

import torch
from torch import Tensor, nn

from sw.nn.rounding import AffineRounding


def channels_last(x: Tensor) -> Tensor:
    """``x`` (B, C, H, W) with channels innermost in memory."""
    return x.contiguous(memory_format=torch.channels_last)


class Norm2d(nn.BatchNorm2d):
    """BatchNorm2d of the sums of a convolution; with ``rounding`` by its folded integers."""

    rounding: AffineRounding | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Currents of the sums (B, C, H, W)."""
        y = super().forward(input)
        return y if self.rounding is None else self.rounding(input, y)


class Norm1d(nn.BatchNorm1d):
    """BatchNorm1d over tokens, with channels last; with ``rounding`` by its folded integers."""

    rounding: AffineRounding | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Currents of the sums (..., N, C)."""
        y = super().forward(input.flatten(0, -2)).view_as(input)
        return y if self.rounding is None else self.rounding(input, y)
