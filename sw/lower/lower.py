"""Float graph to integer network: fold, fuse, quantise."""

import math
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import numpy as np

from hw.arch.errors import SpikeloomError
from hw.arch.formats import FACTOR_MAX, MEMBRANE_MAX, MEMBRANE_MIN
from sw import graph as g
from sw.images import as_frames
from sw.lower import quantise
from sw.network import (
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    IntegerNetwork,
    Mean,
    Neuron,
    PixelConv,
    Residual,
    SpikePool,
)

FRAC_BITS = 12  #: Fraction bits where nothing forces fewer.
MIN_FRAC_BITS = 6
PIXEL_WEIGHT_BITS = 11  #: Mantissa of the first convolution; narrowest that meets all floors.
HEAD_WEIGHT_BITS = 8  #: Weights of the heads; both measured by ``python -m sw.agree --sweep``.
MEAN_SHIFT = 14
Kind = TypeVar("Kind")
PEAK_SIGMAS = 6  #: Built-in estimate of the residual stream's peak, in standard deviations.


def lower(
    net: g.FloatNetwork,
    calibration: np.ndarray | None = None,
    *,
    zero_weights: str = "refuse",
    size: tuple[int, int] | None = None,
    per_step: bool | None = None,
    frac_bits: int | None = None,
    pixel_weight_bits: int = PIXEL_WEIGHT_BITS,
    head_weight_bits: int = HEAD_WEIGHT_BITS,
) -> IntegerNetwork:
    """Lower a float network to integers.

    Parameters
    ----------
    calibration : images on which the residual stream is measured, shaped as for ``run``.
        Without them its peak is estimated from the BatchNorms.
    zero_weights : what a weight equal to its filter's mean becomes, which has no sign:
        'refuse', 'plus' or 'minus'.
    size : image height and width; needed only where neither the file nor ``calibration`` tell.
    per_step : one frame per step instead of one image; default as in ``calibration``.
    frac_bits : fraction bits of membranes and residuals; default 12, fewer where the residual
        stream or a scale would not fit (``meta["frac_bits"]`` tells why).
    pixel_weight_bits, head_weight_bits : 2 to 18; widths of the first and last weights.
    """
    if zero_weights not in ("refuse", "plus", "minus"):
        raise SpikeloomError(f"zero_weights must be refuse, plus or minus, not {zero_weights!r}")
    for what, bits in (("pixel", pixel_weight_bits), ("head", head_weight_bits)):
        if not isinstance(bits, int) or not 2 <= bits <= 18:
            raise SpikeloomError(f"{what}_weight_bits must be 2 to 18, not {bits!r}")
    if frac_bits is not None and frac_bits not in range(1, 16):
        raise SpikeloomError(f"frac_bits must be 1 to 15, not {frac_bits!r}")
    if calibration is not None:
        frames = as_frames(calibration, channels=net.channels, steps=net.steps)
        size = size or frames.shape[3:]
        per_step = calibration.ndim == 5 if per_step is None else per_step
    size = size or net.size
    if size is None:
        raise SpikeloomError(
            f"{net.name}: the image size is not known; give size=(height, width) or "
            "calibration images"
        )
    height, width = (int(side) for side in size)
    if min(height, width) < 1:
        raise SpikeloomError(f"{net.name}: image size must be 1x1 or more, not {height}x{width}")
    options = _Options(
        height=height,
        width=width,
        per_step=bool(per_step),
        zero_weights=zero_weights,
        pixel_weight_bits=pixel_weight_bits,
        head_weight_bits=head_weight_bits,
    )
    if frac_bits is not None:
        try:
            return _Lowering(net, options, frac_bits).network({"why": "given"})
        except quantise.DoesNotFitError as error:
            raise SpikeloomError(f"{net.name}: {error}; give fewer frac_bits") from None

    peak = None if calibration is not None else estimate_peak(net)
    why: list[str] = []
    for bits in range(FRAC_BITS, MIN_FRAC_BITS - 1, -1):
        if peak is not None and peak * 2.0**bits > MEMBRANE_MAX:
            why.append(f"{bits}: estimated residual peak {peak:.1f} would saturate")
            continue
        try:
            note: dict = {"why": "; ".join(why) or "default"}
            if peak is not None:
                note["residual_peak_estimated"] = round(peak, 3)
            network = _Lowering(net, options, bits).network(note)
        except quantise.DoesNotFitError as error:
            why.append(str(error))
            continue
        if calibration is None:
            return network
        measured, saturated = _measure_peak(network, calibration)
        if not saturated:
            meta = network.meta
            note = {**meta["frac_bits"], "residual_peak_measured": round(measured, 3)}
            return network.replace(meta={**meta, "frac_bits": note})
        why.append(f"{bits}: the residual stream saturates on the calibration images")
    raise SpikeloomError(
        f"{net.name}: no format from {FRAC_BITS} to {MIN_FRAC_BITS} fraction bits holds it: "
        f"{'; '.join(why)}; train it with smaller BatchNorm scales, or give frac_bits"
    )


