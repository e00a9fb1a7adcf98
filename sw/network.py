"""The integer network: the contract between lowering, golden model and compiler.

A network is an ordered tuple of layers; each layer names the tensors it reads and writes. All
arithmetic is integer; nothing downstream of this type looks at a float (``scale`` of the logits
and the accuracy notes in ``meta`` are labels only).

Lane arithmetic, shared by all layers (``formats`` = ``hw.arch.formats``; ``>>`` is floor)::

    x = saturate((factor * S + bias) >> shift)          # shift is one of formats.SHIFTS
    y = saturate(x + r)    r = 0, or a shortcut's spike * value, or residual b, or
                           (residual a + residual b) >> 1
    u = (v + y) >> 1       spike = u >= theta
    v = 0 where spike (hard) or u - theta where spike (soft), else u

A neuron with a ``State`` keeps a code of few bits instead (u is not saturated)::

    u = (code << state.shift) + y                       spike = u >= theta
    w = 0 where spike, else u
    code = sign(w) * (number of thresholds <= min(|w|, STATE_MAX))

``saturate`` clips to a signed ``MEMBRANE_BITS`` integer. Rounding to nearest (or up) is part of
the bias: lowering adds ``1 << (shift - 1)`` (or ``(1 << shift) - 1``). v and code start at 0 for
each image; with ``stream`` images are the steps of one stream, and codes start at 0 for the first.
The soft reset cannot overflow. Spike tensors are 0/1, named after their neuron, canonical shape
(T, B, C, H, W); attention operands and maps have the shapes given at their layer.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from hw.common.show import Shown, listing
from sw.check import check_network
from sw.result import Result


@dataclass(frozen=True, kw_only=True)
class State(Shown):
    """A membrane that is stored in ``bits`` bits, as one of 2 * L + 1 codes, L = 2**(bits-1) - 1.

    One step of the code is ``1 << (shift + 1)`` units of membrane; half of it is what the leak
    leaves, so that no product is needed. The thresholds of ``round(tanh(v) / alpha * L)`` are at
    least a step apart, so cells of a step or less hold one each.
    """

    bits: int  #: One of formats.STATE_BITS.
    thresholds: np.ndarray  #: int64 (L,), ascending, 1 to STATE_MAX + 1 (which is never reached);
    #: no two reachable ones in the same cell of formats.state_cell(shift) units.
    shift: int  #: One of formats.STATE_SHIFTS.


@dataclass(frozen=True, kw_only=True)
class Neuron(Shown):
    """A leaky integrate-and-fire neuron; its spikes are the tensor called ``name``."""

    name: str
    theta: int  #: Threshold in units of the layer's x; 1 to MEMBRANE_MAX; strict '>' is theta + 1.
    soft: bool = False  #: Reset by subtraction (attention map) instead of to 0.
    state: State | None = None  #: Of a neuron whose input does not decay; hard reset only.


@dataclass(frozen=True, kw_only=True)
class Affine(Shown):
    """Scale and bias from integer sum to x. Arrays are int64."""

    factor: np.ndarray  #: |factor| <= FACTOR_MAX; shape given at the layer.
    bias: np.ndarray  #: |bias| <= BIAS_MAX, rounding half included; same shape.
    shift: int  #: One of SHIFTS.


@dataclass(frozen=True, kw_only=True)
class Residual(Shown):
    """y = x + combination of ``inputs``; y is stored as the residual tensor ``output``.

    ``inputs`` is () for y = x, (b,) for y = x + b, (a, b) for y = x + ((a + b) >> 1).
    Residual tensors are int, shape (T, B, C, H, W). The oldest input is overwritten in place.
    """

    output: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shortcut(Shown):
    """r = ``value`` where ``source`` spikes, else 0; ``source`` has the layer's output shape."""

    source: str
    value: int  #: In units of the layer's x; |value| <= MEMBRANE_MAX.


