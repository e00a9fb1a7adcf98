"""Rounding of the integer network inside the float networks, for the last epochs of training.

A value passes as the integer network computes it, its gradient as if it had not been rounded:
``straight``. `sw.train.hardware` makes these objects from a lowered network and gives them to the
modules; a module without one computes in float.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, real: Tensor, rounded: Tensor) -> Tensor:
        return rounded.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def straight(real: Tensor, rounded: Tensor) -> Tensor:
    """Exactly ``rounded``, with the gradient of ``real``."""
    return _Straight.apply(real, rounded)  # type: ignore[no-any-return]


def saturate(whole: Tensor) -> Tensor:
    """Clip whole units to what a membrane holds."""
    return whole.clamp(MEMBRANE_MIN, MEMBRANE_MAX)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """Units of a neuron, in which its currents are whole."""

    one: float  #: Units per 1.0.
    theta: int  #: Threshold in units.
    thresholds: Tensor | None = None  #: Of the codes of a stored membrane, ascending, in units.
    shift: int = 0  #: Left shift from code to what the leak leaves, in units.


@dataclass(frozen=True, kw_only=True, eq=False)
class AffineRounding:
    """``x = saturate((factor * S + bias) >> shift)`` of whole sums S, in place of a BatchNorm.

    ``factor`` and ``bias`` are float64 and shaped to broadcast against the sums. What the module
    computes with are ``scale * S + offset``, as a Q-SNN's weights have a scale and a bias.
    """

    factor: Tensor
    bias: Tensor
    shift: int
    one: float  #: Units of x per 1.0.
    scale: Tensor | float = 1.0
    offset: Tensor | float = 0.0

    def __call__(self, sums: Tensor, real: Tensor) -> Tensor:
        """``real``, the float result of ``sums``, with the value of the integer network."""
        with torch.no_grad():
            whole = torch.round((sums.double() - self.offset) / self.scale)
            x = torch.floor(whole.mul_(self.factor).add_(self.bias).mul_(2.0**-self.shift))
            x = (saturate(x) / self.one).to(real.dtype)
        return straight(real, x)


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelRounding:
    """The first convolution with its BatchNorm, of whole pixels."""

    weight: Tensor  #: float64 (O, I, kh, kw), whole.
    bias: Tensor  #: float64 (O, 1, 1), whole.
    shift: int
    pixel_shift: int
    centre: Tensor  #: float64 (I, 1, 1).
    padding: int
    stride: int
    one: float
    mean: Tensor  #: Of the normalisation, (I, 1, 1).
    std: Tensor

    def __call__(self, x: Tensor, real: Tensor) -> Tensor:
        """``real``, the float result of normalised images ``x`` (B, I, H, W), rounded."""
        with torch.no_grad():
            pixels = torch.round((x * self.std + self.mean) * 255.0).clamp_(0.0, 255.0).double()
            pixels = pixels * 2.0**self.pixel_shift - self.centre
            total = torch.nn.functional.conv2d(pixels, self.weight, None, self.stride, self.padding)
            whole = saturate(torch.floor((total + self.bias) * 2.0**-self.shift))
            found = (whole / self.one).to(real.dtype)
        return straight(real, found)


@dataclass(frozen=True, kw_only=True)
class SumRounding:
    """Sums of whole units that saturate; halved sums are floored."""

    one: float

    def __call__(self, branch: Tensor, *streams: Tensor) -> Tensor:
        """``branch`` plus the one of ``streams``, or the mean of two."""
        real = branch + (sum(streams) if len(streams) < 2 else (streams[0] + streams[1]) / 2.0)
        with torch.no_grad():
            rest = sum(torch.round(s * self.one) for s in streams)
            if len(streams) == 2:
                rest = torch.floor(rest / 2.0)  # type: ignore[operator]
            whole = saturate(torch.round(branch * self.one) + rest) / self.one
        return straight(real, whole)
