"""Choosing integers: scales, biases and shifts of one layer at a time.

Reals here are float64; every function is told ``one``, the units of x per 1.0.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from hw.arch.formats import (
    BIAS_MAX,
    FACTOR_BITS,
    FACTOR_MAX,
    MEMBRANE_BITS,
    MEMBRANE_MAX,
    SHIFTS,
    STATE_MAX,
    state_levels,
)
from hw.arch.isa import BY_NAME
from hw.common.errors import SpikeloomError
from sw.network import PRODUCT_MAX, Affine, pixel_reach

MIN_PIXEL_BITS = 8  #: Fewest bits of mantissa tried for a first convolution.


class DoesNotFitError(Exception):
    """No shift fits; fewer fraction bits, or a smaller state shift of ``group``, may."""

    group: str | None = None


def nearest(x: np.ndarray) -> np.ndarray:
    """Round to nearest, int64."""
    return np.rint(np.asarray(x, dtype=np.float64)).astype(np.int64)


def grid(one: float) -> str:
    """``one`` in words."""
    bits = math.log2(one)
    return f"{bits:.0f} fraction bits" if bits.is_integer() else f"{one:.6g} units per 1.0"


@dataclass(frozen=True, kw_only=True)
class Rest:
    """Channels whose scale may be clamped, and the value of x that they keep.

    ``mask`` bool (O,); ``level`` float (O,): x where clamped and unclamped line cross.
    """

    mask: np.ndarray
    level: np.ndarray

    def share(self, *limits: np.ndarray) -> np.ndarray:
        """Share of each channel's scale that is kept: 1, or less where a limit (>= 1 fits) asks."""
        least = np.minimum.reduce([np.ones(len(self.mask)), *limits])
        return np.where(self.mask, least, 1.0)

    def clamp(self, b: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Offsets ``b`` of lines that pass through ``level`` with ``share`` of their slope."""
        return np.where(share < 1, self.level - (self.level - b) * share, b)


def _room(limit: float, value: np.ndarray) -> np.ndarray:
    """``limit / value``, at least one where the value is within the limit."""
    return limit / np.maximum(np.abs(value), 1e-30)


def affine(
    name: str,
    a: np.ndarray,
    b: np.ndarray,
    one: float,
    largest: int,
    *,
    above: float | None = None,
    dead: Rest | None = None,
    sure: Rest | None = None,
) -> Affine:
    """Integers for ``x = a * S + b`` with the largest shift that fits; ``|S| <= largest``.

    x is rounded to nearest, or, with ``above``, up: a neuron of fresh membrane then fires at
    x > above for exactly the sums S for which the reals say so, and later nearly so.

    ``dead`` channels are clamped to what the others' shift leaves them. Where no shift fits, those
    of ``sure``, whose neuron one count of S decides, are clamped at the smallest.
    """
    for rest in (dead, _both(dead, sure)):
        for shift in sorted(SHIFTS, reverse=True):
            if rest is not dead and shift != min(SHIFTS):
                continue
            unit = one * 2.0**shift
            slope, offset = a, b
            if rest is not None:
                share = rest.share(
                    _room(FACTOR_MAX, a * unit),
                    _room(PRODUCT_MAX / 4, a * unit * largest),
                    _room(BIAS_MAX / 2, (rest.level - b) * unit),
                )
                slope, offset = a * share, rest.clamp(b, share)
            if max(np.abs(slope).max(), np.abs(offset).max()) * unit >= 2.0**62:
                continue
            rounding = 1 << (shift - 1) if above is None else (1 << shift) - 1
            factor, bias = nearest(slope * unit), nearest(offset * unit) + rounding
            worst = np.abs(factor) * largest + np.abs(bias)
            fits = np.abs(factor).max() <= FACTOR_MAX and np.abs(bias).max() <= BIAS_MAX
            if fits and worst.max() <= PRODUCT_MAX:
                if above is not None:
                    limit = (int(np.floor(above * one)) + 1) << shift
                    bias = _exact(slope, offset, above, factor, bias, limit)
                return Affine(factor=factor, bias=bias, shift=shift)
        if sure is None or not sure.mask.any():
            break
    raise DoesNotFitError(
        f"{name}: scales up to {np.abs(a).max():.4g} and biases up to {np.abs(b).max():.4g} "
        f"do not fit with {grid(one)}"
    )


def _both(dead: Rest | None, sure: Rest | None) -> Rest | None:
    if dead is None or sure is None:
        return dead if sure is None else sure
    level = np.where(dead.mask, dead.level, sure.level)
    return Rest(mask=dead.mask | sure.mask, level=level)


def _exact(
    a: np.ndarray, b: np.ndarray, above: float, factor: np.ndarray, bias: np.ndarray, limit: int
) -> np.ndarray:
    """``bias``, moved so that ``factor * S + bias >= limit`` just where ``a * S + b > above``.

    Only the whole sums on both sides of the crossing can go wrong; a bias moves by less than a
    unit of x.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (above - b) / a
    near = (factor != 0) & (np.abs(crossing) < 2.0**20)
    crossing, up = nearest(np.where(near, crossing, 0.0)), np.sign(a).astype(np.int64)
    fires = crossing + up  # the first sum that fires is this one or one of the two before
    for sums in (crossing, crossing - up):
        fires = np.where(a * sums + b > above, sums, fires)
    rests = fires - up
    low, high = limit - factor * fires, limit - 1 - factor * rests
    return np.where(near & (low <= high), np.clip(bias, low, high), bias)


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


def threshold(name: str, theta: float, strict: bool, one: float) -> int:
    """Threshold in units of x; on the grid a compare is exact."""
    level = theta * one
    limit = int(np.floor(level)) + 1 if strict else int(np.ceil(level))
    if not 1 <= limit <= MEMBRANE_MAX:
        raise SpikeloomError(
            f"{name}: theta {theta} is out of range with {grid(one)}; "
            f"it must be above 0 and at most {MEMBRANE_MAX / one:.6g}"
        )
    return limit


def state_thresholds(bits: int, alpha: float, one: float) -> np.ndarray:
    """Magnitudes from which on a membrane of w / ``one`` has code 1, 2, .. L; int64 (L,).

    The code is ``round(clip(tanh(w / one) / alpha, -1, 1) * L)``, ties to even, in float32 as
    torch computes it. STATE_MAX + 1 where no magnitude up to STATE_MAX has the code.
    """
    levels = state_levels(bits)
    u = np.tanh(np.arange(STATE_MAX + 1) / one).astype(np.float32)
    codes = np.rint(np.minimum(u / np.float32(alpha), np.float32(1)) * np.float32(levels))
    return np.searchsorted(codes, np.arange(1, levels + 1)).astype(np.int64)


def mantissas(weight: np.ndarray, bits: int) -> np.ndarray:
    """Nearest (O, ...) integers that are ``bits``-bit mantissas times a power of two per O."""
    flat = weight.reshape(len(weight), -1)
    limit = (1 << (bits - 1)) - 1
    top = np.abs(flat).max(axis=1)
    exponent = np.ceil(np.log2(np.maximum(top, 1e-30) / (limit + 0.5)))
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
    one: float,
    weight_bits: int | None,
    dead: Rest | None = None,
) -> dict:
    """Fields weight, weight_bits, bias, shift, pixel_shift and centre of the first convolution.

    ``x = sum weight * (pixel / 255 - mean) / std + bias``. Of all pixel shifts and shifts that
    instruction and accumulator hold, those with the smallest error of x; then, where
    ``weight_bits`` is None, the fewest bits of mantissa that come within a tenth of it.

    The error is that of the worst channel, ``dead`` ones aside: a full-scale pixel on every tap,
    rounded weights independent of each other, the rounded centre the same on all, and the
    rounding of x. Dead channels are clamped to what the others' shifts leave them.
    """
    offset = 255.0 * np.asarray(mean)
    per_pixel = weight / (255.0 * np.asarray(std))[None, :, None, None]  # (O, I, kh, kw)
    most = FACTOR_BITS if weight_bits is None else weight_bits
    tries = [
        _Try(pixel_shift=pixel_shift, shift=shift, bits=most)
        for pixel_shift in range(BY_NAME["pix_shift"].most + 1)
        for shift in SHIFTS
    ]
    found = [(t.quantise(per_pixel, bias, offset, one, dead), t) for t in tries]
    held = [(fields, error, t) for (fields, error), t in found if fields is not None]
    if not held:
        raise DoesNotFitError(f"{name}: weights do not fit with {grid(one)}")
    best = min(error for _, error, _ in held)
    fields, error, chosen = next(entry for entry in held if entry[1] <= best * 1.001)
    for bits in range(MIN_PIXEL_BITS, most) if weight_bits is None else ():
        fewer, error = replace(chosen, bits=bits).quantise(per_pixel, bias, offset, one, dead)
        if fewer is not None and error <= 1.1 * best:
            return fewer
    return fields


