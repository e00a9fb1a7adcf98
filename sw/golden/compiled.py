"""The kernels of ``sw.golden.plain`` compiled by numba; importable only where numba works."""

import functools
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, STATE_MAX
from hw.common.jit import jit
from sw.golden.plain import code_table, pack_rows, tap_major

__all__ = ["binary_sums", "lane", "pack_rows", "pixel_sums", "row_counts", "tap_major"]


@intrinsic
def _ctpop(typingctx, word):
    """Ones of a 64-bit word."""

    def codegen(context, builder, signature, args):
        ctpop = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(ctpop, args)

    return types.int64(types.uint64), codegen


_popcount = cast("Callable[[Any], int]", _ctpop)
_compiled = functools.partial(jit, nogil=True)


@_compiled
def _binary_sums(spikes, words, kh, kw, stride, sums):
    m_count, c_count, height, width = spikes.shape
    rows, columns = sums.shape[2:]
    o_count, n_words = words.shape
    per = (c_count + 63) // 64
    fields = np.zeros((height * width, per), dtype=np.uint64)
    row = np.zeros(n_words + 1, dtype=np.uint64)
    for m in range(m_count):
        fields[:] = np.uint64(0)
        for c in range(c_count):
            k, bit = c >> 6, np.uint64(c & 63)
            for y in range(height):
                for x in range(width):
                    fields[y * width + x, k] |= np.uint64(spikes[m, c, y, x]) << bit
        for y in range(rows):
            for x in range(columns):
                row[:] = np.uint64(0)
                ones = 0
                for i in range(kh):
                    yy = y * stride + i - kh // 2
                    if yy < 0 or yy >= height:
                        continue
                    for j in range(kw):
                        xx = x * stride + j - kw // 2
                        if xx < 0 or xx >= width:
                            continue
                        start = (i * kw + j) * c_count
                        for k in range(per):
                            field = fields[yy * width + xx, k]
                            if field == np.uint64(0):
                                continue
                            ones += _popcount(field)
                            at = start + 64 * k
                            low = np.uint64(at & 63)
                            row[at >> 6] |= field << low
                            if low != np.uint64(0):
                                row[(at >> 6) + 1] |= field >> (np.uint64(64) - low)
                if ones == 0:
                    for o in range(o_count):
                        sums[m, o, y, x] = 0
                    continue
                for o in range(o_count):
                    common = 0
                    for k in range(n_words):
                        common += _popcount(row[k] & words[o, k])
                    sums[m, o, y, x] = 2 * common - ones


def binary_sums(spikes: np.ndarray, words: np.ndarray, kh: int, kw: int, stride: int) -> np.ndarray:
    """See ``plain.binary_sums``."""
    m, _, h, w = spikes.shape
    sums = np.empty((m, len(words), -(-h // stride), -(-w // stride)), dtype=np.int32)
    _binary_sums(np.ascontiguousarray(spikes), words, kh, kw, stride, sums)
    return sums


@_compiled
def _row_counts(left, right, differing, counts):
    for g in range(left.shape[0]):
        for n in range(left.shape[1]):
            for m in range(right.shape[1]):
                count = 0
                for k in range(left.shape[2]):
                    if differing:
                        count += _popcount(left[g, n, k] ^ right[g, m, k])
                    else:
                        count += _popcount(left[g, n, k] & right[g, m, k])
                counts[g, n, m] = count


def row_counts(left: np.ndarray, right: np.ndarray, differing: bool) -> np.ndarray:
    """See ``plain.row_counts``."""
    counts = np.empty((len(left), left.shape[1], right.shape[1]), dtype=np.int32)
    _row_counts(left, right, differing, counts)
    return counts


@_compiled
def _pixel_sums(padded, weight, stride, sums):
    m_count, i_count = padded.shape[:2]
    o_count, _, kh, kw = weight.shape
    height, width = sums.shape[2:]
    line = np.zeros(width)
    for m in range(m_count):
        for o in range(o_count):
            for y in range(height):
                line[:] = 0.0
                for c in range(i_count):
                    for i in range(kh):
                        for j in range(kw):
                            factor = weight[o, c, i, j]
                            for x in range(width):
                                line[x] += factor * padded[m, c, y * stride + i, x * stride + j]
                for x in range(width):
                    sums[m, o, y, x] = np.int64(line[x])


def pixel_sums(p: np.ndarray, weight: np.ndarray, padding: int, stride: int) -> np.ndarray:
    """See ``plain.pixel_sums``."""
    padded = np.pad(p, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    kh, kw = weight.shape[2:]
    h, w = padded.shape[2] - kh + 1, padded.shape[3] - kw + 1
    sums = np.empty((len(p), len(weight), -(-h // stride), -(-w // stride)), dtype=np.int64)
    _pixel_sums(padded, weight, stride, sums)
    return sums


@_compiled
def _lane(
    sums,
    factor,
    bias,
    shift,
    older,
    newer,
    streams,
    shortcut,
    value,
    theta,
    soft,
    table,
    leak,
    code,
    spikes,
    y,
):
    t_count, o_count = factor.shape
    steps, b_count, _, p_count = sums.shape
    fire, store = spikes.size > 0, y.size > 0
    extra, kept = shortcut.size > 0, table.size > 0
    v = np.zeros(p_count, dtype=np.int64)
    for b in range(b_count):
        for o in range(o_count):
            v[:] = 0
            for t in range(t_count):
                s = t if steps > 1 else 0
                f, c = factor[t, o], bias[t, o]
                for p in range(p_count):
                    x = (np.int64(sums[s, b, o, p]) * f + c) >> shift
                    x = min(max(x, MEMBRANE_MIN), MEMBRANE_MAX)
                    if streams == 1:
                        x += older[t, b, o, p]
                    elif streams == 2:
                        x += (np.int64(older[t, b, o, p]) + np.int64(newer[t, b, o, p])) >> 1
                    if extra:
                        x += shortcut[t, b, o, p] * value
                    x = min(max(x, MEMBRANE_MIN), MEMBRANE_MAX)
                    if store:
                        y[t, b, o, p] = x
                    if kept:
                        u = (np.int64(code[b, o, p]) << leak) + x
                        fired = u >= theta
                        spikes[t, b, o, p] = fired
                        size = table[min(abs(u), STATE_MAX)]
                        code[b, o, p] = 0 if fired else (size if u >= 0 else -size)
                    elif fire:
                        u = (v[p] + x) >> 1
                        fired = u >= theta
                        spikes[t, b, o, p] = fired
                        v[p] = (u - theta if soft else 0) if fired else u


def lane(
    sums, factor, bias, shift, residuals, shortcut, value, theta, soft, state, code, spikes, y
) -> None:
    """See ``plain.lane``."""
    empty = np.empty((0, 0, 0, 0), dtype=np.int32)
    older, newer = [*residuals, empty, empty][:2]
    table = code_table(state) if state else np.empty(0, dtype=np.int32)
    _lane(
        sums,
        factor,
        bias,
        shift,
        older,
        newer,
        len(residuals),
        shortcut,
        value,
        theta,
        soft,
        table,
        state.shift if state else 0,
        code,
        spikes,
        y,
    )
