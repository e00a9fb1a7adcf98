"""Choosing integers: scales, biases and shifts of one layer at a time.

Reals here are float64; every function is told the fraction bits of x.
"""

import numpy as np

from hw.arch.errors import SpikeloomError
from hw.arch.formats import (
    BIAS_MAX,
    FACTOR_MAX,
    MEMBRANE_BITS,
    MEMBRANE_MAX,
    PRODUCT_BITS,
    SHIFTS,
)
from sw.check import pixel_reach
from sw.network import Affine

PRODUCT_MAX = (1 << (PRODUCT_BITS - 1)) - 1


class DoesNotFitError(Exception):
    """No shift fits; fewer fraction bits may."""


def nearest(x: np.ndarray) -> np.ndarray:
    """Round to nearest, int64."""
    return np.rint(np.asarray(x, dtype=np.float64)).astype(np.int64)


def affine(name: str, a: np.ndarray, b: np.ndarray, frac_bits: int, largest: int) -> Affine:
    """Integers for ``x = a * S + b`` with the largest shift that fits; ``|S| <= largest``."""
    for shift in sorted(SHIFTS, reverse=True):
        unit = 2.0 ** (frac_bits + shift)
        if max(np.abs(a).max(), np.abs(b).max()) * unit >= 2.0**62:
            continue
        factor, bias = nearest(a * unit), nearest(b * unit) + (1 << (shift - 1))
        worst = np.abs(factor) * largest + np.abs(bias)
        fits = np.abs(factor).max() <= FACTOR_MAX and np.abs(bias).max() <= BIAS_MAX
        if fits and worst.max() <= PRODUCT_MAX:
            return Affine(factor=factor, bias=bias, shift=shift)
    raise DoesNotFitError(
        f"{name}: scales up to {np.abs(a).max():.4g} and biases up to {np.abs(b).max():.4g} "
        f"do not fit with {frac_bits} fraction bits"
    )


def counts(name: str, largest: int, theta: float, strict: bool) -> tuple[Affine, int]:
    """Affine and threshold of a neuron on whole counts 0 to ``largest``, in its own scale.

    The most fraction bits that cannot saturate; with at least T of them the neuron is exact.
    """
    shift = min(SHIFTS)
    for frac in range(FACTOR_MAX.bit_length() - 1 - shift, -1, -1):
        level = theta * 2.0**frac
        limit = int(np.floor(level)) + 1 if strict else int(np.ceil(level))
        if largest << frac <= MEMBRANE_MAX and 1 <= limit <= MEMBRANE_MAX:
            factor = np.array([1 << (frac + shift)], dtype=np.int64)
            bias = np.array([1 << (shift - 1)], dtype=np.int64)
            return Affine(factor=factor, bias=bias, shift=shift), limit
    raise SpikeloomError(
        f"{name}: counts up to {largest} against theta {theta} do not fit a membrane of "
        f"{MEMBRANE_BITS} bits; use a smaller network or another theta"
    )


def threshold(name: str, theta: float, strict: bool, frac_bits: int) -> int:
    """Threshold in units of x; on the grid a compare is exact."""
    level = theta * 2.0**frac_bits
    limit = int(np.floor(level)) + 1 if strict else int(np.ceil(level))
    if not 1 <= limit <= MEMBRANE_MAX:
        raise SpikeloomError(
            f"{name}: theta {theta} is out of range with {frac_bits} fraction bits; "
            f"it must be above 0 and at most {MEMBRANE_MAX / 2.0**frac_bits:.6g}"
        )
    return limit


def mantissas(weight: np.ndarray, bits: int) -> np.ndarray:
    """Nearest (O, ...) integers that are ``bits``-bit mantissas times a power of two per O."""
    flat = weight.reshape(len(weight), -1)
    limit = (1 << (bits - 1)) - 1
    top = np.abs(flat).max(axis=1)
    exponent = np.ceil(np.log2(np.maximum(top, 1e-300) / (limit + 0.5)))
    unit = 2.0 ** np.maximum(exponent, 0)[:, None]
    rounded = np.rint(flat / unit)
    over = np.abs(rounded).max(axis=1) > limit
    unit[over] *= 2
    rounded[over] = np.rint(flat[over] / unit[over])
    return (rounded * unit).astype(np.int64).reshape(weight.shape)


