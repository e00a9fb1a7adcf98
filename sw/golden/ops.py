"""Reference functions in int64 numpy, one per operation of the hardware; slow and plain.

The executor of ``sw.golden`` uses faster packed forms and is tested equal to these.
``saturate`` clips to ``MEMBRANE_BITS``; ``>>`` floors.
"""

import numpy as np

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, STATE_MAX


def saturate(x: np.ndarray) -> np.ndarray:
    """Clip to a signed ``MEMBRANE_BITS`` integer."""
    return np.clip(np.asarray(x, dtype=np.int64), MEMBRANE_MIN, MEMBRANE_MAX)


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


def quarters(spikes: np.ndarray) -> tuple[np.ndarray, ...]:
    """The four places of all 2x2 windows, each (..., H // 2, W // 2); what is left over drops."""
    rows, columns = (side // 2 * 2 for side in spikes.shape[-2:])
    return tuple(spikes[..., i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1))


def pool3x3(spikes: np.ndarray) -> np.ndarray:
    """OR over 3x3 windows, stride 2, zero padding 1: (..., H, W) to (..., ceil(H/2), ceil(W/2))."""
    spikes = np.asarray(spikes)
    height, width = spikes.shape[-2:]
    pad = [(0, 0)] * (spikes.ndim - 2) + [(1, 2), (1, 2)]
    padded = np.pad(spikes, pad)
    rows, columns = -(-height // 2), -(-width // 2)
    out = np.zeros((*spikes.shape[:-2], rows, columns), dtype=spikes.dtype)
    for i in range(3):
        for j in range(3):
            out |= padded[..., i : i + 2 * rows : 2, j : j + 2 * columns : 2]
    return out


def pixel_centre(pixels: np.ndarray, pixel_shift: int, centre: tuple[int, ...]) -> np.ndarray:
    """``p = (pixel << pixel_shift) - centre[c]``: (..., C, H, W) uint8 to int64."""
    offset = np.asarray(centre, dtype=np.int64)[:, None, None]
    return (np.asarray(pixels, dtype=np.int64) << pixel_shift) - offset


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


def token_mean(
    source: np.ndarray, factor: int, bias: int, shift: int, over_tokens: bool = True
) -> np.ndarray:
    """``saturate((sum over T, H, W of factor * source + bias) >> shift)``.

    (T, B, C, H, W) to (B, C) int64; without ``over_tokens`` the sum is over T alone and gives
    (B, C * H * W), C major.
    """
    total = np.asarray(source, dtype=np.int64).sum(axis=(0, 3, 4) if over_tokens else 0)
    total = total.reshape(len(total), -1)
    return saturate((total * factor + bias) >> shift)


def head_sum(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, shift: int) -> np.ndarray:
    """``saturate((sum weight * x + bias) >> shift)``: (B, K) to (B, classes) int64."""
    return saturate((np.asarray(x, dtype=np.int64) @ weight.T + bias) >> shift)
