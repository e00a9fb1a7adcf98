"""Exact execution of an integer network, packed and batched."""

import functools
import types

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.jit import numba
from sw.golden import ops, plain
from sw.images import as_frames
from sw.network import (
    Affine,
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    IntegerNetwork,
    Layer,
    Mean,
    Neuron,
    PixelConv,
    Residual,
    Shortcut,
    SpikePool,
)
from sw.result import Result

IMAGE = "image"  #: Name of the frames among the tensors; uint8 (F, B, C, H, W).


@functools.cache
def kernels(kind: str = "auto") -> types.ModuleType:
    """Kernel module: 'numba', 'plain', or 'auto' (numba where it works)."""
    if kind not in ("auto", "numba", "plain"):
        raise SpikeloomError(f"kernels must be auto, numba or plain, not {kind!r}")
    if kind == "plain":
        return plain
    if numba() is None:
        if kind == "auto":
            return plain
        raise SpikeloomError("The numba kernels need numba; pip install numba")
    from sw.golden import compiled

    return compiled


def run(
    network: IntegerNetwork,
    images: np.ndarray,
    trace: bool = False,
    *,
    feed: dict[str, np.ndarray] | None = None,
    batch: int = 64,
    kind: str = "auto",
) -> Result:
    """Run an integer network exactly: this is the golden model.

    Images of a stream network are the steps of one stream, in order: what the neurons keep goes
    from image to image, and each image has its logits. Traces then have T = 1 and B images.

    Parameters
    ----------
    images : uint8 (B, H, W), (B, C, H, W), or (B, T, C, H, W) for one frame per step.
    trace : keep every tensor by name. Spikes uint8 (T, B, C, H, W), attention operands and
        outputs (T, B, C, N), maps (T, B, H, N, N) or (T, B, H, d, d); residuals int32
        (T, B, C, H, W); means int64 (B, C).
    feed : tensors that later layers read instead of what was computed, in the shapes of
        ``trace``; the trace still holds what was computed.
    batch : images per pass; bounds the memory.
    kind : 'auto', 'numba' or 'plain' kernels; all give the same integers.
    """
    frames = as_frames(
        images,
        channels=network.channels,
        steps=network.steps,
        size=(network.height, network.width),
        per_step=network.per_step_input,
    )
    if batch < 1:
        raise SpikeloomError(f"batch must be 1 or more, not {batch!r}")
    executor = Executor(network.layers, network.steps, kind, stream=network.stream)
    parts = []
    for start in range(0, len(frames), batch):
        stop = min(start + batch, len(frames))
        part = {k: v[_batch_slice(v, start, stop)] for k, v in (feed or {}).items()}
        parts.append(executor(frames[start:stop], trace, part))
    logits = np.concatenate([part[0] for part in parts])
    traced = {}
    for name, tensor in parts[0][1].items():
        axis = 0 if tensor.ndim == 2 else 1
        traced[name] = np.concatenate([part[1][name] for part in parts], axis=axis)
    return Result(logits=logits, scale=network.head.scale, trace=traced)


def _batch_slice(tensor: np.ndarray, start: int, stop: int) -> tuple:
    cut = slice(start, stop)
    return (cut,) if tensor.ndim == 2 else (slice(None), cut)


def token_tensors(layers: tuple[Layer, ...]) -> frozenset[str]:
    """Names of tensors whose canonical shape is (T, B, C, N)."""
    names = set()
    for layer in layers:
        if isinstance(layer, AttentionMap):
            names |= {layer.left, layer.right}
        elif isinstance(layer, AttentionApply):
            names |= {layer.source, layer.neuron.name}
    return frozenset(names)


