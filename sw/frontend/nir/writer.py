"""A network as nodes and edges of a NIR graph."""

from typing import Any

import numpy as np

from sw.frontend.nir.file import MARK
from sw.graph import (
    IMAGE,
    LIF,
    Add,
    AveragePool,
    BatchNorm,
    Conv,
    Flatten,
    FloatNetwork,
    Linear,
    MaxPool,
    MeanSteps,
    MeanTokens,
    binarise,
    quantise,
    sources,
)


class Writer:
    """Nodes and edges of one network, and what cannot be said in them.

    Parameters
    ----------
    nir : module
        The package of that name, which makes the nodes.
    net : FloatNetwork
        The network; ``write`` goes through it.
    size : (int, int)
        Height and width of its images.
    dt : float
        Length of a step, the unit of the time constants written.

    ``faults`` are what NIR cannot say at all, ``lost`` what it says in metadata only.
    """

    def __init__(self, nir, net: FloatNetwork, size: tuple[int, int], dt: float):
        self.nir, self.net, self.dt = nir, net, dt
        self.consumers = net.consumers()
        self.made = {node.name: node for node in net.nodes}
        self.nodes: dict[str, Any] = {"input": nir.Input(np.array([net.channels, *size]))}
        self.edges: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.lost: list[str] = []
        self.feeds: dict[str, tuple[str, ...]] = {IMAGE: ("input",)}  # tensor -> nodes it sums
        self.shapes: dict[str, tuple[int, ...]] = {IMAGE: (net.channels, *size)}

    def graph(self):
        """The whole graph; NIR checks its shapes once more."""
        net = self.net
        metadata = {
            MARK: "1",
            "name": net.name,
            "steps": net.steps,
            "dt": self.dt,
            "mean": np.array(net.mean, dtype=np.float64),
            "std": np.array(net.std, dtype=np.float64),
        }
        return self.nir.NIRGraph(nodes=self.nodes, edges=self.edges, metadata=metadata)

    def write(self) -> None:
        """Write all nodes, collecting faults."""
        quantised = [n for n in self.net.nodes if isinstance(n, LIF) and n.state_bits]
        soft = [n for n in self.net.nodes if isinstance(n, LIF) and n.soft]
        if quantised:
            bits = ", ".join(map(str, sorted({n.state_bits for n in quantised})))  # type: ignore
            self.lost.append(f"the {bits}-bit states of {len(quantised)} layers of neurons")
        if soft:
            self.lost.append(f"the reset by subtraction of {', '.join(n.name for n in soft)}")
        strange = {}
        for node in self.net.nodes:
            if not isinstance(
                node,
                Conv
                | BatchNorm
                | LIF
                | MaxPool
                | AveragePool
                | Add
                | MeanTokens
                | Flatten
                | Linear
                | MeanSteps,
            ):
                strange.setdefault(type(node).__name__, []).append(node.name)
        for kind, names in strange.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self.faults.append(f"{kind} ({', '.join(names[:3])}{more})")
        if self.faults:
            return
        for node in self.net.nodes:
            self._node(node)
        if not isinstance(self.net.nodes[-1], MeanSteps):
            last = self.net.nodes[-1]
            self.faults.append(f"{last.name} as the end, only for logits of each step")

    def put(self, name: str, node, feeds: tuple[str, ...]) -> str:
        """Add a node that reads the sum of ``feeds``."""
        while name in self.nodes:
            name += "_"
        self.nodes[name] = node
        self.edges += [(source, name) for source in feeds]
        return name

    def _node(self, node) -> None:
        nir = self.nir
        if node.name in self.feeds:
            return  # a BatchNorm that went into its convolution
        reads = [self.shapes[s] for s in sources(node)]
        shape, feeds = reads[0], self.feeds[sources(node)[0]]
        match node:
            case Conv():
                return self._conv(node, shape, feeds)
            case LIF():
                made = self._neuron(node, shape)
            case MaxPool():
                return self._max(node, shape, feeds)
            case AveragePool():
                k = np.array([node.size, node.size])
                made = nir.AvgPool2d(kernel_size=k, stride=k, padding=np.zeros(2, int))
                shape = (shape[0], *(n // node.size for n in shape[1:]))
            case Add():
                both = tuple(f for s in sources(node) for f in self.feeds[s])
                if len(set(both)) < len(both):
                    self.faults.append(f"{node.name}, which adds a tensor to itself")
                self.feeds[node.name], self.shapes[node.name] = both, shape
                return None
            case MeanTokens() if not node.over_steps:
                if len(shape) == 3:
                    k = np.array(shape[1:])
                    made = nir.AvgPool2d(kernel_size=k, stride=k, padding=np.zeros(2, int))
                    feeds = (self.put(node.name, made, feeds),)
                    feeds = (self._flat(f"{node.name}.flatten", (shape[0], 1, 1), feeds),)
                self.feeds[node.name], self.shapes[node.name] = feeds, shape[:1]
                return None
            case Flatten():
                count = (int(np.prod(shape)),)
                if len(shape) == 3:
                    feeds = (self._flat(node.name, shape, feeds),)
                self.feeds[node.name], self.shapes[node.name] = feeds, count
                return None
            case Linear():
                bits = node.weight_bits
                weight = node.weight if bits is None else quantise(node.weight, bits)
                told = {} if bits is None else _told(node, np.ones(len(weight), np.float32))
                made = nir.Affine(weight=weight, bias=node.bias, metadata=told)
                shape = (len(weight),)
            case MeanSteps() if node is self.net.nodes[-1]:
                self.put("output", nir.Output(np.array(shape)), feeds)
                return None
            case BatchNorm():
                self.faults.append(f"{node.name}, a BatchNorm that follows no convolution alone")
                made = None
            case _:
                self.faults.append(f"{node.name}, a {type(node).__name__} before the end")
                made = None
        self.feeds[node.name] = (self.put(node.name, made, feeds),)
        self.shapes[node.name] = shape
        return None

    def _flat(self, name: str, shape: tuple[int, ...], feeds: tuple[str, ...]) -> str:
        made = self.nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)
        return self.put(name, made, feeds)

    def _conv(self, node: Conv, shape: tuple[int, ...], feeds: tuple[str, ...]) -> None:
        """Weights as used, times the scale and the BatchNorm that follows."""
        bits = node.weight_bits
        plain = node.weight if bits is None else quantise(node.weight, bits)
        weight = binarise(node.weight) if node.binary else plain
        scale = np.ones(len(weight), np.float32) if node.scale is None else node.scale
        bias = np.zeros(len(weight), np.float32) if node.bias is None else node.bias
        name, readers = node.name, self.consumers.get(node.name, [])
        if len(readers) == 1 and isinstance(readers[0], BatchNorm):
            a, b = _affine(readers[0])
            scale, bias, name = scale * a, bias * a + b, readers[0].name
        weight = np.ascontiguousarray(weight * scale[:, None, None, None], dtype=np.float32)
        told = {} if node.binary or bits is None else _told(node, scale)
        made = None
        whole = node.padding == 0 and weight.shape[2:] == (shape[1:] or (1, 1))
        if whole and (len(shape) == 1 or shape[1:] != (1, 1)):
            if len(shape) == 3:
                feeds = (self._flat(f"{node.name}.flatten", shape, feeds),)
            made = self.nir.Affine(weight=weight.reshape(len(weight), -1), bias=bias, metadata=told)
            shape = (len(weight),)
        elif weight.shape[2] != weight.shape[3] or len(shape) == 1:
            self.faults.append(f"the {weight.shape[2]}x{weight.shape[3]} kernel of {node.name}")
        else:
            made = self.nir.Conv2d(
                input_shape=shape[1:],
                weight=weight,
                stride=(node.stride, node.stride),
                padding=(node.padding, node.padding),
                dilation=(1, 1),
                groups=1,
                bias=bias.astype(np.float32),
                metadata=told,
            )
            reach = weight.shape[2] - 2 * node.padding
            shape = (len(weight), *((n - reach) // node.stride + 1 for n in shape[1:]))
        feeds = (self.put(node.name, None if self.faults else made, feeds),)
        for tensor in {node.name, name}:
            self.feeds[tensor], self.shapes[tensor] = feeds, shape

    def _neuron(self, node: LIF, shape: tuple[int, ...]):
        """``v > theta`` for floats of 32 bits is ``v >= theta`` of the next one up."""
        told: dict[str, Any] = {}
        if node.state_bits is not None:
            told = {
                "state_bits": node.state_bits,
                "alpha": "batch" if node.alpha is None else float(node.alpha),
            }
        if node.soft:
            told["reset"] = "subtract"
        theta = np.float32(node.theta)
        if not node.strict:
            theta = np.nextafter(theta, np.float32(-np.inf))

        def full(value: float | np.floating) -> np.ndarray:
            return np.full(shape, value, dtype=np.float32)

        threshold = {"v_threshold": full(theta), "v_reset": full(0.0), "metadata": told}
        if not node.decay_input and node.tau == 1:
            return self.nir.IF(r=full(1 / self.dt), **threshold)
        steps = node.tau if node.decay_input else 1 / (1 - 1 / node.tau)
        if steps < 1:
            self.faults.append(f"{node.name}, whose membrane grows or turns by leaking")
        r = 1.0 if node.decay_input else steps
        return self.nir.LIF(tau=full(steps * self.dt), r=full(r), v_leak=full(0.0), **threshold)

    def _max(self, node: MaxPool, shape: tuple[int, ...], feeds: tuple[str, ...]) -> None:
        """The maximum of spikes is whether their sum is above 0."""
        if not isinstance(self.made.get(node.source), LIF | MaxPool):
            self.faults.append(f"{node.name}, a maximum of what is no spike")
        k, s, p = (np.array([n, n]) for n in (node.size, node.stride, node.padding))
        total = self.put(node.name, self.nir.SumPool2d(kernel_size=k, stride=s, padding=p), feeds)
        reach = node.size - 2 * node.padding
        shape = (shape[0], *((n - reach) // node.stride + 1 for n in shape[1:]))
        made = self.nir.Threshold(threshold=np.full(shape, 0.5, dtype=np.float32))
        self.feeds[node.name] = (self.put(f"{node.name}.or", made, (total,)),)
        self.shapes[node.name] = shape


def _told(node: Conv | Linear, factor: np.ndarray) -> dict[str, Any]:
    """Metadata from which weights of few bits are had back; they are written times ``factor``."""
    return {"weight_bits": node.weight_bits, "top": float(node.weight.max()), "factor": factor}


def _affine(node: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    """Factor and offset in float32, rounded where torch rounds them."""
    inverse = np.float32(1) / np.sqrt(node.var.astype(np.float32) + np.float32(node.eps))
    a = inverse * node.weight.astype(np.float32)
    return a, node.bias.astype(np.float32) - node.mean.astype(np.float32) * a
