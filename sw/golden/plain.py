"""Packed kernels in numpy alone; the fallback where numba is missing, and its check."""

import numpy as np

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN


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


def binary_sums(spikes: np.ndarray, words: np.ndarray, kh: int, kw: int) -> np.ndarray:
    """S of a 'same' binary convolution: uint8 (M, C, H, W) to int32 (M, O, H, W)."""
    m, c, h, w = spikes.shape
    padded = np.zeros((m, h + kh - 1, w + kw - 1, c), dtype=np.uint8)
    padded[:, kh // 2 : kh // 2 + h, kw // 2 : kw // 2 + w] = spikes.transpose(0, 2, 3, 1)
    taps = [padded[:, i : i + h, j : j + w] for i in range(kh) for j in range(kw)]
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


def pixel_sums(p: np.ndarray, weight: np.ndarray, padding: int) -> np.ndarray:
    """S of the pixel convolution: float64 integers (M, I, H, W) to int64 (M, O, Ho, Wo).

    Sums stay below 2**53, so float64 is exact.
    """
    kh, kw = weight.shape[2:]
    padded = np.pad(p, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    h, w = padded.shape[2] - kh + 1, padded.shape[3] - kw + 1
    sums = np.zeros((len(p), len(weight), h, w))
    for i in range(kh):
        for j in range(kw):
            tap = padded[:, :, i : i + h, j : j + w].reshape(len(p), p.shape[1], -1)
            sums += (weight[:, :, i, j] @ tap).reshape(sums.shape)
    return sums.astype(np.int64)


def lane(
    sums: np.ndarray,
    factor: np.ndarray,
    bias: np.ndarray,
    shift: int,
    residuals: list[np.ndarray],
    theta: int,
    soft: bool,
    spikes: np.ndarray,
    y: np.ndarray,
) -> None:
    """Lane arithmetic over steps; fills ``spikes`` and ``y`` (size 0 where not wanted).

    Parameters
    ----------
    sums : (1 or T, B, O, P) integers; one step is used for all.
    factor, bias : int64 (T, O).
    residuals : up to two int32 (T, B, O, P), oldest first.
    spikes : uint8 (T, B, O, P). y : int32 (T, B, O, P).
    """
    v = np.zeros(sums.shape[1:], dtype=np.int64)
    for t in range(len(factor)):
        total = sums[t if len(sums) > 1 else 0].astype(np.int64)
        x = (total * factor[t][None, :, None] + bias[t][None, :, None]) >> shift
        x = np.clip(x, MEMBRANE_MIN, MEMBRANE_MAX)
        if len(residuals) == 1:
            x = x + residuals[0][t]
        elif residuals:
            x = x + ((residuals[0][t].astype(np.int64) + residuals[1][t]) >> 1)
        x = np.clip(x, MEMBRANE_MIN, MEMBRANE_MAX)
        if y.size:
            y[t] = x
        if spikes.size:
            v = (v + x) >> 1
            fired = v >= theta
            spikes[t] = fired
            v = np.where(fired, v - theta if soft else 0, v)
