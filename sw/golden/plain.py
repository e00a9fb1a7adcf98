"""Packed kernels in numpy alone; the fallback where numba is missing, and its check."""

import numpy as np

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, STATE_MAX
from sw.network import State


def pack_rows(bits: np.ndarray) -> np.ndarray:
    """Bits along the last axis into 64-bit words, first bit lowest: (..., K) to (..., words)."""
    count = bits.shape[-1]
    packed = np.packbits(bits.astype(np.uint8, copy=False), axis=-1, bitorder="little")
    room = -(-count // 64) * 8
    pad = [(0, 0)] * (packed.ndim - 1) + [(0, room - packed.shape[-1])]
    return np.ascontiguousarray(np.pad(packed, pad)).view("<u8").astype(np.uint64, copy=False)


def tap_major(weight: np.ndarray) -> np.ndarray:
    """Packed binary weight (O, I, kh, kw) bool to words (O, W); channels vary fastest."""
    return pack_rows(weight.transpose(0, 2, 3, 1).reshape(len(weight), -1))


def binary_sums(spikes: np.ndarray, words: np.ndarray, kh: int, kw: int, stride: int) -> np.ndarray:
    """S of a 'same' binary convolution: uint8 (M, C, H, W) to int32 (M, O, Ho, Wo).

    Output sides are ceil(side / stride).
    """
    m, c, h, w = spikes.shape
    padded = np.zeros((m, h + kh - 1, w + kw - 1, c), dtype=np.uint8)
    padded[:, kh // 2 : kh // 2 + h, kw // 2 : kw // 2 + w] = spikes.transpose(0, 2, 3, 1)
    taps = [padded[:, i : i + h : stride, j : j + w : stride] for i in range(kh) for j in range(kw)]
    h, w = taps[0].shape[1:3]
    rows = pack_rows(np.concatenate(taps, axis=-1)).reshape(m * h * w, -1)
    ones = np.bitwise_count(rows).sum(axis=1, dtype=np.int32)
    sums = np.empty((len(words), m * h * w), dtype=np.int32)
    for o, word in enumerate(words):
        sums[o] = 2 * np.bitwise_count(rows & word).sum(axis=1, dtype=np.int32) - ones
    return np.ascontiguousarray(sums.reshape(-1, m, h, w).transpose(1, 0, 2, 3))


def row_counts(left: np.ndarray, right: np.ndarray, differing: bool) -> np.ndarray:
    """Popcounts of row pairs: (G, N, W) and (G, M, W) words to int32 (G, N, M).

    Of ``l AND r``, or of ``l XOR r`` with ``differing``.
    """
    counts = np.zeros((len(left), left.shape[1], right.shape[1]), dtype=np.int32)
    combine = np.bitwise_xor if differing else np.bitwise_and
    for word in range(left.shape[2]):
        pair = combine(left[:, :, None, word], right[:, None, :, word])
        counts += np.bitwise_count(pair)
    return counts


def pixel_sums(p: np.ndarray, weight: np.ndarray, padding: int, stride: int) -> np.ndarray:
    """S of the pixel convolution: float64 integers (M, I, H, W) to int64 (M, O, Ho, Wo).

    Sums stay below 2**53, so float64 is exact.
    """
    kh, kw = weight.shape[2:]
    padded = np.pad(p, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    h, w = padded.shape[2] - kh + 1, padded.shape[3] - kw + 1
    sums = np.zeros((len(p), len(weight), -(-h // stride), -(-w // stride)))
    for i in range(kh):
        for j in range(kw):
            tap = padded[:, :, i : i + h : stride, j : j + w : stride]
            tap = tap.reshape(len(p), p.shape[1], -1)
            sums += (weight[:, :, i, j] @ tap).reshape(sums.shape)
    return sums.astype(np.int64)


def code_table(state: State) -> np.ndarray:
    """Magnitude of the code for every ``min(|w|, STATE_MAX)``: int32 (STATE_MAX + 1,)."""
    places = np.arange(STATE_MAX + 1)
    return np.searchsorted(state.thresholds, places, side="right").astype(np.int32)


def lane(
    sums: np.ndarray,
    factor: np.ndarray,
    bias: np.ndarray,
    shift: int,
    residuals: list[np.ndarray],
    shortcut: np.ndarray,
    value: int,
    theta: int,
    soft: bool,
    state: State | None,
    code: np.ndarray,
    spikes: np.ndarray,
    y: np.ndarray,
) -> None:
    """Lane arithmetic over steps; fills ``spikes`` and ``y`` (size 0 where not wanted).

    With ``state`` it goes on from ``code`` and leaves the last step's there.

    Parameters
    ----------
    sums : (1 or T, B, O, P) integers; one step is used for all.
    factor, bias : int64 (T, O).
    residuals : up to two int32 (T, B, O, P), oldest first.
    shortcut : uint8 (T, B, O, P) whose spikes add ``value``, or of size 0.
    code : int32 (B, O, P); read and written only with ``state``.
    spikes : uint8 (T, B, O, P). y : int32 (T, B, O, P).
    """
    v = np.zeros(sums.shape[1:], dtype=np.int64)
    table = code_table(state) if state else None
    for t in range(len(factor)):
        total = sums[t if len(sums) > 1 else 0].astype(np.int64)
        x = (total * factor[t][None, :, None] + bias[t][None, :, None]) >> shift
        x = np.clip(x, MEMBRANE_MIN, MEMBRANE_MAX)
        if len(residuals) == 1:
            x = x + residuals[0][t]
        elif residuals:
            x = x + ((residuals[0][t].astype(np.int64) + residuals[1][t]) >> 1)
        if shortcut.size:
            x = x + shortcut[t].astype(np.int64) * value
        x = np.clip(x, MEMBRANE_MIN, MEMBRANE_MAX)
        if y.size:
            y[t] = x
        if state is not None and table is not None:
            u = (code.astype(np.int64) << state.shift) + x
            fired = u >= theta
            spikes[t] = fired
            kept = np.where(fired, 0, u)
            code[:] = np.sign(kept) * table[np.minimum(np.abs(kept), STATE_MAX)]
        elif spikes.size:
            v = (v + x) >> 1
            fired = v >= theta
            spikes[t] = fired
            v = np.where(fired, v - theta if soft else 0, v)