class Executor:
    """Runs batches of frames through a network's layers.

    Layers can also be run one by one, with ``step`` on a dict of tensors (T, B, C, H, W) that
    begins with ``IMAGE``. With ``stream`` the frames of all calls are steps of one stream:
    within, tensors are (F, 1, C, H, W), and the codes of the neurons stay from call to call.
    """

    def __init__(
        self, layers: tuple[Layer, ...], steps: int, kind: str = "auto", *, stream: bool = False
    ):
        self.layers = layers
        self.steps, self.stream = steps, stream
        self.codes: dict[str, np.ndarray] = {}  # neuron -> (1, O, P), with stream only
        self.kernels = kernels(kind)
        self.tokens = token_tensors(layers)
        self.words = {
            id(layer): plain.tap_major(layer.weight)
            for layer in layers
            if isinstance(layer, BinaryLayer)
        }

    def __call__(
        self, frames: np.ndarray, trace: bool, feed: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits (B, classes) and traced tensors of frames (B, F, C, H, W)."""
        env = {IMAGE: frames if self.stream else frames.swapaxes(0, 1)}  # (T, B, C, H, W)
        if self.stream:
            self.steps = len(frames)
        traced, out = {}, env[IMAGE]
        for layer in self.layers:
            for name, out in self.step(layer, env).items():
                if trace and layer is not self.layers[-1]:
                    kept = self._images_second(out)
                    flat = name in self.tokens
                    traced[name] = kept.reshape(*kept.shape[:3], -1) if flat else kept
                env[name] = feed[name].reshape(out.shape) if name in feed else out
        return out, traced

    def _images_second(self, tensor: np.ndarray) -> np.ndarray:
        """(T, B, ...) of a tensor; with ``stream`` from (F, 1, ...) to (1, F, ...)."""
        return tensor.swapaxes(0, 1) if self.stream and tensor.ndim > 2 else tensor

    def step(self, layer: Layer, env: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Tensors that ``layer`` writes, from those in ``env``."""
        match layer:
            case PixelConv():
                return self._pixel(layer, env)
            case BinaryLayer():
                return self._binary(layer, env)
            case SpikePool():
                return {layer.name: ops.pool3x3(env[layer.source])}
            case AttentionMap():
                return self._map(layer, env)
            case AttentionApply():
                return self._apply(layer, env)
            case Mean():
                source = self._images_second(env[layer.source])
                affine = layer.factor, layer.bias, layer.shift
                return {layer.name: ops.token_mean(source, *affine, layer.over_tokens)}
            case Head():
                x = np.concatenate([env[source] for source in layer.sources], axis=1)
                return {layer.name: ops.head_sum(x, layer.weight, layer.bias, layer.shift)}
        raise TypeError(f"no rule for {type(layer).__name__}")

    def sums(self, layer: Layer, env: dict[str, np.ndarray]) -> np.ndarray:
        """The integer sums S of a layer with a neuron or residual."""
        match layer:
            case PixelConv():
                frames = env[IMAGE]
                p = ops.pixel_centre(
                    frames.reshape(-1, *frames.shape[2:]), layer.pixel_shift, layer.centre
                )
                sums = self.kernels.pixel_sums(
                    p.astype(np.float64),
                    layer.weight.astype(np.float64),
                    layer.padding,
                    layer.stride,
                )
                return sums.reshape(*frames.shape[:2], *sums.shape[1:])
            case BinaryLayer():
                source = env[layer.source]
                words = self.words.get(id(layer))
                words = plain.tap_major(layer.weight) if words is None else words
                flat = source.reshape(-1, *source.shape[2:])
                shape = (*layer.weight.shape[2:], layer.stride)
                if layer.pool == 2:
                    parts = [np.ascontiguousarray(part) for part in ops.quarters(flat)]
                    sums = self.kernels.binary_sums(parts[0], words, *shape)
                    for part in parts[1:]:
                        sums += self.kernels.binary_sums(part, words, *shape)
                else:
                    sums = self.kernels.binary_sums(flat, words, *shape)
                return sums.reshape(*source.shape[:2], *sums.shape[1:])
            case AttentionMap():
                left = _heads(env[layer.left], layer.heads)  # (T, B, H, d, N)
                right = _heads(env[layer.right], layer.heads)
                if layer.order == "qk":
                    left, right = left.swapaxes(3, 4), right.swapaxes(3, 4)
                counts = self._counts(left, right, layer.similarity == "xnor")
                return left.shape[4] - counts if layer.similarity == "xnor" else counts
            case AttentionApply():
                operand = _heads(env[layer.source], layer.heads)  # (T, B, H, d, N)
                bits = env[layer.map]
                if layer.order == "qk":  # (d, m) x (n, m)
                    return self._counts(operand, bits)
                return self._counts(bits.swapaxes(3, 4), operand.swapaxes(3, 4))  # (j, i) x (n, i)
        raise TypeError(f"{type(layer).__name__} has no sums")

    def _counts(self, left: np.ndarray, right: np.ndarray, differing: bool = False) -> np.ndarray:
        """Row pair counts (T, B, H, rows of left, rows of right)."""
        groups = left.shape[:3]
        packed = [plain.pack_rows(rows) for rows in (left, right)]
        flat = (np.ascontiguousarray(p.reshape(-1, *p.shape[3:])) for p in packed)
        counts = self.kernels.row_counts(*flat, differing)
        return counts.reshape(*groups, *counts.shape[1:])

    def _pixel(self, layer: PixelConv, env: dict) -> dict[str, np.ndarray]:
        ones = np.ones(len(layer.bias), dtype=np.int64)
        affine = Affine(factor=ones, bias=layer.bias, shift=layer.shift)
        return self._lane(self.sums(layer, env), affine, None, layer.neuron, env)

    def _binary(self, layer: BinaryLayer, env: dict) -> dict[str, np.ndarray]:
        return self._lane(
            self.sums(layer, env),
            layer.affine,
            layer.residual,
            layer.neuron,
            env,
            shortcut=layer.shortcut,
        )

    def _map(self, layer: AttentionMap, env: dict) -> dict[str, np.ndarray]:
        return self._lane(self.sums(layer, env), layer.affine, None, layer.neuron, env)

    def _apply(self, layer: AttentionApply, env: dict) -> dict[str, np.ndarray]:
        out = self._lane(self.sums(layer, env), layer.affine, None, layer.neuron, env)
        spikes = out[layer.neuron.name]  # (T, B, H, d, N)
        return {layer.neuron.name: spikes.reshape(env[layer.source].shape)}

    def _lane(
        self,
        sums: np.ndarray,
        affine: Affine,
        residual: Residual | None,
        neuron: Neuron | None,
        env: dict,
        *,
        shortcut: Shortcut | None = None,
    ) -> dict[str, np.ndarray]:
        """Lane arithmetic on S (1 or T, B, O, ., .); affine arrays (O,), (1,) or (T, O)."""
        shape = (self.steps, *sums.shape[1:])
        flat = (*sums.shape[1:3], -1)
        channels = sums.shape[2]
        factor, bias = (
            np.ascontiguousarray(
                np.broadcast_to(np.asarray(a, dtype=np.int64), (self.steps, channels))
            )
            for a in (affine.factor, affine.bias)
        )
        streams = [
            np.ascontiguousarray(env[name], dtype=np.int32).reshape(self.steps, *flat)
            for name in (residual.inputs if residual else ())
        ]
        size = (self.steps, *sums.shape[1:3], int(np.prod(sums.shape[3:])))
        spikes = np.empty(size if neuron else (0, 0, 0, 0), dtype=np.uint8)
        y = np.empty(size if residual else (0, 0, 0, 0), dtype=np.int32)
        extra = np.empty((0, 0, 0, 0), dtype=np.uint8)
        if shortcut:
            extra = np.ascontiguousarray(env[shortcut.source], dtype=np.uint8).reshape(size)
        state = neuron.state if neuron else None
        code = np.zeros(size[1:] if state else (0, 0, 0), dtype=np.int32)
        if neuron and state and self.stream:
            code = self.codes.setdefault(neuron.name, code)
        self.kernels.lane(
            np.ascontiguousarray(sums).reshape(len(sums), *flat),
            factor,
            bias,
            affine.shift,
            streams,
            extra,
            shortcut.value if shortcut else 0,
            neuron.theta if neuron else 0,
            neuron.soft if neuron else False,
            state,
            code,
            spikes,
            y,
        )
        out = {}
        if residual:
            out[residual.output] = y.reshape(shape)
        if neuron:
            out[neuron.name] = spikes.reshape(shape)
        return out


def _heads(spikes: np.ndarray, heads: int) -> np.ndarray:
    """(T, B, C, H, W) to (T, B, heads, d, N), channel c = head * d + i."""
    steps, count, channels = spikes.shape[:3]
    return spikes.reshape(steps, count, heads, channels // heads, -1)
