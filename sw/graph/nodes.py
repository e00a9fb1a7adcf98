"""Nodes of the float graph: each reads tensors by name and writes the tensor of its own name.

Feature tensors are (T, B, C, H, W); N = H * W tokens.
"""

from dataclasses import dataclass

import numpy as np

from hw.common.show import Shown

IMAGE = "image"  #: Name of the normalised input.


@dataclass(frozen=True, kw_only=True)
class Conv(Shown):
    """Convolution, zero-padded.

    The weights used are ``binarise(weight)`` with ``binary``, ``quantise(weight, weight_bits)``
    with ``weight_bits``, else ``weight``.
    """

    name: str
    source: str
    weight: np.ndarray  #: float32 (O, I, kh, kw).
    binary: bool
    padding: int = 0
    stride: int = 1
    scale: np.ndarray | None = None  #: Multiplies the output; (O,).
    bias: np.ndarray | None = None  #: Added after ``scale``; (O,).
    weight_bits: int | None = None


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Shown):
    """``(x - mean) / sqrt(var + eps) * weight + bias``, arrays float32 (C,)."""

    name: str
    source: str
    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float = 1e-5

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """``a``, ``b`` float64 (C,) with y = a * x + b."""
        a = self.weight.astype(np.float64) / np.sqrt(self.var.astype(np.float64) + self.eps)
        return a, self.bias.astype(np.float64) - self.mean.astype(np.float64) * a


@dataclass(frozen=True, kw_only=True)
class LIF(Shown):
    """Leaky integrate-and-fire neuron; writes spikes.

    ``decay_input``: ``v += (x - v) / tau``, else ``v = v / tau + x``. Fires at ``v >= theta``
    (``strict``: ``>``); then v becomes 0, or ``v - theta`` with ``soft``. With ``state_bits`` b
    what is then kept for the next step is, with L = 2**(b-1) - 1,
    ``round(clip(tanh(v) / alpha, -1, 1) * L) * alpha / L``, ties to even. ``alpha`` None is the
    largest ``|tanh(v)|`` of the step over the whole batch: no single image has it.
    """

    name: str
    source: str
    theta: float = 1.0
    tau: float = 2.0
    decay_input: bool = True
    soft: bool = False
    strict: bool = False
    state_bits: int | None = None
    alpha: float | None = 1.0


@dataclass(frozen=True, kw_only=True)
class MaxPool(Shown):
    """Maximum over windows of ``size`` x ``size`` (the OR of spikes)."""

    name: str
    source: str
    size: int = 3
    stride: int = 2
    padding: int = 1


@dataclass(frozen=True, kw_only=True)
class AveragePool(Shown):
    """Mean over windows of ``size`` x ``size``, side by side; what is left over is dropped."""

    name: str
    source: str
    size: int = 2


@dataclass(frozen=True, kw_only=True)
class Similarity(Shown):
    """Counts of an attention map, per head and step; channel c = head * d + i.

    order 'qk': left = q, right = k, (T, B, H, N, N) [query, key]. order 'kv': left = k,
    right = v, (T, B, H, d, d) [k channel, v channel]. similarity 'and' counts common ones,
    'xnor' equal bits.
    """

    name: str
    left: str
    right: str
    heads: int
    order: str
    similarity: str


@dataclass(frozen=True, kw_only=True)
class Apply(Shown):
    """Map times operand, (T, B, C, H, W): 'qk' is A v (``source`` = v), 'kv' is q A (= q)."""

    name: str
    map: str
    source: str
    heads: int
    order: str


@dataclass(frozen=True, kw_only=True)
class Scale(Shown):
    """Times ``factor * gain[t, head]``; C is split into heads as in ``Similarity``."""

    name: str
    source: str
    factor: float
    gain: np.ndarray  #: float32 (T, H).


@dataclass(frozen=True, kw_only=True)
class Add(Shown):
    """Sum of a branch and the residual stream."""

    name: str
    branch: str
    stream: str


@dataclass(frozen=True, kw_only=True)
class Average(Shown):
    """``(older + newer) / 2``."""

    name: str
    older: str
    newer: str


@dataclass(frozen=True, kw_only=True)
class MeanTokens(Shown):
    """Mean over tokens, (T, B, C), then with ``over_steps`` over steps, (B, C)."""

    name: str
    source: str
    over_steps: bool = True


@dataclass(frozen=True, kw_only=True)
class Flatten(Shown):
    """All channels and pixels of a step in one axis, channel major; (T, B, C * H * W)."""

    name: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Linear(Shown):
    """``x weight^T + bias``; weight float32 (classes, C), bias (classes,).

    With ``weight_bits`` the weights used are ``quantise(weight, weight_bits)``.
    """

    name: str
    source: str
    weight: np.ndarray
    bias: np.ndarray
    weight_bits: int | None = None


@dataclass(frozen=True, kw_only=True)
class MeanSteps(Shown):
    """Mean of (T, B, C) over steps; (B, C)."""

    name: str
    source: str


@dataclass(frozen=True, kw_only=True)
class HeadAverage(Shown):
    """Mean of logits; the network's output."""

    name: str
    sources: tuple[str, ...]


Node = (
    Conv
    | BatchNorm
    | LIF
    | MaxPool
    | AveragePool
    | Similarity
    | Apply
    | Scale
    | Add
    | Average
    | MeanTokens
    | Flatten
    | Linear
    | MeanSteps
    | HeadAverage
)


def sources(node: Node) -> tuple[str, ...]:
    """Names of the tensors ``node`` reads."""
    match node:
        case Similarity():
            return (node.left, node.right)
        case Apply():
            return (node.map, node.source)
        case Add():
            return (node.branch, node.stream)
        case Average():
            return (node.older, node.newer)
        case HeadAverage():
            return node.sources
        case _:
            return (node.source,)
