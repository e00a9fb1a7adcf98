"""Leaky integrate-and-fire neurons over time, with a surrogate gradient."""

from typing import Any

import torch
from torch import Tensor, nn

ALPHA = 4.0  #: The spike's surrogate gradient is that of sigmoid(ALPHA * (u - theta)).


class _LIF(torch.autograd.Function):
    """All time steps of a neuron in one node of the graph; the reset is detached."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, theta: float, soft: bool) -> Tensor:
        potential = torch.empty_like(x)  # u: membrane after integration, before the reset
        spikes = torch.empty_like(x)
        v = torch.zeros_like(x[0])
        for t in range(x.shape[0]):
            u = torch.add(v, (x[t] - v) / 2.0, out=potential[t])
            s = spikes[t].copy_(u >= theta)
            v = torch.sub(u, s, alpha=theta) if soft else torch.addcmul(u, u, s, value=-1.0)
        ctx.save_for_backward(potential, spikes)
        ctx.theta, ctx.soft = theta, soft
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grad_spikes,) = grads
        potential, spikes = ctx.saved_tensors
        p = torch.sub(potential, ctx.theta).mul_(ALPHA).sigmoid_()
        grad_x = torch.ops.aten.sigmoid_backward(grad_spikes, p)  # grad_spikes * p * (1 - p)
        grad_x *= ALPHA  # the spikes' part of dL/du
        carry = torch.zeros_like(grad_x[0])  # dL/dv of this step
        for t in reversed(range(grad_x.shape[0])):
            g = grad_x[t]
            g += carry
            if not ctx.soft:
                g.addcmul_(carry, spikes[t], value=-1.0)
            g *= 0.5  # du/dx = du/dv[t-1] = 1/2
            carry = g
        return grad_x, None, None


def lif(x: Tensor, theta: float = 1.0, *, soft: bool = False) -> Tensor:
    """Spikes of a neuron with decaying input (tau 2): u = v + (x - v)/2, s = (u >= theta).

    Parameters
    ----------
    x : Tensor
        Input current, (T, ...); the state starts at 0.
    theta : float
        Threshold, above 0.
    soft : bool
        Reset v = u - theta*s in place of v = 0 where s.

    Returns
    -------
    Tensor
        Spikes 0.0/1.0, the shape of ``x``.
    """
    return _LIF.apply(x, theta, soft)  # type: ignore[no-any-return]


class LIF(nn.Module):
    """`lif` as a module without tensors; arguments as there."""

    def __init__(self, theta: float = 1.0, *, soft: bool = False):
        super().__init__()
        self.theta, self.soft = theta, soft

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of ``x`` (T, ...)."""
        return lif(x, self.theta, soft=self.soft)

    def extra_repr(self) -> str:
        """Threshold and reset for ``repr``."""
        return f"theta={self.theta}, soft={self.soft}"
