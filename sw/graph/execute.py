"""Float execution of a graph with torch, as the authors' code computes in evaluation mode."""

from collections.abc import Collection
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError
from sw.graph import (
    IMAGE,
    LIF,
    Add,
    Apply,
    Average,
    AveragePool,
    BatchNorm,
    Conv,
    Flatten,
    FloatNetwork,
    HeadAverage,
    Linear,
    MaxPool,
    MeanSteps,
    MeanTokens,
    Scale,
    Similarity,
    binarise,
    quantise,
    sources,
)
from sw.images import as_frames
from sw.result import Result


def run(
    net: FloatNetwork,
    images: np.ndarray,
    *,
    trace: bool | str | Collection[str] = False,
    batch: int = 64,
) -> Result:
    """Run ``net``; see ``FloatNetwork.run``."""
    return _run(net, images, trace, batch)[0]


def measure_alpha(net: FloatNetwork, images: np.ndarray, *, batch: int = 64) -> dict[str, float]:
    """Largest ``|tanh(v)|`` of each stored state; see ``FloatNetwork.measure_alpha``."""
    peaks = _run(net, images, False, batch)[1].peaks
    return {name: peak or 1.0 for name, peak in peaks.items()}


def _run(net, images, trace, batch: int) -> "tuple[Result, _Runner]":
    try:
        import torch
    except ImportError:
        raise SpikeloomError(
            "Running a float network needs torch; pip install -e '.[torch]' "
            "(lowering and integer runs do not need it)"
        ) from None
    frames = as_frames(images, channels=net.channels, steps=net.steps)
    if batch < 1:
        raise SpikeloomError(f"batch must be 1 or more, not {batch!r}")
    net.check_sources()
    runner = _Runner(torch, net, trace)
    with torch.inference_mode():
        parts = [runner(frames[i : i + batch]) for i in range(0, len(frames), batch)]
    logits = np.concatenate([part[0] for part in parts])
    names = parts[0][1]
    axis = {name: 0 if tensor.ndim == 2 else 1 for name, tensor in names.items()}
    traced = {n: np.concatenate([part[1][n] for part in parts], axis=axis[n]) for n in names}
    return Result(logits=logits, trace=traced), runner


def _used(node: Conv | Linear) -> np.ndarray:
    """The weights a node computes with."""
    if isinstance(node, Conv) and node.binary:
        return binarise(node.weight)
    return node.weight if node.weight_bits is None else quantise(node.weight, node.weight_bits)


