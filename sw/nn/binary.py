"""Binary layers: weights are sign(W - mean(W)) per output channel, gradients pass straight."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def centred(weight: Tensor) -> Tensor:
    """``weight`` (O, ...) less its mean over each output channel, float32."""
    return weight - weight.mean(dim=tuple(range(1, weight.ndim)), keepdim=True)


class _Binarise(torch.autograd.Function):
    """sign(W - mean) with sign(0) = 0; the gradient passes where W - mean is within -1 to 1."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        x = centred(weight)
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        g = grads[0] * (x.abs() <= 1.0)
        dims = tuple(range(1, g.ndim))
        return g.sub_(g.mean(dim=dims, keepdim=True))


def binarise(weight: Tensor) -> Tensor:
    """-1.0/+1.0 (0.0 for an exact tie) of real weights (O, ...), with a straight-through gradient.

    The subtraction of the mean is part of the graph.
    """
    return _Binarise.apply(weight)  # type: ignore[no-any-return]


def compact_weights(weight: Tensor) -> Tensor | None:
    """Int8 -1/+1 with the same binary weights as ``weight`` (O, ...), or None if there are none.

    There are none where sign(W - mean) has a zero or a filter's signs are all equal.
    """
    signs = binarise(weight.detach())
    compact = signs.to(torch.int8)
    same = bool((binarise(compact.float()) == signs).all()) and bool((signs != 0).all())
    return compact if same else None


class _Binary(nn.Module):
    """What binary layers tell of their weights."""

    weight: Tensor

    def compact_weight(self) -> Tensor | None:
        """Int8 of the same binary weights, or None; see `compact_weights`."""
        return compact_weights(self.weight)

    def scale_and_offset(self) -> tuple[Tensor | float, Tensor | float]:
        """``scale`` and ``offset`` of its results ``scale * S + offset``; S are signed sums."""
        return 1.0, 0.0


class BinaryConv1d(_Binary, nn.Conv1d):
    """1x1 binary convolution over tokens: (..., N, I) to (..., N, O), no bias.

    The weight has the shape of the authors' layer, (O, I, 1), but channels come last.
    """

    def __init__(self, inputs: int, outputs: int, *, binary: bool = True):
        super().__init__(inputs, outputs, 1, bias=False)
        self.binary = binary  #: False: the real weights, for a full-precision counterpart.

    def forward(self, input: Tensor) -> Tensor:
        """Signed sums of ``input``."""
        # as an image (B, I, 1, N) whose channels are innermost: faster than F.linear on CPUs
        image = input.flatten(0, -3).unsqueeze(1).movedim(-1, 1)
        y = F.conv2d(image, _weights(self)[..., None])
        return y.movedim(1, -1).reshape(*input.shape[:-1], -1)


class BinaryConv2d(_Binary, nn.Conv2d):
    """Binary convolution of stride 1, zero-padded to the same size, no bias; kernel 1 or 3."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, binary: bool = True):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.binary = binary  #: False: the real weights, for a full-precision counterpart.

    def forward(self, input: Tensor) -> Tensor:
        """Signed sums of ``input`` (B, I, H, W)."""
        return F.conv2d(input, _weights(self), padding=self.padding)  # type: ignore[arg-type]


def _weights(layer: BinaryConv1d | BinaryConv2d) -> Tensor:
    """What a layer computes with."""
    return binarise(layer.weight) if layer.binary else layer.weight


def zero_weights(model: nn.Module) -> dict[str, int]:
    """Number of exact zeros of sign(W - mean) in each binary layer that has any."""
    counts = {
        name: int((centred(m.weight.detach()) == 0).sum())
        for name, m in model.named_modules()
        if isinstance(m, BinaryConv1d | BinaryConv2d) and m.binary
    }
    return {name: count for name, count in counts.items() if count}
