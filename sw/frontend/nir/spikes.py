"""Neurons and pools of a NIR graph."""

from dataclasses import replace

import numpy as np

from hw.common.show import shown
from sw.frontend.nir.builder import Builder, Value
from sw.frontend.nir.file import NIRNode
from sw.frontend.nir.values import UnreadableError, neuron, pair, side, uniform
from sw.graph import LIF, AveragePool, MaxPool


def lif(graph: Builder, node: NIRNode, value: Value) -> Value:
    """IF or LIF neuron; what scales its input goes into its threshold."""
    kind = neuron(node, value.shape, graph.dt)
    theta = 1.0 if kind is None else kind.theta
    if value.gain is not None:
        gain = np.unique(value.gain)
        if len(gain) > 1 or gain[0] <= 0:
            raise UnreadableError(
                "reads a sum or spikes times factors that differ or are not above 0; put "
                "them into the weights before"
            )
        theta /= float(gain[0])
    bits, alpha = node.metadata.get("state_bits"), node.metadata.get("alpha", 1.0)
    if bits not in (None, 2, 4, 8) or not (alpha == "batch" or 0 < float(alpha) < np.inf):
        raise UnreadableError(f"metadata tells {shown(bits)} state bits of alpha {shown(alpha)}")
    lif = LIF(
        name=node.name,
        source=graph.tensor(value),
        theta=theta,
        tau=1.0 if kind is None else kind.tau,
        decay_input=kind is None or kind.decay_input,
        strict=True,
        soft=node.metadata.get("reset") == "subtract",
        state_bits=bits,
        alpha=None if alpha == "batch" else float(alpha),
    )
    return Value(tensor=graph.put(lif), map=value.map, flat=value.flat, spikes=True)


def pool(graph: Builder, node: NIRNode, value: Value) -> Value:
    """Mean, sum, or with a threshold the OR of windows."""
    kernel, stride, padding = (pair(node, k) for k in ("kernel_size", "stride", "padding"))
    if value.map is None:
        return value
    if value.flat:
        raise UnreadableError(f"reads {value.shape}, wanted (channels, height, width)")
    channels, height, width = value.map
    if min(kernel) < 1 or min(stride) < 1:
        raise UnreadableError(f"window {kernel} and stride {stride}, wanted 1 or more")
    if max(kernel[0] - 2 * padding[0] - height, kernel[1] - 2 * padding[1] - width) > 0:
        raise UnreadableError(f"its window {kernel} exceeds {value.shape}")
    after = [graph.structure.nodes[n] for n in graph.structure.readers[node.name]]
    if node.kind == "SumPool2d" and [n.kind for n in after] == ["Threshold"]:
        return _or(graph, node, after[0], value)
    if padding != (0, 0):
        raise UnreadableError(f"pads by {padding}, wanted 0")
    gain = value.gain
    if gain is not None and gain.shape[1:] != (1, 1):
        raise UnreadableError("reads pixels of different scale")
    if node.kind == "SumPool2d":
        gain = np.full((channels, 1, 1), float(np.prod(kernel))) * (1 if gain is None else gain)
    if kernel == (height, width):
        if value.pool is not None:
            return replace(value, gain=gain)
        pool = (node.name, height, width)
        return replace(value, map=(channels, 1, 1), gain=gain, spikes=False, pool=pool)
    if kernel != stride or kernel[0] != kernel[1]:
        raise UnreadableError(
            f"its window is {kernel}, its stride {stride}; wanted squares side by side, or "
            "the whole map"
        )
    size = kernel[0]
    tensor = graph.put(AveragePool(name=node.name, source=graph.tensor(value), size=size))
    return Value(tensor=tensor, map=(channels, height // size, width // size), gain=gain)


def _or(graph: Builder, node: NIRNode, threshold: NIRNode, value: Value) -> Value:
    """A sum of spikes above 0 is their OR, which is their maximum."""
    size, stride, padding = (side(node, k) for k in ("kernel_size", "stride", "padding"))
    assert value.map is not None
    channels, height, width = value.map
    shape = (channels, *((n + 2 * padding - size) // stride + 1 for n in (height, width)))
    limit = uniform(threshold, "threshold", shape)
    if not value.spikes or value.gain is not None or not 0 <= limit < 1:
        raise UnreadableError(
            f"with {threshold.label} after it counts more than {limit:g} in a window; wanted "
            "the OR of spikes: a threshold of 0 or more, below 1"
        )
    if 2 * padding > size:
        raise UnreadableError(f"pads a window of {size} by {padding}, wanted half at most")
    pool = MaxPool(name=node.name, source=value.tensor, size=size, stride=stride, padding=padding)
    graph.absorbed.append(threshold.name)
    return Value(tensor=graph.put(pool), map=shape, spikes=True)  # type: ignore[arg-type]