class _Runner:
    def __init__(self, torch, net: FloatNetwork, trace: bool | str | Collection[str]):
        self.torch, self.net = torch, net
        if trace == "all":
            trace = {node.name for node in net.nodes}
        elif isinstance(trace, bool):
            trace = {node.name for node in net.nodes if trace and isinstance(node, LIF)}
        self.traced = frozenset(trace)
        self.tokens = net.token_tensors()
        self.peaks: dict[str, float] = {}  # name of a neuron -> largest |tanh(v)| it stored
        self.weights = {
            node.name: torch.from_numpy(_used(node))
            for node in net.nodes
            if isinstance(node, Conv | Linear)
        }
        self.last_use = {source: node.name for node in net.nodes for source in sources(node)}

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        torch, net = self.torch, self.net
        x = torch.from_numpy(frames.astype(np.float32)) / 255.0
        mean = torch.tensor(net.mean, dtype=torch.float32).view(-1, 1, 1)
        std = torch.tensor(net.std, dtype=torch.float32).view(-1, 1, 1)
        env = {IMAGE: ((x - mean) / std).transpose(0, 1)}  # (F, B, C, H, W)
        traced, out = {}, env[IMAGE]
        for node in net.nodes:
            args = [env[source] for source in sources(node)]
            out = self._node(node, *args)
            env[node.name] = out
            if node.name in self.traced:
                traced[node.name] = self._traced(node, out)
            for source in sources(node):
                if self.last_use[source] == node.name:
                    env.pop(source, None)
        return out.numpy(), traced

    def _traced(self, node, out) -> np.ndarray:
        if isinstance(node, LIF | MaxPool):
            out = out.to(self.torch.uint8)
        if node.name in self.tokens:
            out = out.flatten(3)
        if out.ndim == 5 and len(out) == 1 and self.net.steps > 1:
            out = out.expand(self.net.steps, *out.shape[1:])
        return out.contiguous().numpy()

    def _node(self, node, x, y: Any = None):
        torch, steps = self.torch, self.net.steps
        functional = torch.nn.functional
        match node:
            case Conv():
                out = functional.conv2d(
                    x.flatten(0, 1),
                    self.weights[node.name],
                    stride=node.stride,
                    padding=node.padding,
                ).unflatten(0, x.shape[:2])
                for part, combine in ((node.scale, torch.mul), (node.bias, torch.add)):
                    if part is not None:
                        out = combine(out, torch.from_numpy(part).view(-1, 1, 1))
                return out
            case BatchNorm():
                stats = (torch.from_numpy(a) for a in (node.mean, node.var, node.weight, node.bias))
                flat = functional.batch_norm(x.flatten(0, 1), *stats, False, 0.0, node.eps)
                return flat.unflatten(0, x.shape[:2])
            case LIF():
                return self._lif(node, x.expand(steps, *x.shape[1:]))
            case MaxPool():
                flat = functional.max_pool2d(x.flatten(0, 1), node.size, node.stride, node.padding)
                return flat.unflatten(0, x.shape[:2])
            case AveragePool():
                self._must_hold(node, x, node.size)
                flat = functional.avg_pool2d(x.flatten(0, 1), node.size)
                return flat.unflatten(0, x.shape[:2])
            case Similarity():
                left, right = self._heads(x, node.heads), self._heads(y, node.heads)
                if node.order == "kv":
                    return left.transpose(-1, -2) @ right
                common = left @ right.transpose(-1, -2)
                if node.similarity == "and":
                    return common
                ones = left.sum(-1, keepdim=True) + right.sum(-1, keepdim=True).transpose(-1, -2)
                return left.shape[-1] - ones + 2 * common
            case Apply():
                operand = self._heads(y, node.heads)
                out = x @ operand if node.order == "qk" else operand @ x
                return out.transpose(-1, -2).reshape(y.shape)
            case Scale():
                gain = torch.from_numpy(node.gain)  # (T, H)
                heads = x.unflatten(2, (gain.shape[1], -1))
                return (heads * node.factor * gain[:, None, :, None, None, None]).flatten(2, 3)
            case Add():
                return x + y
            case Average():
                return (x + y) / 2
            case MeanTokens():
                mean = x.flatten(3).mean(3)
                return mean.mean(0) if node.over_steps else mean
            case Flatten():
                return x.flatten(2)
            case Linear():
                if x.shape[-1] != node.weight.shape[1]:
                    raise SpikeloomError(
                        f"{self.net.name}: images of this size bring {x.shape[-1]} values to "
                        f"{node.name}, which reads {node.weight.shape[1]}; give images of the "
                        "size the network was trained for"
                    )
                return functional.linear(x, self.weights[node.name], torch.from_numpy(node.bias))
            case MeanSteps():
                return x.mean(0)
            case HeadAverage() if len(node.sources) == 2:
                return (x + y) / 2
            case HeadAverage():
                return x
        raise TypeError(f"no rule for {type(node).__name__}")

    def _must_hold(self, node, x, side: int) -> None:
        """Refuse maps smaller than a window of ``side``."""
        if min(x.shape[-2:]) < side:
            raise SpikeloomError(
                f"{self.net.name}: {node.name} pools {side}x{side} and gets "
                f"{x.shape[-2]}x{x.shape[-1]}; give larger images"
            )

    def _heads(self, x, heads: int):
        """(T, B, C, H, W) to (T, B, heads, N, d), channel c = head * d + i."""
        return x.flatten(3).unflatten(2, (heads, -1)).transpose(-1, -2)

    def _lif(self, node: LIF, x):
        torch = self.torch
        v = torch.zeros_like(x[0])
        spikes = torch.empty_like(x)
        for t in range(len(x)):
            v = v + (x[t] - v) / node.tau if node.decay_input else v / node.tau + x[t]
            fired = v > node.theta if node.strict else v >= node.theta
            spikes[t] = fired
            v = v - node.theta * spikes[t] if node.soft else v.masked_fill(fired, 0.0)
            if node.state_bits is not None:
                v = self._stored(node, v) if t + 1 < len(x) else v
        return spikes

    def _stored(self, node: LIF, v):
        """What the neuron's bits keep of its membranes."""
        assert node.state_bits is not None
        levels = 2 ** (node.state_bits - 1) - 1
        u = self.torch.tanh(v)
        peak = float(u.abs().max())
        self.peaks[node.name] = max(peak, self.peaks.get(node.name, 0.0))
        scale = peak if node.alpha is None else node.alpha
        if scale == 0:
            return u  # all 0
        return self.torch.round((u / scale).clamp(-1.0, 1.0) * levels) * scale / levels
