"""Leaky integrate-and-fire neurons over time, each one node of the autograd graph.

The spike's surrogate gradient is the triangle max(0, 1 - |u - theta|), of height and area 1; the
reset is detached. Both passes run as compiled loops on a CPU, and as torch operations elsewhere.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sw.nn import kernels
from sw.nn.rounding import Rounding


def surrogate(u: Tensor, theta: float) -> Tensor:
    """Derivative that stands for that of the spikes of potentials ``u``."""
    return (1.0 - (u - theta).abs()).clamp_(min=0.0)


def loops(x: Tensor) -> Any:
    """Compiled loops that can run on ``x``, or None."""
    usable = x.device.type == "cpu" and x.dtype == torch.float32
    return kernels.compiled() if usable else None


def dense(x: Tensor) -> Tensor:
    """``x`` (F, ...) with every step one gapless piece of memory, one after another."""
    step = x[0]
    n = step.numel()
    packed = (
        step.is_contiguous()
        or sum((size - 1) * stride for size, stride in zip(step.shape, step.stride(), strict=True))
        == n - 1
    )
    return x if packed and (len(x) == 1 or x.stride(0) == n) else x.contiguous()


def flat(x: Tensor) -> Tensor:
    """The memory of a `dense` tensor, (F, n)."""
    n = x[0].numel()
    return x.as_strided((len(x), n), (n, 1))


def like(x: Tensor, steps: int) -> Tensor:
    """New tensor of ``steps`` steps in the memory order of the `dense` ``x``."""
    step = x[0]
    return torch.empty_strided(
        (steps, *step.shape), (step.numel(), *step.stride()), dtype=x.dtype, device=x.device
    )


def aligned(grad: Tensor, x: Tensor) -> Tensor:
    """``grad`` in the memory order of the `dense` ``x`` of the same shape."""
    return grad if grad.stride() == x.stride() else like(x, len(x)).copy_(grad)


class _LIF(torch.autograd.Function):
    """All time steps of a neuron of decaying input."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        theta: float,
        soft: bool,
        steps: int,
        rounding: Rounding | None,
        spare: bool,
    ) -> Tensor:
        x = dense(x)
        found = loops(x)
        reuse = spare and rounding is None and found is not None and len(x) == steps
        u, s = x.detach() if reuse else like(x, steps), like(x, steps)
        if rounding is not None:
            _rounded(x, theta, soft, u, s, rounding)
        elif reuse and found is not None:
            found.lif_forward_in(flat(u).numpy(), np.float32(theta), soft, flat(s).numpy())
        elif found is not None:
            found.lif_forward(
                flat(x).numpy(), np.float32(theta), soft, flat(u).numpy(), flat(s).numpy()
            )
        else:
            v = torch.zeros_like(x[0])
            for t in range(steps):
                torch.add(v, (x[min(t, len(x) - 1)] - v) / 2.0, out=u[t])
                s[t].copy_(u[t] >= theta)
                v = torch.sub(u[t], s[t], alpha=theta) if soft else u[t] * (1.0 - s[t])
        ctx.save_for_backward(u)
        ctx.theta, ctx.soft, ctx.inputs, ctx.spent = theta, soft, len(x), False
        return s

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (u,) = ctx.saved_tensors
        grad = aligned(grads[0], u)
        found = loops(grad)
        if ctx.spent:
            raise RuntimeError("a neuron's backward pass runs once: what it kept is overwritten")
        in_place = found is not None and ctx.inputs == len(u)
        ctx.spent = in_place
        out = u if in_place else like(u, ctx.inputs)
        if found is not None and in_place:
            theta = np.float32(ctx.theta)
            found.lif_backward_in(flat(grad).numpy(), flat(u).numpy(), theta, ctx.soft)
        elif found is not None:
            theta = np.float32(ctx.theta)
            found.lif_backward(
                flat(grad).numpy(), flat(u).numpy(), theta, ctx.soft, flat(out).numpy()
            )
        else:
            out.zero_()
            carry = torch.zeros_like(u[0])
            for t in reversed(range(len(u))):
                kept = carry if ctx.soft else carry * (u[t] < ctx.theta)
                carry = (grad[t] * surrogate(u[t], ctx.theta) + kept) / 2.0
                out[min(t, ctx.inputs - 1)] += carry
        return out, None, None, None, None, None


def _rounded(x: Tensor, theta: float, soft: bool, u: Tensor, s: Tensor, rounding: Rounding) -> None:
    """Potentials and spikes of whole units, as the hardware computes them."""
    one, limit = rounding.one, rounding.theta
    v = torch.zeros_like(x[0])
    for t in range(len(u)):
        y = torch.round(x[min(t, len(x) - 1)] * one)
        whole = torch.floor((v + y) / 2.0)
        fired = (whole >= limit).to(x.dtype)
        v = whole - limit * fired if soft else whole * (1.0 - fired)
        s[t].copy_(fired)
        u[t].copy_(whole / one)  # theta is whole units: u >= theta where the neuron fired


def lif(
    x: Tensor,
    theta: float = 1.0,
    *,
    soft: bool = False,
    steps: int | None = None,
    rounding: Rounding | None = None,
    spare: bool = False,
) -> Tensor:
    """Spikes of a neuron with decaying input (tau 2): u = v + (x - v)/2, s = (u >= theta).

    Parameters
    ----------
    x : Tensor
        Input current, (T, ...), or (1, ...) for the same current at each of ``steps`` steps; the
        state starts at 0.
    theta : float
        Threshold, above 0.
    soft : bool
        Reset v = u - theta*s in place of v = 0 where s.
    steps : int, optional
        T; default the length of ``x``.
    rounding : Rounding, optional
        Units of the integer network that the membrane is rounded to.
    spare : bool
        Nothing else reads ``x``: its memory may be written. The backward pass runs once either
        way, as it writes into what was kept for it.

    Returns
    -------
    Tensor
        Spikes 0.0/1.0, (T, ...).
    """
    return _LIF.apply(x, theta, soft, len(x) if steps is None else steps, rounding, spare)  # type: ignore[no-any-return]


class LIF(nn.Module):
    """`lif` as a module without tensors; arguments as there."""

    def __init__(self, theta: float = 1.0, *, soft: bool = False, spare: bool = False):
        super().__init__()
        self.theta, self.soft, self.spare = theta, soft, spare
        self.rounding: Rounding | None = None

    def forward(self, x: Tensor, steps: int | None = None) -> Tensor:
        """Spikes (T, ...) of ``x`` (T, ...), or of (1, ...) shown at all ``steps``."""
        return lif(
            x, self.theta, soft=self.soft, steps=steps, rounding=self.rounding, spare=self.spare
        )

    def extra_repr(self) -> str:
        """Parameters for ``repr``."""
        return f"theta={self.theta}, soft={self.soft}"
