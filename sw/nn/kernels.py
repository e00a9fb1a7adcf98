"""Loops over time of the neurons' passes, compiled where numba is installed, on CPU tensors.

A tensor comes as the flat view (F, n) of its memory, one row per time step; F = 1 stands for the
same currents at every step. Blocks of a row stay in the cache while time passes over them.
"""

import functools
import types

import numpy as np

from hw.common import jit

BLOCK = 2048  #: Elements that pass through all steps together.


def lif_forward(x, theta, soft, u, s):
    """Potentials ``u`` before the reset and spikes ``s``, both (T, n) out, of currents (F, n)."""
    steps, n = u.shape
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    v = np.empty(BLOCK, np.float32)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for i in range(size):
            v[i] = zero
        for t in range(steps):
            row = x[min(t, x.shape[0] - 1), start : start + size]
            u_row, s_row = u[t, start : start + size], s[t, start : start + size]
            for i in range(size):
                value = v[i] + (row[i] - v[i]) * half
                fired = one if value >= theta else zero
                u_row[i] = value
                s_row[i] = fired
                v[i] = value - theta * fired if soft else value * (one - fired)


def lif_backward(grad, u, theta, soft, out):
    """Gradient ``out`` (F, n) of the currents, of that of the spikes (T, n)."""
    steps, n = u.shape
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    shared = out.shape[0] < steps
    carry = np.empty(BLOCK, np.float32)  # of the membrane before this step
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for i in range(size):
            carry[i] = zero
        if shared:
            out[0, start : start + size] = zero
        for t in range(steps - 1, -1, -1):
            g_row, u_row = grad[t, start : start + size], u[t, start : start + size]
            o_row = out[0 if shared else t, start : start + size]
            for i in range(size):
                off = u_row[i] - theta
                slope = max(one - abs(off), zero)
                kept = carry[i]
                if not soft:
                    kept = kept if off < zero else zero
                total = (g_row[i] * slope + kept) * half
                carry[i] = total
                o_row[i] = o_row[i] + total if shared else total


def state_step(x, kept, theta, u, s, w):
    """One step of a neuron of stored membrane, all (n,): potentials ``u`` of currents ``x`` on top
    of ``kept``, spikes ``s``, and membranes after the reset ``w``, which may be ``kept``.
    """
    zero, one = np.float32(0), np.float32(1)
    for i in range(len(x)):
        value = kept[i] + x[i]
        fired = value > theta
        u[i] = value
        s[i] = one if fired else zero
        w[i] = zero if fired else value


def state_keep(tanh, scale, levels, kept):
    """Half of the nearest stored value to each ``tanh`` (n,), into ``kept``."""
    half, one = np.float32(0.5), np.float32(1)
    for i in range(len(tanh)):
        code = np.rint(min(max(tanh[i] / scale, -one), one) * levels)
        kept[i] = code * scale / levels * half


def lif_forward_in(u, theta, soft, s):
    """As `lif_forward`; potentials take the place of the currents."""
    steps, n = u.shape
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    v = np.empty(BLOCK, np.float32)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for i in range(size):
            v[i] = zero
        for t in range(steps):
            u_row, s_row = u[t, start : start + size], s[t, start : start + size]
            for i in range(size):
                value = v[i] + (u_row[i] - v[i]) * half
                fired = one if value >= theta else zero
                u_row[i] = value
                s_row[i] = fired
                v[i] = value - theta * fired if soft else value * (one - fired)


def lif_backward_in(grad, u, theta, soft):
    """As `lif_backward`; gradients take the place of the potentials."""
    steps, n = u.shape
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    carry = np.empty(BLOCK, np.float32)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for i in range(size):
            carry[i] = zero
        for t in range(steps - 1, -1, -1):
            g_row, u_row = grad[t, start : start + size], u[t, start : start + size]
            for i in range(size):
                off = u_row[i] - theta
                slope = max(one - abs(off), zero)
                kept = carry[i]
                if not soft:
                    kept = kept if off < zero else zero
                total = (g_row[i] * slope + kept) * half
                carry[i] = total
                u_row[i] = total


def state_backward(grad, u, tanh, theta, limit, out):
    """As `lif_backward`, for the neuron that stores tanh of its membrane, (T - 1, n).

    ``limit`` is the largest magnitude of tanh that passes a gradient.
    """
    steps, n = u.shape
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    shared = out.shape[0] < steps
    carry = np.empty(BLOCK, np.float32)  # of what is stored after this step
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for i in range(size):
            carry[i] = zero
        if shared:
            out[0, start : start + size] = zero
        for t in range(steps - 1, -1, -1):
            g_row, u_row = grad[t, start : start + size], u[t, start : start + size]
            h_row = tanh[min(t, steps - 2), start : start + size]
            o_row = out[0 if shared else t, start : start + size]
            for i in range(size):
                off = u_row[i] - theta
                slope = max(one - abs(off), zero)
                h = h_row[i]
                kept = carry[i] * (one - h * h)
                kept = zero if off > zero or abs(h) > limit else kept
                total = g_row[i] * slope + kept
                carry[i] = total * half
                o_row[i] = o_row[i] + total if shared else total


@functools.cache
def compiled() -> types.SimpleNamespace | None:
    """The loops above compiled, or None where numba does not work."""
    if jit.numba() is None:
        return None
    loops = (
        lif_forward,
        lif_backward,
        lif_forward_in,
        lif_backward_in,
        state_step,
        state_keep,
        state_backward,
    )
    options = {"nogil": True, "error_model": "numpy"}
    return types.SimpleNamespace(**{loop.__name__: jit.jit(loop, **options) for loop in loops})
