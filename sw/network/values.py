"""What layers are made of: neurons, affine maps, residuals, shortcuts.

Lane arithmetic, shared by all layers (``formats`` = ``hw.arch.formats``; ``>>`` is floor)::

    x = saturate((factor * S + bias) >> shift)          # shift is one of formats.SHIFTS
    y = saturate(x + r)    r = 0, or a shortcut's spike * value, or residual b, or
                           (residual a + residual b) >> 1
    u = (v + y) >> 1       spike = u >= theta
    v = 0 where spike (hard) or u - theta where spike (soft), else u

A neuron with a ``State`` keeps a code of few bits instead (u is not saturated)::

    u = (code << state.shift) + y                       spike = u >= theta
    w = 0 where spike, else u
    code = sign(w) * (number of thresholds <= min(|w|, STATE_MAX))

``saturate`` clips to a signed ``MEMBRANE_BITS`` integer. Rounding to nearest (or up) is part of
the bias: lowering adds ``1 << (shift - 1)`` (or ``(1 << shift) - 1``). v and code start at 0 for
each image; with ``stream`` images are the steps of one stream, and codes start at 0 for the first.
The soft reset cannot overflow.
"""

from dataclasses import dataclass

import numpy as np

from hw.common.show import Shown


@dataclass(frozen=True, kw_only=True)
class State(Shown):
    """A membrane that is stored in ``bits`` bits, as one of 2 * L + 1 codes, L = 2**(bits-1) - 1.

    One step of the code is ``1 << (shift + 1)`` units of membrane; half of it is what the leak
    leaves, so that no product is needed. The thresholds of ``round(tanh(v) / alpha * L)`` are at
    least a step apart, so cells of a step or less hold one each.
    """

    bits: int  #: One of formats.STATE_BITS.
    thresholds: np.ndarray  #: int64 (L,), ascending, 1 to STATE_MAX + 1 (which is never reached);
    #: no two reachable ones in the same cell of formats.state_cell(shift) units.
    shift: int  #: One of formats.STATE_SHIFTS.


@dataclass(frozen=True, kw_only=True)
class Neuron(Shown):
    """A leaky integrate-and-fire neuron; its spikes are the tensor called ``name``."""

    name: str
    theta: int  #: Threshold in units of the layer's x; 1 to MEMBRANE_MAX; strict '>' is theta + 1.
    soft: bool = False  #: Reset by subtraction (attention map) instead of to 0.
    state: State | None = None  #: Of a neuron whose input does not decay; hard reset only.


@dataclass(frozen=True, kw_only=True)
class Affine(Shown):
    """Scale and bias from integer sum to x. Arrays are int64."""

    factor: np.ndarray  #: |factor| <= FACTOR_MAX; shape given at the layer.
    bias: np.ndarray  #: |bias| <= BIAS_MAX, rounding half included; same shape.
    shift: int  #: One of SHIFTS.


@dataclass(frozen=True, kw_only=True)
class Residual(Shown):
    """y = x + combination of ``inputs``; y is stored as the residual tensor ``output``.

    ``inputs`` is () for y = x, (b,) for y = x + b, (a, b) for y = x + ((a + b) >> 1).
    Residual tensors are int, shape (T, B, C, H, W). The oldest input is overwritten in place.
    """

    output: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shortcut(Shown):
    """r = ``value`` where ``source`` spikes, else 0; ``source`` has the layer's output shape."""

    source: str
    value: int  #: In units of the layer's x; |value| <= MEMBRANE_MAX.
