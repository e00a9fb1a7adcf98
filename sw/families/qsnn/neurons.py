"""Neurons of a Q-SNN, whose stored membranes have few bits."""

from typing import Any

import torch
from torch import Tensor, nn

from hw.arch.formats import STATE_MAX
from sw.nn.neurons import aligned, dense, flat, like, loops, surrogate
from sw.nn.rounding import Rounding, straight

THETA = 1.0  #: Threshold of all neurons; they fire above it.


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
    u = torch.tanh(v)
    limit = torch.inf if alpha is None else alpha
    return straight(u.clamp(-limit, limit), _stored(u.detach(), bits, alpha))


def _stored(u: Tensor, bits: int, alpha: float | None) -> Tensor:
    """Nearest of the ``bits``-bit codes' values to tanh ``u`` of the membranes."""
    levels = 2 ** (bits - 1) - 1
    scale = u.abs().max() if alpha is None else torch.tensor(alpha, dtype=u.dtype, device=u.device)
    if scale == 0:
        return u  # all 0
    return torch.round((u / scale).clamp_(-1.0, 1.0) * levels) * scale / levels


class _QuantLIF(torch.autograd.Function):
    """All time steps of a neuron of stored membrane."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bits: int, alpha: float | None, steps: int, rounding: Rounding | None
    ) -> Tensor:
        x = dense(x)
        u, s = like(x, steps), like(x, steps)
        squashed = like(x, max(steps - 1, 1))  # tanh of the membranes after the reset
        limit = torch.inf if alpha is None else alpha
        found = loops(x)
        if found is not None and rounding is None and alpha is not None:
            _compiled(found, x, bits, alpha, u, s, squashed)
            ctx.save_for_backward(u, squashed)
            ctx.limit, ctx.inputs = limit, len(x)
            return s
        kept: Tensor | None = None  # what the leak leaves, half of what is stored
        for t in range(steps):
            current = x[min(t, len(x) - 1)]
            if rounding is not None:
                current = torch.round(current * rounding.one)
            whole = current if kept is None else kept + current
            fired = whole > THETA if rounding is None else whole >= rounding.theta
            s[t].copy_(fired)
            u[t].copy_(whole if rounding is None else whole / rounding.one)
            if t + 1 == steps:
                break
            w = whole.masked_fill(fired, 0.0)
            torch.tanh(w if rounding is None else w / rounding.one, out=squashed[t])
            if rounding is None:
                kept = 0.5 * _stored(squashed[t], bits, alpha)
            else:
                assert rounding.thresholds is not None
                code = torch.bucketize(
                    w.abs().clamp_(max=STATE_MAX), rounding.thresholds, right=True
                )
                kept = torch.sign(w) * code * 2.0**rounding.shift
        ctx.save_for_backward(u, squashed)
        ctx.limit, ctx.inputs = limit, len(x)
        return s

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        u, squashed = ctx.saved_tensors
        grad = aligned(grads[0], u)
        out = like(u, ctx.inputs)
        found = loops(grad) if len(u) > 1 else None
        if found is not None:
            number = flat(u).numpy().dtype.type
            found.state_backward(
                flat(grad).numpy(),
                flat(u).numpy(),
                flat(squashed).numpy(),
                number(THETA),
                number(ctx.limit),
                flat(out).numpy(),
            )
            return out, None, None, None, None
        out.zero_()
        carry: Tensor | None = None
        for t in reversed(range(len(u))):
            total = grad[t] * surrogate(u[t], THETA)
            if carry is not None:
                h = squashed[t]
                total += carry * (1.0 - h * h) * (u[t] <= THETA) * (h.abs() <= ctx.limit)
            out[min(t, ctx.inputs - 1)] += total
            carry = total / 2.0
        return out, None, None, None, None


def _compiled(
    found: Any, x: Tensor, bits: int, alpha: float, u: Tensor, s: Tensor, squashed: Tensor
) -> None:
    """The forward pass in compiled loops; ``u``, ``s`` and ``squashed`` are written."""
    rows, us, ss = (flat(t).numpy() for t in (x, u, s))
    number = rows.dtype.type
    kept = torch.zeros_like(flat(x)[0])
    w = kept.numpy()
    tanhs = flat(squashed)
    for t in range(len(us)):
        found.state_step(rows[min(t, len(rows) - 1)], w, number(THETA), us[t], ss[t], w)
        if t + 1 < len(us):
            torch.tanh(kept, out=tanhs[t])
            levels = 2 ** (bits - 1) - 1
            found.state_keep(tanhs[t].numpy(), number(alpha), number(levels), w)


class QuantLIF(nn.Module):
    """Neuron whose input does not decay and whose stored state has ``bits`` bits.

    ``u[t] = 0.5 * store(v[t-1]) + x[t]``, ``s = u > 1``, ``v = 0 where s``. The reset is detached.
    """

    def __init__(self, bits: int, alpha: float | None = 1.0):
        super().__init__()
        self.bits, self.alpha = bits, alpha
        self.rounding: Rounding | None = None

    def forward(self, x: Tensor, steps: int | None = None) -> Tensor:
        """Spikes (T, ...) of ``x`` (T, ...), or of (1, ...) shown at all ``steps``."""
        count = len(x) if steps is None else steps
        return _QuantLIF.apply(x, self.bits, self.alpha, count, self.rounding)  # type: ignore[return-value]

    def extra_repr(self) -> str:
        """State of the neuron for ``repr``."""
        return f"bits={self.bits}, alpha={self.alpha}"
