"""Weights as the authors' quantisers leave them, in float32 as they compute."""

import numpy as np


def binarise(weight: np.ndarray) -> np.ndarray:
    """``sign(W - mean(W))`` per output channel in float32: -1, 0 or +1, shape kept."""
    flat = weight.reshape(len(weight), -1)
    return np.sign(flat - flat.mean(axis=1, dtype=np.float32, keepdims=True)).reshape(weight.shape)


def power_of_two(weight: np.ndarray) -> np.ndarray:
    """``2 ** round(log2(mean(|Z|)))`` per output channel, float32 (O,).

    Z is the filter less its mean over its unbiased deviation. NaN where all weights of a filter
    are equal.
    """
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    z = flat - flat.mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        z /= flat.std(axis=1, ddof=1, keepdims=True)
        return np.exp2(np.rint(np.log2(np.abs(z).mean(axis=1)))).astype(np.float32)


def integers(weight: np.ndarray, bits: int) -> np.ndarray:
    """``round(weight / max(weight) * L)``, L = 2**(bits-1) - 1, int64.

    The maximum is the signed one of the whole tensor, so integers below -L occur.
    """
    top = np.float32(2 ** (bits - 1) - 1)
    return np.rint(weight.astype(np.float32) / weight.max() * top).astype(np.int64)


def quantise(weight: np.ndarray, bits: int) -> np.ndarray:
    """``integers(weight, bits) / L * max(weight)``, float32."""
    top = np.float32(2 ** (bits - 1) - 1)
    return integers(weight, bits).astype(np.float32) / top * weight.max()
