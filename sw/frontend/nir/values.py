"""What the arrays of NIR nodes say in this project's terms, or why they say nothing in them."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sw.frontend.nir.file import NIRNode
from sw.graph import quantise

CLOSE = 1e-6  #: Relative distance at which a ratio of float32 time constants is the round one.


class UnreadableError(Exception):
    """Why a node cannot be read; the node's label stands before it."""


def snap(ratio: float) -> float:
    """``ratio``, or the fraction of denominator 64 or less within ``CLOSE`` of it."""
    near = float(Fraction(ratio).limit_denominator(64))
    return near if abs(near - ratio) <= CLOSE * abs(ratio) else ratio


def whole(node: NIRNode, key: str) -> int:
    """A field that is one whole number."""
    value = np.asarray(node.fields[key])
    if value.size != 1 or value.ravel()[0] != int(value.ravel()[0]):
        raise UnreadableError(f"{key} is {value.tolist()}, wanted one whole number")
    return int(value.ravel()[0])


def pair(node: NIRNode, key: str) -> tuple[int, int]:
    """A field that is (height, width), or one number for both."""
    value = np.asarray(node.fields[key]).ravel()
    if value.size not in (1, 2) or (value != value.astype(int)).any() or (value < 0).any():
        raise UnreadableError(f"{key} is {value.tolist()}, wanted (height, width)")
    height, width = np.resize(value, 2).tolist()
    return int(height), int(width)


def side(node: NIRNode, key: str) -> int:
    """A ``pair`` of equal numbers."""
    height, width = pair(node, key)
    if height != width:
        raise UnreadableError(f"{key} is {height}x{width}, wanted the same both ways")
    return height


def uniform(node: NIRNode, key: str, shape: tuple[int, ...] | None) -> float:
    """The one value of a parameter that may be stored for each neuron of ``shape``."""
    value = np.asarray(node.fields[key], dtype=np.float64)
    if not value.size:
        raise UnreadableError(f"{key} is empty")
    if shape is not None and value.size > 1 and value.shape not in (shape, shape[:1]):
        raise UnreadableError(f"{key} is {value.shape}, its input {shape}")
    if value.min() != value.max():
        raise UnreadableError(
            f"{key} is not the same for all neurons ({value.min():g} to {value.max():g})"
        )
    return float(value.ravel()[0])


def per_channel(value: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Factors of a ``Scale`` as (C, 1, 1), or (C, H, W) where pixels of a channel differ."""
    full = np.asarray(value, dtype=np.float64)
    if full.size == 1:
        full = np.full(shape, full.ravel()[0])
    elif full.size == shape[0]:
        full = np.broadcast_to(full.reshape(-1, 1, 1), shape)
    elif full.size == np.prod(shape):
        full = full.reshape(shape)
    else:
        raise UnreadableError(f"scale is {full.shape}, its input {shape}")
    first = full[:, :1, :1]
    return first if (full == first).all() else full


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """LIF parameters of the float graph; see ``sw.graph.LIF``."""

    tau: float
    decay_input: bool
    theta: float


def neuron(node: NIRNode, shape: tuple[int, ...] | None, dt: float | None) -> Neuron | None:
    """An IF or LIF in steps of ``dt`` by forward Euler; None where ``dt`` is not known yet.

    ``v += dt / tau * (r x - v)``. A gain r stands in the threshold: ``v / r > theta / r``.
    """
    get = {
        key: uniform(node, key, shape)
        for key in ("tau", "r", "v_leak", "v_threshold", "v_reset")
        if key in node.fields
    }
    if get.get("v_reset", 0.0) != 0:
        raise UnreadableError(f"v_reset is {get['v_reset']:g}, wanted 0: neurons reset to 0")
    if get.get("v_leak", 0.0) != 0:
        raise UnreadableError(f"v_leak is {get['v_leak']:g}, wanted 0: membranes leak to 0")
    r, theta = get["r"], get["v_threshold"]
    if r <= 0:
        raise UnreadableError(f"r is {r:g}, wanted above 0; turn the signs of the weights instead")
    tau = get.get("tau")
    if tau is not None and tau <= 0:
        raise UnreadableError(f"tau is {tau:g}, wanted above 0")
    if dt is None:
        return None
    if tau is None:
        return Neuron(tau=1.0, decay_input=False, theta=snap(theta / (r * dt)))
    steps = snap(tau / dt)
    if steps < 1:
        raise UnreadableError(
            f"tau {tau:g} is below dt {dt:g}, so the membrane would change its sign by leaking; "
            "give a smaller dt"
        )
    if snap(r) != 1 and snap(r / steps) == 1 and steps > 1:
        return Neuron(tau=snap(1 / (1 - 1 / steps)), decay_input=False, theta=theta)
    return Neuron(tau=steps, decay_input=True, theta=theta if snap(r) == 1 else theta / r)


def signs(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | str:
    """Signs and magnitude per output channel of a binary layer, or why it is none.

    The signs are such that ``sw.graph.binarise`` gives them back.
    """
    flat = weight.reshape(len(weight), -1)
    size = np.abs(flat)
    scale = size[:, 0].copy()
    several = np.flatnonzero((size != scale[:, None]).any(axis=1))
    if several.size:
        return f"output channel {_some(several)} has weights of several magnitudes"
    sign = np.where(flat < 0, -1.0, 1.0)
    sign[scale == 0, 0] = -1.0  # a filter of zeros is any filter times 0
    one = np.flatnonzero((sign == sign[:, :1]).all(axis=1))
    if one.size:
        return (
            f"output channel {_some(one)} has weights of one sign only, which "
            "sign(W - mean(W)) never gives"
        )
    return sign.reshape(weight.shape).astype(np.float32), scale


def quantised(node: NIRNode, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Weights of few bits, their factors and their bits, as the metadata tells.

    None where nothing tells, or where these do not give ``weight`` back exactly.
    """
    try:
        bits = int(node.metadata["weight_bits"])
        top = np.float32(node.metadata["top"])
        factor = np.asarray(node.metadata["factor"], dtype=np.float32)
        column = factor.reshape(-1, *[1] * (weight.ndim - 1))
        levels = 2.0 ** (bits - 1) - 1
        with np.errstate(all="ignore"):
            whole_numbers = np.rint(weight.astype(np.float64) / column / top * levels)
            plain = whole_numbers.astype(np.float32) / np.float32(levels) * top
            same = np.array_equal(quantise(plain, bits), plain)
            exact = same and np.array_equal(plain * column, weight)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (plain, factor.astype(np.float64), bits) if exact and 2 <= bits <= 16 else None


def _some(rows: np.ndarray) -> str:
    text = ", ".join(map(str, rows[:4].tolist()))
    return text if rows.size <= 4 else f"{text} and {rows.size - 4} more"
