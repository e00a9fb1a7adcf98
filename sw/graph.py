"""The float graph: what a trained network computes, whatever family it came from.

A graph is a tuple of nodes in execution order. Each node reads tensors by name and writes one
tensor called by its own ``name`` (the authors' module path). The image is the tensor ``IMAGE``,
already normalised. Feature tensors are (T, B, C, H, W); N = H * W tokens. The graph holds no
image size: it is bound when images arrive or when the network is lowered.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.show import Shown, listing
from sw.result import Result

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


@dataclass(frozen=True, kw_only=True)
class FloatNetwork:
    """A trained network in float32.

    ``mean`` and ``std`` are per input channel: the network reads
    ``(pixel / 255 - mean) / std`` of uint8 pixels.
    """

    name: str
    nodes: tuple[Node, ...]
    steps: int
    channels: int
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None = None  #: Trained image height and width, where known.
    meta: dict = field(default_factory=dict)  #: Labels; JSON types.

    def __repr__(self) -> str:
        size = f"{self.size[0]}x{self.size[1]}" if self.size else "images of any size"
        return listing(
            f"FloatNetwork {self.name!r}: {size}, {self.channels} channels, {self.steps} steps, "
            f"{self.classes} classes, {len(self.nodes)} nodes",
            self.nodes,
        )

    def consumers(self) -> dict[str, list[Node]]:
        """Tensor name -> nodes that read it, in order."""
        table: dict[str, list[Node]] = {}
        for node in self.nodes:
            for source in sources(node):
                table.setdefault(source, []).append(node)
        return table

    def token_tensors(self) -> frozenset[str]:
        """Names of tensors traced as (T, B, C, N): operands and outputs of attention."""
        names, products = set(), set()
        for node in self.nodes:
            if isinstance(node, Similarity):
                names |= {node.left, node.right}
            elif isinstance(node, Apply):
                names.add(node.source)
                products.add(node.name)
        for node in self.nodes:  # what follows the product: its scale, its neuron
            if isinstance(node, Scale | LIF) and node.source in products:
                products.add(node.name)
        return frozenset(names | products)

    def with_alpha(self, alpha: float | str | Mapping[str, float]) -> "FloatNetwork":
        """The network with other state quantisers.

        Parameters
        ----------
        alpha : one number for all neurons whose state is quantised, a number for each by name,
            or 'batch': the largest ``|tanh(v)|`` of each step over each batch, as in training.
        """
        quantised = [n.name for n in self.nodes if isinstance(n, LIF) and n.state_bits]
        if alpha == "batch":
            table: dict[str, float | None] = dict.fromkeys(quantised)
        elif isinstance(alpha, Mapping):
            table = dict(alpha)
        else:
            table = dict.fromkeys(quantised, alpha)  # type: ignore[arg-type]
        if unknown := sorted(table.keys() - set(quantised)):
            known = ", ".join(quantised) or "none"
            raise SpikeloomError(
                f"{self.name}: no neuron of quantised state is called {', '.join(unknown)}; "
                f"there are {known}"
            )
        for name, value in table.items():
            if value is None and alpha == "batch":
                continue
            real = isinstance(value, Real) and not isinstance(value, bool)
            if not real or not 0 < value < math.inf:  # type: ignore[operator]
                raise SpikeloomError(
                    f"{self.name}: alpha of {name} must be above 0 or 'batch', not {value!r}"
                )
        nodes = (
            replace(n, alpha=table[n.name]) if isinstance(n, LIF) and n.name in table else n
            for n in self.nodes
        )
        return replace(self, nodes=tuple(nodes))

    def measure_alpha(self, images: np.ndarray, *, batch: int = 64) -> dict[str, float]:
        """Largest ``|tanh(v)|`` that each quantised state has on ``images``, for ``with_alpha``.

        A neuron whose state is always 0 gets 1.
        """
        from sw.frontend.execute import measure_alpha

        return measure_alpha(self, images, batch=batch)

    def run(
        self,
        images: np.ndarray,
        *,
        trace: bool | str | Collection[str] = False,
        batch: int = 64,
    ) -> Result:
        """Run in float32 with torch, as the authors' code does in evaluation mode.

        Parameters
        ----------
        images : uint8 (B, H, W), (B, C, H, W) or (B, T, C, H, W), one frame per step.
        trace : True keeps the spikes of every LIF (uint8); "all" keeps every tensor;
            a collection of names keeps those.
        batch : images per pass.
        """
        from sw.frontend.execute import run  # torch is needed here only

        return run(self, images, trace=trace, batch=batch)

    def lower(self, calibration: np.ndarray | None = None, **options):
        """Integer network; see ``sw.lower.lower`` for the options."""
        from sw.lower import lower

        return lower(self, calibration, **options)
