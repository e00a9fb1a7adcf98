"""Binary layers: weights are sign(W - mean(W)) per output channel, gradients pass straight."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def centred(weight: Tensor) -> Tensor:
    """``weight`` (O, ...) less its mean over each output channel, float32."""
    return weight - weight.mean(dim=tuple(range(1, weight.ndim)), keepdim=True)


class _Sign(torch.autograd.Function):
    """sign with sign(0) = 0; the gradient passes where the argument is within -1 to 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * (x.abs() <= 1.0)


def binarise(weight: Tensor) -> Tensor:
    """-1.0/+1.0 (0.0 for an exact tie) of real weights (O, ...), with a straight-through gradient.

    The subtraction of the mean is part of the graph.
    """
    return _Sign.apply(centred(weight))  # type: ignore[no-any-return]


class BinaryConv1d(nn.Conv1d):
    """1x1 binary convolution over tokens: (B, I, N) to (B, O, N), no bias."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Signed sums of ``x``."""
        return F.conv1d(x, binarise(self.weight))


class BinaryConv2d(nn.Conv2d):
    """Binary convolution of stride 1, zero-padded to the same size, no bias; kernel 1 or 3."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Signed sums of ``x`` (B, I, H, W)."""
        return F.conv2d(x, binarise(self.weight), padding=self.padding)  # type: ignore[arg-type]


def zero_weights(model: nn.Module) -> dict[str, int]:
    """Number of exact zeros of sign(W - mean) in each binary layer that has any."""
    counts = {
        name: int((centred(m.weight.detach()) == 0).sum())
        for name, m in model.named_modules()
        if isinstance(m, BinaryConv1d | BinaryConv2d)
    }
    return {name: count for name, count in counts.items() if count}