def _measure_peak(network: IntegerNetwork, images: np.ndarray) -> tuple[float, bool]:
    """Largest residual magnitude (real) on ``images``, and whether it reached the limits."""
    names = residual_names(network)
    peak = 0
    for start in range(0, len(images), 64):
        trace = network.run(images[start : start + 64], trace=True).trace
        peak = max([peak, *(int(np.abs(trace[name]).max()) for name in names)])
    return peak / 2.0**network.frac_bits, peak >= min(MEMBRANE_MAX, -MEMBRANE_MIN)


def residual_names(network: IntegerNetwork) -> list[str]:
    """Names of the residual tensors, in order."""
    found = (la.residual for la in network.layers if isinstance(la, BinaryLayer))
    return [residual.output for residual in found if residual]


def estimate_peak(net: g.FloatNetwork) -> float:
    """Peak of the residual stream from BatchNorm weights, which are its branches' deviations.

    Branch channels have mean ``bias`` and deviation ``|weight|``; means add, variances of a
    branch and the stream add, and the two streams of an average move together.
    """
    moments: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    peak = 0.0
    streams = _streams(net)
    for node in net.nodes:
        match node:
            case g.BatchNorm():
                moments[node.name] = node.bias.astype(float), np.abs(node.weight).astype(float)
            case g.Average():
                (m, s), (n, r) = moments[node.older], moments[node.newer]
                moments[node.name] = (m + n) / 2, (s + r) / 2
            case g.Add():
                (m, s), (n, r) = moments[node.branch], moments[node.stream]
                moments[node.name] = m + n, np.hypot(s, r)
        if node.name in streams:
            m, s = moments[node.name]
            peak = max(peak, float((np.abs(m) + PEAK_SIGMAS * s).max()))
    return peak


def _streams(net: g.FloatNetwork) -> set[str]:
    """Names of real-valued tensors that must be stored: the residual stream."""
    kept = set()
    for node in net.nodes:
        match node:
            case g.Add():
                kept |= {node.stream, node.name}
            case g.Average():
                kept |= {node.older, node.newer}
            case g.MeanTokens():
                kept.add(node.source)
    averages = {node.name for node in net.nodes if isinstance(node, g.Average)}
    return kept - averages


@dataclass(frozen=True, kw_only=True)
class _Options:
    height: int
    width: int
    per_step: bool
    zero_weights: str
    pixel_weight_bits: int
    head_weight_bits: int


