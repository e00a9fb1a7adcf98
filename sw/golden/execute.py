"""Exact execution of an integer network, packed and batched."""

import functools
import types

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.jit import numba
from sw.golden import plain
from sw.images import as_frames
from sw.network import IMAGE, Affine, IntegerNetwork, Layer, Neuron, Residual, Shortcut
from sw.network.layers.base import Tensors
from sw.result import Result


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


class Executor:
    """Runs batches of frames through a network's layers: the arithmetic of their golden functions.

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
        self.tokens = frozenset(name for layer in layers for name in layer.tokens())
        self._words: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # id -> weight, its words

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
                    kept = self.whole(out)
                    flat = name in self.tokens
                    traced[name] = kept.reshape(*kept.shape[:3], -1) if flat else kept
                env[name] = feed[name].reshape(out.shape) if name in feed else out
        return out, traced

    def step(self, layer: Layer, env: Tensors) -> dict[str, np.ndarray]:
        """Tensors that ``layer`` writes, from those in ``env``."""
        return layer.golden(self, env)

    # ---- arithmetic of the golden functions: see sw.network.layers.base.Arithmetic ----------

    def whole(self, tensor: np.ndarray) -> np.ndarray:
        """(T, B, ...) of a tensor; with ``stream`` from (F, 1, ...) to (1, F, ...)."""
        return tensor.swapaxes(0, 1) if self.stream and tensor.ndim > 2 else tensor

    def pixel_sums(
        self, frames: np.ndarray, weight: np.ndarray, padding: int, stride: int
    ) -> np.ndarray:
        """Sums of a multi-bit convolution."""
        flat = frames.reshape(-1, *frames.shape[2:]).astype(np.float64)
        sums = self.kernels.pixel_sums(flat, weight.astype(np.float64), padding, stride)
        return sums.reshape(*frames.shape[:2], *sums.shape[1:])

    def binary_sums(self, spikes: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
        """Dot products of spikes and -1/+1 weights."""
        kept = self._words.get(id(weight))
        if kept is None or kept[0] is not weight:
            self._words[id(weight)] = kept = (weight, plain.tap_major(weight))
        flat = np.ascontiguousarray(spikes.reshape(-1, *spikes.shape[2:]))
        sums = self.kernels.binary_sums(flat, kept[1], *weight.shape[2:], stride)
        return sums.reshape(*spikes.shape[:2], *sums.shape[1:])

    def row_counts(
        self, left: np.ndarray, right: np.ndarray, differing: bool = False
    ) -> np.ndarray:
        """Counts of row pairs (T, B, H, rows of left, rows of right)."""
        groups = left.shape[:3]
        packed = [plain.pack_rows(rows) for rows in (left, right)]
        flat = (np.ascontiguousarray(p.reshape(-1, *p.shape[3:])) for p in packed)
        counts = self.kernels.row_counts(*flat, differing)
        return counts.reshape(*groups, *counts.shape[1:])

    def lane(
        self,
        sums: np.ndarray,
        affine: Affine,
        tensors: Tensors,
        *,
        neuron: Neuron | None = None,
        residual: Residual | None = None,
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
            np.ascontiguousarray(tensors[name], dtype=np.int32).reshape(self.steps, *flat)
            for name in (residual.inputs if residual else ())
        ]
        size = (self.steps, *sums.shape[1:3], int(np.prod(sums.shape[3:])))
        spikes = np.empty(size if neuron else (0, 0, 0, 0), dtype=np.uint8)
        y = np.empty(size if residual else (0, 0, 0, 0), dtype=np.int32)
        extra = np.empty((0, 0, 0, 0), dtype=np.uint8)
        if shortcut:
            extra = np.ascontiguousarray(tensors[shortcut.source], dtype=np.uint8).reshape(size)
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
