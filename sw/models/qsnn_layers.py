"""Layers of a Q-SNN: standardised binary and 8-bit weights, neurons of quantised state."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def binarise(weight: Tensor, t: float) -> Tensor:
    """-scale, 0 or +scale of real weights (O, ...); scale is a power of two per output channel.

    Parameters
    ----------
    weight : Tensor
        Real weights.
    t : float
        Sharpness of the sign's gradient; the scale has none.
    """
    z = standardise(weight)
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

    def forward(self, x: Tensor) -> Tensor:
        """Real-valued sums of ``x`` (B, I, H, W)."""
        return F.conv2d(x, quantise(self.weight), None, self.stride, self.padding)  # type: ignore[arg-type]


class ScaledBinaryConv2d(nn.Conv2d):
    """Convolution with 'same' padding and binary weights of power-of-two scale."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = False
    ):
        super().__init__(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)
        self.t = SHARPNESS[0]  #: Sharpness of the sign's gradient.

    def forward(self, x: Tensor) -> Tensor:
        """Scaled signed sums of ``x`` (B, I, H, W)."""
        w = binarise(self.weight, self.t)
        return F.conv2d(x, w, self.bias, self.stride, self.padding)  # type: ignore[arg-type]


class QuantLinear(nn.Linear):
    """Linear layer with 8-bit weights and a real bias."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``x`` (..., I)."""
        return F.linear(x, quantise(self.weight), self.bias)


class _Spike(torch.autograd.Function):
    """``u > theta``; the gradient is the triangle max(0, 1 - |u - theta|)."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, theta: float) -> Tensor:
        ctx.save_for_backward(u)
        ctx.theta = theta
        return (u > theta).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return grads[0] * (1 - (u - ctx.theta).abs()).clamp(min=0), None


def store(v: Tensor, bits: int, alpha: float | None) -> Tensor:
    """What ``bits`` bits keep of membranes; rounding passes the gradient.

    Parameters
    ----------
    v : Tensor
        Membranes after the reset.
    bits : int
        2, 4 or 8.
    alpha : float or None
        Scale; None is the largest ``|tanh(v)|`` of the whole tensor.
    """
    levels = 2 ** (bits - 1) - 1
    u = torch.tanh(v)
    scale = u.detach().abs().max() if alpha is None else torch.tensor(alpha, dtype=u.dtype)
    if scale == 0:
        return u  # all 0
    code = (u / scale).clamp(-1.0, 1.0) * levels
    code = code + (torch.round(code) - code).detach()
    return code * scale / levels


class QuantLIF(nn.Module):
    """Neuron whose input does not decay and whose stored state has ``bits`` bits.

    ``u[t] = 0.5 * store(v[t-1]) + x[t]``, ``s = u > 1``, ``v = 0 where s``. The reset is detached.
    """

    def __init__(self, bits: int, alpha: float | None = 1.0):
        super().__init__()
        self.bits, self.alpha = bits, alpha

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of ``x`` (T, ...)."""
        kept, spikes = None, []
        for t in range(len(x)):
            u = x[t] if kept is None else 0.5 * kept + x[t]
            s = _Spike.apply(u, 1.0)
            spikes.append(s)
            if t + 1 < len(x):
                kept = store(u * (1 - s.detach()), self.bits, self.alpha)  # type: ignore[union-attr]
        return torch.stack(spikes)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        """State of the neuron for ``repr``."""
        return f"bits={self.bits}, alpha={self.alpha}"


def zero_weights(model: nn.Module) -> dict[str, int]:
    """Number of weights without a sign in each binary layer that has any."""
    counts = {
        name: int((torch.sign(standardise(m.weight.detach())).abs() != 1).sum())
        for name, m in model.named_modules()
        if isinstance(m, ScaledBinaryConv2d)
    }
    return {name: count for name, count in counts.items() if count}