@dataclass(frozen=True, kw_only=True)
class PixelConv(Shown):
    """First, multi-bit convolution: S = sum w * p, p = (pixel << pixel_shift) - centre[c].

    Output sides are (side + 2 * padding - kernel) // stride + 1. Padded taps add 0. ``weight``
    (O, I, kh, kw) int64, ``|w| <= FACTOR_MAX``: a signed mantissa of ``weight_bits`` bits times a
    power of two per output channel. There is no factor here: x = saturate((S + bias) >> shift),
    bias (O,). Input: the image, (B, I, H, W), the same at every step, or (B, T, I, H, W), one
    frame per step.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray
    shift: int
    weight_bits: int
    pixel_shift: int
    centre: tuple[int, ...]  #: One per input channel, |p| < 2**17 for every pixel 0..255.
    padding: int
    neuron: Neuron
    stride: int = 1  #: 1 or 2.


@dataclass(frozen=True, kw_only=True)
class BinaryLayer(Shown):
    """Binary convolution (1x1 or 3x3, 'same' zero padding) on spikes.

    S = 2*popcount(s AND weight) - popcount(s), over all taps; ``weight`` (O, I, kh, kw) bool,
    True is +1. ``affine`` arrays (O,). Writes ``neuron``'s spikes, or a residual, or both (the
    neuron then reads y).

    Output sides are ceil(side / stride). With ``pool`` 2 the convolution (then of stride 1) reads
    counts of spikes in 2x2 windows, 0 to 4, side by side, what is left over dropped: the windows'
    averages are quarters of them, and ``affine`` holds the quarter.
    """

    name: str
    source: str
    weight: np.ndarray
    affine: Affine
    residual: Residual | None = None  #: Without inputs where there is a shortcut.
    neuron: Neuron | None = None
    stride: int = 1  #: 1 or 2.
    pool: int = 1  #: 1 or 2.
    shortcut: Shortcut | None = None


@dataclass(frozen=True, kw_only=True)
class SpikePool(Shown):
    """3x3 stride-2 pad-1 maximum (OR) of spikes; output side ceil(side / 2)."""

    name: str  #: Of the output tensor too.
    source: str


@dataclass(frozen=True, kw_only=True)
class AttentionMap(Shown):
    """Binary attention map. order 'qk': left = q, right = k: S[n, m] = sim(q[n], k[m]) over the
    head's channels, spikes (T, B, H, N, N) [query, key]. order 'kv': left = k, right = v:
    S[i, j] = sum_n k[n, i] * v[n, j], spikes (T, B, H, d, d) [k channel, v channel].

    similarity 'and': count of common ones; 'xnor': count of equal bits (qk order only).
    ``affine`` arrays have shape (1,). Channel c = head * d + i.
    """

    name: str
    left: str
    right: str
    heads: int
    order: str
    similarity: str
    affine: Affine
    neuron: Neuron


@dataclass(frozen=True, kw_only=True)
class AttentionApply(Shown):
    """order 'qk': S[n, c] = sum_m A[n, m] * v[m, c], ``source`` = v; order 'kv':
    S[n, j] = sum_i q[n, i] * A[i, j], ``source`` = q. ``affine.factor`` and ``bias`` (T, H).
    """

    name: str
    map: str
    source: str
    heads: int
    order: str
    affine: Affine
    neuron: Neuron


@dataclass(frozen=True, kw_only=True)
class Mean(Shown):
    """x[c] = saturate((sum over tokens and steps of factor * source[c] + bias) >> shift).

    ``source`` is a residual or a spike tensor. ``factor``, ``bias`` one int each. Output tensor
    ``name`` (B, C); without ``over_tokens`` only steps are summed: (B, C * H * W), C major.
    """

    name: str
    source: str
    factor: int
    bias: int
    shift: int
    over_tokens: bool = True


@dataclass(frozen=True, kw_only=True)
class Head(Shown):
    """logits = saturate((sum weight * concat(sources) + bias) >> shift).

    ``weight`` (classes, sum of the sources' sizes), ``bias`` (classes,). Lowering proves
    that it cannot saturate. ``scale``: float logit = integer logit * scale.
    """

    name: str
    sources: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    shift: int
    weight_bits: int
    scale: float


Layer = PixelConv | BinaryLayer | SpikePool | AttentionMap | AttentionApply | Mean | Head


@dataclass(frozen=True, kw_only=True)
class IntegerNetwork:
    """An integer network and its input's shape. ``Head`` is its last layer."""

    name: str
    steps: int  #: T, 1 to MAX_STEPS.
    channels: int
    height: int
    width: int
    classes: int
    frac_bits: int  #: Fraction bits of membranes and residuals (theta 1.0 == 1 << frac_bits);
    #: neurons with a State, and what feeds them, have units of their own.
    layers: tuple[Layer, ...]
    per_step_input: bool = False  #: One frame per step instead of one image.
    stream: bool = False  #: Images are the steps of one stream; steps is 1, every neuron has a
    #: State, which survives from image to image, and the logits are those of the step.
    meta: dict = field(default_factory=dict)  #: Labels: source file, accuracy notes. JSON types.

    def __post_init__(self):
        check_network(self)

    def __repr__(self) -> str:
        calls = "a step of a stream" if self.stream else f"{self.steps} steps"
        return listing(
            f"IntegerNetwork {self.name!r}: {self.height}x{self.width}, {self.channels} channels, "
            f"{calls}, {self.classes} classes, {len(self.layers)} layers",
            self.layers,
        )

    @property
    def head(self) -> Head:
        """The last layer."""
        head = self.layers[-1]
        assert isinstance(head, Head)  # check_network has seen to it
        return head

    def run(self, images: np.ndarray, trace: bool = False, **options) -> Result:
        """Run exactly: the golden model; see ``sw.golden.run``."""
        from sw.golden import run

        return run(self, images, trace, **options)

    def compile(self, config=None):
        """Program of this network for a hardware configuration; see ``sw.compiler``."""
        from sw.compiler import compile_network

        return compile_network(self, config)

    def replace(self, **changes) -> "IntegerNetwork":
        """Copy with other fields, checked again."""
        return dataclasses.replace(self, **changes)

    def save(self, path) -> None:
        """Write to an npz file; the same network gives the same bytes."""
        from sw.storage import save

        save(self, path)

    @classmethod
    def load(cls, path) -> "IntegerNetwork":
        """Read what ``save`` wrote."""
        from sw.storage import load

        return load(path)
