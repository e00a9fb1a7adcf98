"""Arguments of the lane kernels, with values at the ends of all ranges, and lanes by loops."""

import numpy as np

from sw.network import State

LOW, HIGH, MOST = -(1 << 17), (1 << 17) - 1, (1 << 14) - 2
STATE = State(bits=4, thresholds=np.array([1, 8, 40, 900, MOST, MOST + 1, MOST + 1]), shift=4)
T, B, N, P = 4, 2, 3, 11

#: Residuals, steps of the sums, and what differs from a hard reset of whole membranes.
CASES = {
    "hard": (0, T, {}),
    "soft": (0, T, {"soft": True}),
    "still": (0, 1, {}),
    "state": (0, T, {"state": STATE}),
    "one residual": (1, T, {}),
    "two residuals": (2, 1, {}),
    "shortcut": (0, T, {"value": -70_000}),
    "shortcut and state": (0, T, {"value": 90_000, "state": STATE}),
    "residual alone": (2, T, {"spikes": np.empty((0, 0, 0, 0), np.uint8)}),
    "spikes alone": (0, T, {"y": np.empty((0, 0, 0, 0), np.int32)}),
}


def case(name):
    """Arguments of one case, always the same."""
    residuals, steps, changes = CASES[name]
    rng = np.random.default_rng(sorted(CASES).index(name))
    given = {
        "sums": rng.integers(-60, 61, (steps, B, N, P)).astype(np.int32),
        "factor": rng.choice([131_071, -131_071, 900, 0, -250], (T, N)),
        "bias": rng.integers(-(1 << 14), 1 << 14, (T, N)),
        "shift": 4,
        "residuals": [
            rng.choice([LOW, HIGH, 5, -5, -4, 77], (T, B, N, P)).astype(np.int32)
            for _ in range(residuals)
        ],
        "shortcut": np.empty((0, 0, 0, 0), np.uint8),
        "value": 0,
        "theta": 500,
        "soft": False,
        "state": None,
        "code": np.zeros((B, N, P), np.int32),
        "spikes": np.empty((T, B, N, P), np.uint8),
        "y": np.empty((T, B, N, P), np.int32),
    }
    given |= changes
    if given["value"]:
        given["shortcut"] = rng.integers(0, 2, (T, B, N, P)).astype(np.uint8)
    if given["state"]:
        given["code"] = rng.integers(-7, 8, (B, N, P)).astype(np.int32)
    return given


def clip(x):
    return min(max(x, LOW), HIGH)


def by_loops(
    sums, factor, bias, shift, residuals, shortcut, value, theta, soft, state, code, spikes, y
):
    """Spikes, y and code of the arguments of a lane kernel, one integer at a time."""
    got = {"spikes": spikes.copy(), "y": y.copy(), "code": code.copy()}
    for b, o, p in np.ndindex(B, N, P):
        v, held = 0, int(code[b, o, p])
        for t in range(T):
            total = int(sums[t if len(sums) > 1 else 0, b, o, p])
            x = clip((int(factor[t, o]) * total + int(bias[t, o])) // 2**shift)
            streams = [int(r[t, b, o, p]) for r in residuals]
            x += sum(streams) // (len(streams) or 1)
            if shortcut.size:
                x += int(shortcut[t, b, o, p]) * value
            x = clip(x)
            if y.size:
                got["y"][t, b, o, p] = x
            u = held * 2**state.shift + x if state else (v + x) // 2
            fired = u >= theta
            if spikes.size:
                got["spikes"][t, b, o, p] = fired
            v = (u - theta if soft else 0) if fired else u
            if state:
                reached = sum(min(abs(v), MOST) >= int(limit) for limit in state.thresholds)
                held = reached if v > 0 else -reached
        if state:
            got["code"][b, o, p] = held
    return got