@dataclass(frozen=True, kw_only=True)
class _Try:
    """One choice of formats for a first convolution."""

    pixel_shift: int
    shift: int
    bits: int

    def quantise(
        self,
        per_pixel: np.ndarray,
        bias: np.ndarray,
        offset: np.ndarray,
        one: float,
        dead: Rest | None,
    ) -> tuple[dict | None, float]:
        """Fields and error of x, or None where something does not fit."""
        none = None, math.inf
        exact = offset * 2.0**self.pixel_shift
        field = BY_NAME["centre0"]
        centre = nearest(exact)
        if centre.min() < field.least or centre.max() > field.most:
            return none
        reach = pixel_reach(self.pixel_shift, centre)
        if reach.max() > MEMBRANE_MAX:
            return none
        unit = one * 2.0**self.shift
        real, scaled = per_pixel * unit / 2.0**self.pixel_shift, bias * unit
        if dead is not None:
            share = dead.share(
                _room(FACTOR_MAX / 2, np.abs(real).max(axis=(1, 2, 3))),
                _room(PRODUCT_MAX / 4, (np.abs(real).sum(axis=(2, 3)) * reach).sum(axis=1)),
                _room(BIAS_MAX / 4, (dead.level - bias) * unit),
            )
            real = real * share[:, None, None, None]
            scaled = dead.clamp(bias, share) * unit
        if np.abs(real).max() > FACTOR_MAX + 0.5 or np.abs(scaled).max() > BIAS_MAX - unit:
            return none
        whole = mantissas(real, self.bits)
        integer_bias = nearest(scaled) + (1 << (self.shift - 1))
        worst = (np.abs(whole).sum(axis=(2, 3)) * reach).sum(axis=1) + np.abs(integer_bias)
        if np.abs(whole).max() > FACTOR_MAX or worst.max() > PRODUCT_MAX:
            return none
        if np.abs(integer_bias).max() > BIAS_MAX:
            return none
        live = slice(None) if dead is None or dead.mask.all() else ~dead.mask
        rounded = (((whole - real) ** 2).sum(axis=(2, 3)) * reach**2.0).sum(axis=1)[live]
        moved = np.abs((real.sum(axis=(2, 3)) * (centre - exact)).sum(axis=1))[live]
        error = np.sqrt(rounded + moved**2).max() / unit + 0.5 / one
        return {
            "weight": whole,
            "weight_bits": self.bits,
            "bias": integer_bias,
            "shift": self.shift,
            "pixel_shift": self.pixel_shift,
            "centre": tuple(int(c) for c in centre),
        }, float(error)


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


