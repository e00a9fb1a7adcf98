"""Layers of a Q-SNN's weights: standardised binary ones, and 8-bit ones at the edges."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sw.nn.norm import channels_last

SHARPNESS = (0.1, 10.0)  #: ``t`` of the sign's gradient at the start and the end of training.
EDGE_BITS = 8  #: Weights of the first and the last layer.


def sharpness(progress: float) -> float:
    """``t`` of the sign's gradient, log-linear in ``progress`` 0 to 1."""
    first, last = SHARPNESS
    return first * (last / first) ** min(max(progress, 0.0), 1.0)


def standardise(weight: Tensor) -> Tensor:
    """``weight`` (O, ...) less its mean, over its unbiased deviation, per output channel."""
    flat = weight.flatten(1)
    z = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True)
    return z.view_as(weight)


class _Sign(torch.autograd.Function):
    """sign with sign(0) = 0; its gradient is k * t * (1 - tanh(t * z)^2), k = max(1/t, 1)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, t: float) -> Tensor:
        ctx.save_for_backward(z)
        ctx.t = t
        return torch.sign(z)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        t = ctx.t
        return grads[0] * (max(1 / t, 1.0) * t * (1 - torch.tanh(t * z) ** 2)), None


def binarise(weight: Tensor, t: float, *, regulated: bool = True) -> Tensor:
    """-scale, 0 or +scale of real weights (O, ...); scale is a power of two per output channel.

    Parameters
    ----------
    weight : Tensor
        Real weights.
    t : float
        Sharpness of the sign's gradient; the scale has none.
    regulated : bool
        Weight regulation: the weights are standardised first.
    """
    z = standardise(weight) if regulated else weight
    with torch.no_grad():
        scale = torch.exp2(torch.round(magnitude(z))).view(-1, *[1] * (z.ndim - 1))
    return _Sign.apply(z, t) * scale  # type: ignore[operator]


def magnitude(z: Tensor) -> Tensor:
    """Binary logarithm of the mean of ``|z|`` per output channel, (O,); rounded, the scale's."""
    return torch.log2(z.abs().flatten(1).mean(1))


def compact_weights(weight: Tensor) -> Tensor | None:
    """Int8 with the same signs and scales as ``weight`` (O, ...), or None if there are none.

    All are -1/+1, but for two of a filter whose scale is below that of equal magnitudes: one of
    either sign has the magnitude k > 1, which widens the deviation and leaves the mean. k brings
    the scale's logarithm nearest to its whole number.
    """
    z = standardise(weight.detach())
    signs = torch.sign(z).flatten(1)
    if not bool(((signs == 1).any(1) & (signs == -1).any(1) & (signs != 0).all(1)).all()):
        return None
    rows = torch.arange(len(signs))
    extremes = signs.argmax(1), signs.argmin(1)  # the first +1 and the first -1 of each filter
    wanted = torch.round(magnitude(z))
    best, distance = signs.clone(), torch.full_like(wanted, torch.inf)
    for k in range(1, 128):
        trial = signs.clone()
        trial[rows, extremes[0]], trial[rows, extremes[1]] = float(k), float(-k)
        off = (magnitude(standardise(trial)) - wanted).abs()
        nearer = off < distance - 1e-6
        best[nearer], distance[nearer] = trial[nearer], off[nearer]
    compact = best.view_as(weight).to(torch.int8)
    return compact if torch.equal(binarise(compact.float(), 1.0), binarise(weight, 1.0)) else None


def quantise(weight: Tensor, bits: int = EDGE_BITS) -> Tensor:
    """``round(W / m * L) / L * m``, m the signed maximum; the gradient passes straight."""
    with torch.no_grad():
        m, levels = weight.max(), 2 ** (bits - 1) - 1
        change = torch.round(weight / m * levels) / levels * m - weight
    return weight + change


class QuantConv2d(nn.Conv2d):
    """Convolution with 'same' padding and 8-bit weights, no bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Real-valued sums of ``input`` (B, I, H, W)."""
        w = quantise(self.weight)
        return channels_last(F.conv2d(input, w, None, self.stride, self.padding))  # type: ignore[arg-type]


class ScaledBinaryConv2d(nn.Conv2d):
    """Convolution with 'same' padding and binary weights of power-of-two scale."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        bias: bool = False,
        regulated: bool = True,
    ):
        super().__init__(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)
        self.regulated = regulated
        self.t = SHARPNESS[0]  #: Sharpness of the sign's gradient.

    def forward(self, input: Tensor) -> Tensor:
        """Scaled signed sums of ``input`` (B, I, H, W)."""
        w = binarise(self.weight, self.t, regulated=self.regulated)
        return F.conv2d(input, w, self.bias, self.stride, self.padding)  # type: ignore[arg-type]

    def compact_weight(self) -> Tensor | None:
        """Int8 of the same binary weights, or None; see `compact_weights`."""
        return compact_weights(self.weight)

    def scale_and_offset(self) -> tuple[Tensor | float, Tensor | float]:
        """``scale`` and ``offset`` of its results ``scale * S + offset``; S are signed sums.

        float64 (O,), or numbers.
        """
        with torch.no_grad():
            power = torch.exp2(torch.round(magnitude(standardise(self.weight)))).double()
        return power, 0.0 if self.bias is None else self.bias.detach().double()


class QuantLinear(nn.Linear):
    """Linear layer with 8-bit weights and a real bias."""

    def forward(self, input: Tensor) -> Tensor:
        """Logits of ``input`` (..., I)."""
        return F.linear(input, quantise(self.weight), self.bias)


def zero_weights(model: nn.Module) -> dict[str, int]:
    """Number of weights without a sign in each binary layer that has any."""
    counts = {
        name: int((torch.sign(standardise(m.weight.detach())).abs() != 1).sum())
        for name, m in model.named_modules()
        if isinstance(m, ScaledBinaryConv2d)
    }
    return {name: count for name, count in counts.items() if count}