class _Lowering:
    """One pass over a graph with the fraction bits settled."""

    def __init__(self, net: g.FloatNetwork, options: _Options, frac_bits: int):
        self.net, self.options, self.frac_bits = net, options, frac_bits
        self.consumers = net.consumers()
        self.nodes = {node.name: node for node in net.nodes}
        self.streams = _streams(net)
        self.space: dict[str, tuple[int, int]] = {g.IMAGE: (options.height, options.width)}
        self.widths: dict[str, int] = {}
        self.layers: list = []
        self.units: dict[str, float] = {}  # name of a mean -> real value of one step of it
        self.zeros: list[str] = []
        self.maps: dict[str, dict] = {}

    def network(self, note: dict) -> IntegerNetwork:
        """The integer network; ``note`` goes to ``meta["frac_bits"]``."""
        self._check_zeros()
        for node in self.net.nodes:
            match node:
                case g.Conv():
                    self._conv(node)
                case g.MaxPool():
                    self._pool(node)
                case g.Similarity():
                    self._similarity(node)
                case g.Apply():
                    self._apply(node)
                case g.MeanTokens():
                    self._mean(node)
                case g.HeadAverage():
                    self._head(node)
        options = self.options
        meta = {
            **self.net.meta,
            "frac_bits": {"bits": self.frac_bits, **note},
            "pixel_weight_bits": options.pixel_weight_bits,
            "head_weight_bits": options.head_weight_bits,
            "attention_maps": self.maps,
        }
        if self.zeros:
            meta["zero_weights"] = f"{options.zero_weights}: {'; '.join(self.zeros)}"
        return IntegerNetwork(
            name=self.net.name,
            steps=self.net.steps,
            channels=self.net.channels,
            height=options.height,
            width=options.width,
            classes=self.net.classes,
            frac_bits=self.frac_bits,
            layers=tuple(self.layers),
            per_step_input=options.per_step,
            meta=meta,
        )

    def _fail(self, node, text: str) -> NoReturn:
        raise SpikeloomError(
            f"{self.net.name}: {node.name} cannot be lowered: {text}; "
            "run it in float, or use a network of a supported family"
        )

    def _check_zeros(self) -> None:
        for node in self.net.nodes:
            if isinstance(node, g.Conv) and node.binary:
                zeros = int((g.binarise(node.weight) == 0).sum())
                if zeros:
                    self.zeros.append(f"{node.name} has {zeros} of {node.weight.size}")
        if self.zeros and self.options.zero_weights == "refuse":
            raise SpikeloomError(
                f"{self.net.name}: weights equal to their filter's mean have sign 0, which one "
                f"bit cannot hold: {'; '.join(self.zeros)}; lower with zero_weights='plus' or "
                "'minus' (--zero-weights plus|minus), or train on"
            )

    def _only(self, name: str, kind: type[Kind]) -> Kind | None:
        """The only consumer of tensor ``name``, if it is a ``kind``, else None."""
        readers = self.consumers.get(name, [])
        if len(readers) == 1 and isinstance(readers[0], kind):
            return readers[0]
        return None

    def _neuron(self, node: g.LIF) -> Neuron:
        if node.tau != 2.0 or not node.decay_input:
            self._fail(node, "only neurons with tau 2 and decaying input exist")
        theta = quantise.threshold(node.name, node.theta, node.strict, self.frac_bits)
        return Neuron(name=node.name, theta=theta, soft=node.soft)

    def _folded(self, node: g.Conv) -> tuple[g.BatchNorm, np.ndarray, np.ndarray]:
        """The BatchNorm after a convolution and the affine of both."""
        bn = self._only(node.name, g.BatchNorm)
        if bn is None:
            self._fail(node, "a BatchNorm must follow, alone")
        if node.stride != 1 or node.padding * 2 + 1 != node.weight.shape[2]:
            self._fail(node, "only stride 1 with 'same' padding exists")
        a, b = bn.folded()
        if node.bias is not None:
            b = b + a * node.bias
        if node.scale is not None:
            a = a * node.scale
        return bn, a, b

    def _conv(self, node: g.Conv) -> None:
        bn, a, b = self._folded(node)
        space = self.space[node.source]
        if node.source == g.IMAGE:
            lif = self._only(bn.name, g.LIF)
            if node.binary or lif is None:
                self._fail(node, "the first convolution must be real-valued and feed a neuron")
            bits = self.options.pixel_weight_bits
            weight = node.weight.astype(np.float64) * a[:, None, None, None]
            fields = quantise.pixel_conv(
                node.name, weight, b, self.net.mean, self.net.std, self.frac_bits, bits
            )
            neuron = self._neuron(lif)
            self.layers.append(
                PixelConv(
                    name=node.name, padding=node.padding, neuron=neuron, weight_bits=bits, **fields
                )
            )
            self.space[lif.name], self.widths[lif.name] = space, len(a)
            return
        if not node.binary:
            self._fail(node, "only the first convolution may have real weights")
        sign = g.binarise(node.weight)
        weight = sign >= 0 if self.options.zero_weights == "plus" else sign > 0
        largest = math.prod(weight.shape[1:])
        affine = quantise.affine(node.name, a, b, self.frac_bits, largest)
        residual, value = None, bn.name
        add = self._only(bn.name, g.Add)
        if add is not None and add.branch == bn.name:
            stream = self.nodes[add.stream]
            average = isinstance(stream, g.Average)
            inputs = (stream.older, stream.newer) if average else (add.stream,)
            residual, value = Residual(output=add.name, inputs=inputs), add.name
        elif bn.name in self.streams:
            residual = Residual(output=bn.name)
        lifs = [n for n in self.consumers.get(value, []) if isinstance(n, g.LIF)]
        if len(lifs) > 1 or not (lifs or residual):
            self._fail(node, f"{value} must feed one neuron, not {len(lifs)}")
        neuron = self._neuron(lifs[0]) if lifs else None
        self.layers.append(
            BinaryLayer(
                name=node.name,
                source=node.source,
                weight=weight,
                affine=affine,
                residual=residual,
                neuron=neuron,
            )
        )
        for name in (value, *(n.name for n in lifs)):
            self.space[name], self.widths[name] = space, len(a)

    def _pool(self, node: g.MaxPool) -> None:
        if (node.size, node.stride, node.padding) != (3, 2, 1):
            self._fail(node, "only 3x3 pools of stride 2 and padding 1 exist")
        h, w = self.space[node.source]
        self.space[node.name] = -(-h // 2), -(-w // 2)
        self.widths[node.name] = self.widths[node.source]
        self.layers.append(SpikePool(name=node.name, source=node.source))

    def _similarity(self, node: g.Similarity) -> None:
        lif = self._only(node.name, g.LIF)
        if lif is None or lif.tau != 2.0 or not lif.decay_input:
            self._fail(node, "a neuron with tau 2 and decaying input must follow, alone")
        tokens = math.prod(self.space[node.left])
        largest = self.widths[node.left] // node.heads if node.order == "qk" else tokens
        affine, theta = quantise.counts(lif.name, largest, lif.theta, lif.strict)
        frac = int(affine.factor[0]).bit_length() - 1 - affine.shift
        self.maps[lif.name] = {"frac_bits": frac, "exact": frac >= self.net.steps}
        self.layers.append(
            AttentionMap(
                name=node.name,
                left=node.left,
                right=node.right,
                heads=node.heads,
                order=node.order,
                similarity=node.similarity,
                affine=affine,
                neuron=Neuron(name=lif.name, theta=theta, soft=lif.soft),
            )
        )

    def _apply(self, node: g.Apply) -> None:
        scale = self._only(node.name, g.Scale)
        lif = self._only(scale.name, g.LIF) if scale is not None else None
        if scale is None or lif is None:
            self._fail(node, "a scale and a neuron must follow, alone")
        heads, space = node.heads, self.space[node.source]
        width = self.widths[node.source]
        largest = math.prod(space) if node.order == "qk" else width // heads
        a = scale.factor * scale.gain.astype(np.float64)  # (T, H)
        affine = quantise.affine(scale.name, a, np.zeros_like(a), self.frac_bits, largest)
        self.layers.append(
            AttentionApply(
                name=node.name,
                map=node.map,
                source=node.source,
                heads=heads,
                order=node.order,
                affine=affine,
                neuron=self._neuron(lif),
            )
        )
        self.space[lif.name], self.widths[lif.name] = space, width

    def _mean(self, node: g.MeanTokens) -> None:
        count = self.net.steps * math.prod(self.space[node.source])
        factor = max(1, round(2.0**MEAN_SHIFT / count))
        if factor > FACTOR_MAX or count > 2 << MEAN_SHIFT:
            self._fail(node, f"a mean over {count} tokens and steps is beyond the lanes")
        # one step of the mean stands for 2**MEAN_SHIFT / (factor * count) steps of the residual
        self.units[node.name] = 2.0 ** (MEAN_SHIFT - self.frac_bits) / (factor * count)
        bias = 1 << (MEAN_SHIFT - 1)
        self.layers.append(
            Mean(name=node.name, source=node.source, factor=factor, bias=bias, shift=MEAN_SHIFT)
        )

    def _head(self, node: g.HeadAverage) -> None:
        found = [self.nodes[name] for name in node.sources]
        heads = [h for h in found if isinstance(h, g.Linear) and h.source in self.units]
        if len(heads) != len(found):
            self._fail(node, "its inputs must be linear layers of token means")
        unit = self.units[heads[0].source]
        parts = [
            h.weight.astype(np.float64) * (self.units[h.source] / unit / len(heads)) for h in heads
        ]
        bias = np.mean([h.bias.astype(np.float64) for h in heads], axis=0)
        bits = self.options.head_weight_bits
        fields = quantise.head(node.name, np.concatenate(parts, axis=1), bias, unit, bits)
        sources = tuple(h.source for h in heads)
        self.layers.append(Head(name=node.name, sources=sources, weight_bits=bits, **fields))