def count_head(
    name: str, weight: np.ndarray, unit: float, bias: np.ndarray, count: int
) -> tuple[dict, dict]:
    """Fields factor, bias and shift of the mean, and those of the head, over counts of spikes.

    ``logit = unit * (weight @ counts) + bias`` for integer ``weight`` and counts 0 to ``count``,
    exact but for what the last shift drops: the finest logits that cannot saturate. Weights are
    rounded to fewer bits only where the accumulator would not hold them.
    """
    if unit < 0:  # the largest of all weights was negative
        weight, unit = -weight, -unit
    total = (PRODUCT_MAX - BIAS_MAX) // (MEMBRANE_MAX + 1)
    whole, gain = weight, 1.0  # gain: weight kept per weight given
    while np.abs(whole).sum(axis=1).max() > total or np.abs(whole).max() > FACTOR_MAX:
        gain *= 0.98
        whole = nearest(weight * gain)
    weight, unit = whole, unit / gain
    level = bias / unit
    ends = [np.clip(sign * weight, 0, None).sum(axis=1) * count * sign + level for sign in (1, -1)]
    worst = float(np.abs(ends).max())
    fine = math.floor(math.log2((MEMBRANE_MAX - 1) / max(worst, 1e-9)))
    for gain in range(min(fine, 16), -31, -1):  # logits in steps of 2**-gain sums
        for shift in sorted(SHIFTS, reverse=True):
            scale = gain + shift  # counts times 2**scale
            whole = nearest(level * 2.0**scale) + (1 << (shift - 1))
            fits = 0 <= scale <= 16 - min(SHIFTS)
            if not fits or count << scale > MEMBRANE_MAX or np.abs(whole).max() > BIAS_MAX:
                continue
            mean = {"factor": 1 << (scale + min(SHIFTS)), "bias": 0, "shift": min(SHIFTS)}
            fields = {"weight": weight, "bias": whole, "shift": shift}
            bits = int(np.abs(weight).max()).bit_length() + 1
            return mean, {**fields, "weight_bits": max(2, bits), "scale": unit / 2.0**gain}
    raise SpikeloomError(
        f"{name}: counts up to {count} and biases up to {np.abs(bias).max():.4g} do not fit; "
        "use a smaller network, or train it with smaller biases"
    )