def pixel_conv(
    name: str,
    weight: np.ndarray,
    bias: np.ndarray,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    frac_bits: int,
    weight_bits: int,
) -> dict:
    """Fields weight, bias, shift, pixel_shift and centre of the first convolution.

    ``x = sum weight * (pixel / 255 - mean) / std + bias``; of all pixel shifts and shifts that
    fit, those with the smallest bound on the error of x.
    """
    offset = 255.0 * np.asarray(mean)
    per_pixel = weight / (255.0 * np.asarray(std))[None, :, None, None]  # (O, I, kh, kw)
    best = None
    for pixel_shift in range(MEMBRANE_BITS - 8):
        exact = offset * 2.0**pixel_shift
        if np.abs(exact).max() > MEMBRANE_MAX:
            continue
        centre = nearest(exact)
        reach = pixel_reach(pixel_shift, centre)
        if reach.max() > MEMBRANE_MAX:
            continue
        for shift in SHIFTS:
            unit = 2.0 ** (frac_bits + shift)
            real = per_pixel * unit / 2.0**pixel_shift
            scaled = bias * unit
            if np.abs(real).max() > FACTOR_MAX + 0.5 or np.abs(scaled).max() > BIAS_MAX - unit:
                continue
            whole = mantissas(real, weight_bits)
            if np.abs(whole).max() > FACTOR_MAX:
                continue
            integer_bias = nearest(scaled) + (1 << (shift - 1))
            worst = (np.abs(whole).sum(axis=(2, 3)) * reach).sum(axis=1) + np.abs(integer_bias)
            if worst.max() > PRODUCT_MAX or np.abs(integer_bias).max() > BIAS_MAX:
                continue
            error = (np.abs(whole - real).sum(axis=(2, 3)) * reach).sum(axis=1)
            error += (np.abs(real).sum(axis=(2, 3)) * np.abs(centre - exact)).sum(axis=1)
            bound = (error.max() + 0.5) / unit
            if best is None or bound < best[0] * 0.999:
                best = (
                    bound,
                    {
                        "weight": whole,
                        "bias": integer_bias,
                        "shift": shift,
                        "pixel_shift": pixel_shift,
                        "centre": tuple(int(c) for c in centre),
                    },
                )
    if best is None:
        raise DoesNotFitError(f"{name}: weights do not fit with {frac_bits} fraction bits")
    return best[1]


def head(name: str, weight: np.ndarray, bias: np.ndarray, unit: float, weight_bits: int) -> dict:
    """Fields weight, bias, shift and scale of the head; it cannot saturate.

    ``logit = weight * (x * unit) + bias`` for integers ``|x| <= MEMBRANE_MAX + 1``. The finest
    weights come first, then the finest logits.
    """
    limit = (1 << (weight_bits - 1)) - 1
    top = max(np.abs(weight).max(), 1e-12)
    best = None
    for shift in sorted(SHIFTS):
        gain = min(limit / top, 2.0**40)
        for _ in range(200):  # gain: integer weight per real weight
            whole = nearest(weight * gain)
            integer_bias = nearest(bias * gain / unit) + (1 << (shift - 1))
            worst = np.abs(whole).sum(axis=1) * (MEMBRANE_MAX + 1) + np.abs(integer_bias)
            room = min(MEMBRANE_MAX << shift, PRODUCT_MAX)
            if worst.max() <= room and np.abs(integer_bias).max() <= BIAS_MAX:
                break
            gain *= min(0.98, max(0.5, room / worst.max()))
        else:
            continue
        if best is None or gain > best[0] * 1.0001:
            best = (
                gain,
                {
                    "weight": whole,
                    "bias": integer_bias,
                    "shift": shift,
                    "scale": float(2.0**shift * unit / gain),
                },
            )
    if best is None:
        raise SpikeloomError(f"{name}: biases are too large beside the weights; train it again")
    return best[1]
