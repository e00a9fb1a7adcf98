"""Reference functions in int64 numpy, one per operation of the hardware; slow and plain.

The executor of ``sw.golden`` uses faster packed forms and is tested equal to these.
``saturate`` clips to ``MEMBRANE_BITS``; ``>>`` floors.
"""

import numpy as np

from hw.arch.formats import STATE_MAX, saturate
from sw.network.layers.binary import quarters
from sw.network.layers.head import head_sum
from sw.network.layers.mean import token_mean
from sw.network.layers.pixel import pixel_centre
from sw.network.layers.pool import pool3x3

__all__ = [
    "affine",
    "and_count",
    "head_sum",
    "lif_step",
    "pixel_centre",
    "pixel_sum",
    "pool3x3",
    "pool_counts",
    "popcount_dot",
    "quarters",
    "residual_add",
    "saturate",
    "shortcut_add",
    "state_code",
    "state_step",
    "token_mean",
    "windows",
    "xnor_count",
]


def popcount_dot(spikes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``2 * popcount(s AND w) - popcount(s)``: the dot product of bits with -1/+1 weights.

    Parameters
    ----------
    spikes : (..., K) 0/1.
    weight : (O, K) bool, True is +1.

    Returns
    -------
    (..., O) int64, -K to K.
    """
    spikes = np.asarray(spikes, dtype=np.int64)
    common = spikes @ np.asarray(weight, dtype=np.int64).T
    return 2 * common - spikes.sum(axis=-1, keepdims=True)


def and_count(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Common ones of rows (..., N, K) and (..., M, K): (..., N, M) int64, 0 to K."""
    return np.asarray(left, dtype=np.int64) @ np.asarray(right, dtype=np.int64).swapaxes(-1, -2)


def xnor_count(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Equal bits of rows (..., N, K) and (..., M, K): (..., N, M) int64, 0 to K."""
    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    return and_count(left, right) + and_count(1 - left, 1 - right)


def affine(total: np.ndarray, factor: np.ndarray, bias: np.ndarray, shift: int) -> np.ndarray:
    """``x = saturate((factor * S + bias) >> shift)``; arrays broadcast."""
    total = np.asarray(total, dtype=np.int64)
    return saturate((total * np.asarray(factor, dtype=np.int64) + bias) >> shift)


def residual_add(x: np.ndarray, *streams: np.ndarray) -> np.ndarray:
    """``saturate(x + r)``: r is 0, the one stream, or ``(a + b) >> 1`` of two."""
    x = np.asarray(x, dtype=np.int64)
    if len(streams) == 2:
        return saturate(x + ((np.asarray(streams[0], dtype=np.int64) + streams[1]) >> 1))
    return saturate(x + sum(streams))


def shortcut_add(x: np.ndarray, spikes: np.ndarray, value: int) -> np.ndarray:
    """``saturate(x + value * spike)``."""
    return saturate(np.asarray(x, dtype=np.int64) + np.asarray(spikes, dtype=np.int64) * value)


def lif_step(
    v: np.ndarray, y: np.ndarray, theta: int, soft: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """One time step: ``u = (v + y) >> 1``, spike where ``u >= theta``, then reset.

    Returns
    -------
    Membrane after the step (0, or ``u - theta`` with ``soft``, where fired) and spikes 0/1,
    both int64.
    """
    u = (np.asarray(v, dtype=np.int64) + y) >> 1
    fired = u >= theta
    return np.where(fired, u - theta if soft else 0, u), fired.astype(np.int64)


def state_code(w: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """``sign(w) * (number of thresholds <= min(|w|, STATE_MAX))``; thresholds ascending (L,)."""
    w = np.asarray(w, dtype=np.int64)
    reached = np.searchsorted(thresholds, np.minimum(np.abs(w), STATE_MAX), side="right")
    return np.sign(w) * reached


def state_step(
    code: np.ndarray, y: np.ndarray, theta: int, thresholds: np.ndarray, shift: int
) -> tuple[np.ndarray, np.ndarray]:
    """One time step of a neuron that keeps a code: ``u = (code << shift) + y``, not saturated.

    Returns
    -------
    Code after the step, of 0 where fired, and spikes 0/1, both int64.
    """
    u = (np.asarray(code, dtype=np.int64) << shift) + y
    fired = u >= theta
    return state_code(np.where(fired, 0, u), thresholds), fired.astype(np.int64)


def pool_counts(spikes: np.ndarray) -> np.ndarray:
    """Counts 0 to 4 of 2x2 windows side by side: (..., H, W) to (..., H // 2, W // 2) int64."""
    return np.stack(quarters(np.asarray(spikes))).sum(axis=0, dtype=np.int64)


def pixel_sum(p: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``S = sum w * p`` over taps: (..., K) int64 and (O, K) int64 to (..., O) int64."""
    return np.asarray(p, dtype=np.int64) @ np.asarray(weight, dtype=np.int64).T


def windows(x: np.ndarray, kh: int, kw: int, padding: int, stride: int = 1) -> np.ndarray:
    """Taps of a convolution: (..., C, H, W) to (..., Ho, Wo, C * kh * kw).

    Padded taps are 0. The order of taps is that of ``weight.reshape(O, -1)``.
    """
    pad = [(0, 0)] * (x.ndim - 2) + [(padding, padding)] * 2
    view = np.lib.stride_tricks.sliding_window_view(np.pad(x, pad), (kh, kw), axis=(-2, -1))
    view = view[..., ::stride, ::stride, :, :]
    view = np.moveaxis(view, -5, -3)  # (..., Ho, Wo, C, kh, kw)
    return view.reshape(*view.shape[:-3], -1)
