"""Layers of a NIR graph to nodes of the float graph, one by one."""

from dataclasses import dataclass, replace

import numpy as np

from sw.frontend.nir.file import NIRNode
from sw.frontend.nir.structure import Structure
from sw.frontend.nir.values import (
    UnreadableError,
    neuron,
    pair,
    per_channel,
    quantised,
    side,
    signs,
    uniform,
    whole,
)
from sw.graph import (
    IMAGE,
    LIF,
    Add,
    AveragePool,
    BatchNorm,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    MeanSteps,
    MeanTokens,
)

MAX_CLASSES = 4096


@dataclass(frozen=True, kw_only=True)
class _Value:
    """Output of a NIR node: a tensor of maps, perhaps flattened, times ``gain``."""

    tensor: str
    map: tuple[int, int, int] | None  #: (C, H, W); None where a fault hides it.
    flat: bool = False
    gain: np.ndarray | None = None  #: float64, (C, 1, 1) or (C, H, W).
    spikes: bool = False
    pool: tuple[str, int, int] | None = None  #: Name and sides of a mean still to be written.

    @property
    def shape(self) -> tuple[int, ...] | None:
        """As NIR has it."""
        if self.map is None or not self.flat:
            return self.map
        return (int(np.prod(self.map)),)


class Layers:
    """Nodes of the float graph, and every fault found on the way to them.

    ``real`` tells of each layer between neurons that is not binary why it is not.
    """

    def __init__(self, structure: Structure, dt: float | None):
        self.structure, self.dt = structure, dt
        self.nodes: list = []
        self.faults: list[str] = []
        self.real: dict[str, str] = {}
        self.values: dict[str, _Value] = {}
        self.absorbed: list[str] = []  # nodes that went into the layer being written
        self.sums: dict[tuple[str, str], str] = {}  # summands -> name of their sum
        self.taken = {IMAGE}
        self.image, self.classes = (1, 1, 1), 0

    def build(self) -> None:
        """Write the nodes; collects faults instead of raising."""
        for name in self.structure.order():
            if name in self.values:
                continue  # went into the layer before it
            node = self.structure.nodes[name]
            self.absorbed = []
            try:
                value = self._node(node, self._sum(node))
            except UnreadableError as error:
                self.faults.append(f"{node.label}: {error}")
                value = _Value(tensor=name, map=None)
            self.values |= dict.fromkeys((name, *self.absorbed), value)

    def put(self, node, *, own: bool = True) -> str:
        """Append a node under a free name; ``own`` where that is the name of a NIR node."""
        name = node.name
        while name in self.taken or (name in self.structure.nodes and not own):
            name += "_"
        self.taken.add(name)
        self.nodes.append(replace(node, name=name))
        return name

    def _sum(self, node: NIRNode) -> _Value:
        """What ``node`` reads: the sum of all its edges."""
        values = [self.values[s] for s in self.structure.branches(node.name)]
        if len(values) < 2:
            return values[0] if values else _Value(tensor=IMAGE, map=None)
        if any(v.gain is not None for v in values):
            raise UnreadableError("reads a sum of scaled tensors; put the scale into the weights")
        shapes = {v.shape for v in values if v.shape is not None}
        if len(shapes) > 1:
            raise UnreadableError(f"reads a sum of {' and '.join(map(str, sorted(shapes)))}")
        first, *rest = values
        tensor = self._tensor(first)
        for other in rest:
            both = tensor, self._tensor(other)
            if both not in self.sums:
                add = Add(name=f"{node.name}.sum", branch=both[0], stream=both[1])
                self.sums[both] = self.put(add, own=False)
            tensor = self.sums[both]
        return replace(first, tensor=tensor, spikes=False, pool=None)

    def _tensor(self, value: _Value) -> str:
        """Name of the value's tensor, without its gain; writes a pool that was put off."""
        if value.pool is None:
            return value.tensor
        name, height, width = value.pool
        if height != width:
            raise UnreadableError(
                f"{name} averages {height}x{width} pixels for other than the last linear layer, "
                "wanted a square"
            )
        return self.put(AveragePool(name=name, source=value.tensor, size=height))

    def _node(self, node: NIRNode, value: _Value) -> _Value:
        if not node.fields:
            return _Value(tensor=node.name, map=None)  # its fault is the file's
        match node.kind:
            case "Input":
                return self._input(node)
            case "Conv2d":
                return self._conv(node, value)
            case "Affine" | "Linear":
                return self._linear(node, value)
            case "IF" | "LIF":
                return self._lif(node, value)
            case "Flatten":
                return self._flatten(node, value)
            case "AvgPool2d" | "SumPool2d":
                return self._pool(node, value)
            case "Scale":
                if value.map is None:
                    return value
                factor = per_channel(node.fields["scale"], value.map)
                return replace(
                    value, gain=factor if value.gain is None else factor * value.gain, spikes=False
                )
            case "Threshold":
                raise UnreadableError("is read only after a SumPool2d of spikes, as their OR")
            case "Output":
                return self._output(node, value)
        raise TypeError(f"no rule for {node.kind}")

    def _input(self, node: NIRNode) -> _Value:
        shape = tuple(np.asarray(node.fields["shape"]).ravel().tolist())
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise UnreadableError(f"shape is {shape}, wanted (channels, height, width)")
        channels, height, width = (int(n) for n in (*shape, 1, 1)[:3])
        self.image = channels, height, width
        return _Value(tensor=IMAGE, map=self.image, flat=len(shape) == 1)

    def _conv(self, node: NIRNode, value: _Value) -> _Value:
        weight = np.asarray(node.fields["weight"], dtype=np.float64)
        bias = np.asarray(node.fields["bias"], dtype=np.float64)
        if weight.ndim != 4 or not weight.size or bias.shape != weight.shape[:1]:
            raise UnreadableError(
                f"weight is {weight.shape} and bias {bias.shape}, wanted (out, in, height, width) "
                "and (out,)"
            )
        if pair(node, "dilation") != (1, 1):
            raise UnreadableError("is dilated, wanted dilation 1")
        stride, groups = side(node, "stride"), whole(node, "groups")
        out, inputs, *kernel = weight.shape
        padding = self._padding(node, kernel, stride)
        if value.flat:
            raise UnreadableError(f"reads {value.shape}, wanted (channels, height, width)")
        if groups != 1:
            raise UnreadableError(f"has {groups} groups, wanted 1")
        if value.map is not None and inputs != value.map[0]:
            raise UnreadableError(f"reads {inputs} channels and gets {value.map[0]}")
        if stride < 1:
            raise UnreadableError(f"stride is {stride}, wanted 1 or more")
        shape = None
        if value.map is not None:
            sides = [
                (n + 2 * padding - k) // stride + 1
                for n, k in zip(value.map[1:], kernel, strict=True)
            ]
            if min(sides) < 1:
                raise UnreadableError(f"its {kernel[0]}x{kernel[1]} kernel exceeds {value.shape}")
            shape = (out, *sides)
        if value.gain is not None:
            if value.gain.shape[1:] != (1, 1):
                raise UnreadableError("reads pixels of different scale")
            weight = weight * value.gain
        return self._layer(node, value, weight, bias, shape, stride=stride, padding=padding)

    @staticmethod
    def _padding(node: NIRNode, kernel: list[int], stride: int) -> int:
        given = node.fields["padding"]
        if not isinstance(given, str):
            return side(node, "padding")
        if given == "valid":
            return 0
        if given != "same" or stride != 1 or kernel[0] != kernel[1] or kernel[0] % 2 == 0:
            raise UnreadableError(
                f"padding is {given!r} of a {kernel[0]}x{kernel[1]} kernel of stride {stride}; "
                "write it in numbers, the same on all sides"
            )
        return kernel[0] // 2

    def _linear(self, node: NIRNode, value: _Value) -> _Value:
        weight = np.asarray(node.fields["weight"], dtype=np.float64)
        if weight.ndim != 2 or not weight.size:
            raise UnreadableError(f"weight is {weight.shape}, wanted (out, in)")
        out, inputs = weight.shape
        bias = np.asarray(node.fields.get("bias", np.zeros(out)), dtype=np.float64)
        if bias.shape != (out,):
            raise UnreadableError(f"bias is {bias.shape}, wanted ({out},)")
        if value.map is None:
            return _Value(tensor=node.name, map=(out, 1, 1), flat=True)
        if value.shape != (inputs,):
            cure = "" if value.flat else "; put a Flatten before it"
            raise UnreadableError(f"reads ({inputs},) and gets {value.shape}{cure}")
        if value.gain is not None:
            weight = weight * np.broadcast_to(value.gain, value.map).ravel()
        shape = (out, 1, 1)
        if not self.structure.is_last(node):  # a hidden one is a convolution over the whole map
            kernel = weight.reshape(out, *value.map)
            return self._layer(node, value, kernel, bias, shape, flat=True)
        factor, bias = self._absorb(node, bias, shape)
        weight = weight if factor is None else weight * factor[:, None]
        if value.pool is not None:
            pixels = MeanTokens(name=value.pool[0], source=value.tensor, over_steps=False)
        else:
            pixels = Flatten(name=f"{node.name}.flatten", source=value.tensor)
        weight, bits = weight.astype(np.float32), None
        kept = quantised(node, weight)
        if kept is not None and (kept[1] == 1).all():
            weight, _, bits = kept
        linear = Linear(
            name=node.name,
            source=self.put(pixels, own=isinstance(pixels, MeanTokens)),
            weight=weight,
            bias=bias.astype(np.float32),
            weight_bits=bits,
        )
        tensor = self.put(linear)
        return _Value(tensor=tensor, map=shape, flat=True)

    def _layer(self, node, value, weight, bias, shape, *, flat=False, stride=1, padding=0):
        """A convolution, binary where its weights are, and the BatchNorm of its scales."""
        source = self._tensor(value)
        factor, offset = self._absorb(node, bias, shape)
        factor = np.ones(len(weight)) if factor is None else factor
        weight = weight.astype(np.float32)
        found = "the first layer reads pixels" if source == IMAGE else signs(weight)
        binary = not isinstance(found, str)
        bits = None
        if isinstance(found, str):
            if (kept := quantised(node, weight)) is not None:
                weight, scale, bits = kept
                factor = factor * scale
            if source != IMAGE:
                self.real[node.name] = found
        else:
            weight, scale = found
            factor = factor * scale
        conv = Conv(
            name=node.name,
            source=source,
            weight=weight,
            binary=binary,
            padding=padding,
            stride=stride,
            weight_bits=bits,
        )
        return _Value(
            tensor=self._norm(f"{node.name}.bn", self.put(conv), factor, offset),
            map=shape,
            flat=flat,
        )

    def _norm(self, name: str, source: str, factor: np.ndarray, offset: np.ndarray) -> str:
        """``factor * x + offset`` as a BatchNorm."""
        zeros, ones = np.zeros(len(factor), np.float32), np.ones(len(factor), np.float32)
        return self.put(
            BatchNorm(
                name=name,
                source=source,
                weight=factor.astype(np.float32),
                bias=offset.astype(np.float32),
                mean=zeros,
                var=ones,
                eps=0.0,
            ),
            own=False,
        )

    def _absorb(self, node: NIRNode, bias: np.ndarray, shape):
        """Factor and offset per channel of ``node`` and of what alone follows to scale it."""
        factor, name = None, node.name
        while shape is not None and len(self.structure.readers[name]) == 1:
            after = self.structure.nodes[self.structure.readers[name][0]]
            if len(self.structure.sources[after.name]) != 1:
                break
            if after.kind != "Scale":
                break
            try:
                gain = per_channel(after.fields["scale"], shape)
            except UnreadableError:
                break  # told when its turn comes
            if gain.shape[1:] != (1, 1):
                break
            gain = gain.ravel()
            factor = gain if factor is None else gain * factor
            bias = gain * bias
            name = after.name
            self.absorbed.append(name)
        return factor, bias

    def _lif(self, node: NIRNode, value: _Value) -> _Value:
        kind = neuron(node, value.shape, self.dt)
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
            raise UnreadableError(f"metadata tells {bits!r} state bits of alpha {alpha!r}")
        lif = LIF(
            name=node.name,
            source=self._tensor(value),
            theta=theta,
            tau=1.0 if kind is None else kind.tau,
            decay_input=kind is None or kind.decay_input,
            strict=True,
            soft=node.metadata.get("reset") == "subtract",
            state_bits=bits,
            alpha=None if alpha == "batch" else float(alpha),
        )
        return _Value(tensor=self.put(lif), map=value.map, flat=value.flat, spikes=True)

    def _flatten(self, node: NIRNode, value: _Value) -> _Value:
        if value.map is None or value.flat:
            return replace(value, flat=True)
        first, last = (whole(node, key) % 3 for key in ("start_dim", "end_dim"))
        outside = [n for axis, n in enumerate(value.map) if not first <= axis <= last]
        if any(n > 1 for n in outside):
            raise UnreadableError(
                f"leaves axes of {value.shape} apart; wanted start_dim 0 and end_dim -1 (NIR "
                "counts no batch axis)"
            )
        return replace(value, flat=True)

    def _pool(self, node: NIRNode, value: _Value) -> _Value:
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
        after = [self.structure.nodes[n] for n in self.structure.readers[node.name]]
        if node.kind == "SumPool2d" and [n.kind for n in after] == ["Threshold"]:
            return self._or(node, after[0], value)
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
        tensor = self.put(AveragePool(name=node.name, source=self._tensor(value), size=size))
        return _Value(tensor=tensor, map=(channels, height // size, width // size), gain=gain)

    def _or(self, node: NIRNode, threshold: NIRNode, value: _Value) -> _Value:
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
        pool = MaxPool(
            name=node.name, source=value.tensor, size=size, stride=stride, padding=padding
        )
        self.absorbed.append(threshold.name)
        return _Value(tensor=self.put(pool), map=shape, spikes=True)  # type: ignore[arg-type]

    def _output(self, node: NIRNode, value: _Value) -> _Value:
        """Mean over steps of what comes out at each."""
        if value.map is None:
            return value
        count = int(np.prod(value.map))
        if count != max(value.map) or count > MAX_CLASSES or value.map[0] != count:
            raise UnreadableError(f"gets {value.shape}, wanted one value for each class")
        if int(np.prod(node.fields["shape"])) != count:
            raise UnreadableError(
                f"says {tuple(np.ravel(node.fields['shape']).tolist())} and gets {value.shape}"
            )
        tensor = value.tensor
        if not self.nodes or not isinstance(self.nodes[-1], Linear):
            gain = np.ones(count) if value.gain is None else value.gain.ravel()
            flat = Flatten(name=f"{node.name}.flatten", source=self._tensor(value))
            source = self.put(flat, own=False)
            weight = np.diag(gain).astype(np.float32)
            bias = np.zeros(count, np.float32)
            tensor = self.put(Linear(name=node.name, source=source, weight=weight, bias=bias))
        self.put(MeanSteps(name="logits", source=tensor), own=False)
        self.classes = count
        return value
