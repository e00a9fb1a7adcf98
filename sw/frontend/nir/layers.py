"""Layers of a NIR graph to nodes of the float graph, one by one."""

from dataclasses import replace

import numpy as np

from sw.frontend.nir import spikes, weights
from sw.frontend.nir.builder import Builder, Value
from sw.frontend.nir.file import NIRNode
from sw.frontend.nir.values import UnreadableError, per_channel, whole
from sw.graph import IMAGE, Flatten, Linear, MeanSteps

MAX_CLASSES = 4096


class Layers(Builder):
    """Goes through a NIR graph in order of execution."""

    def build(self) -> None:
        """Write the nodes; collects faults instead of raising."""
        for name in self.structure.order():
            if name in self.values:
                continue  # went into the layer before it
            node = self.structure.nodes[name]
            self.absorbed = []
            try:
                value = self._node(node, self.sum(node))
            except UnreadableError as error:
                self.faults.append(f"{node.label}: {error}")
                value = Value(tensor=name, map=None)
            self.values |= dict.fromkeys((name, *self.absorbed), value)

    def _node(self, node: NIRNode, value: Value) -> Value:
        if not node.fields:
            return Value(tensor=node.name, map=None)  # its fault is the file's
        match node.kind:
            case "Input":
                return self._input(node)
            case "Conv2d":
                return weights.convolution(self, node, value)
            case "Affine" | "Linear":
                return weights.linear(self, node, value)
            case "IF" | "LIF":
                return spikes.lif(self, node, value)
            case "Flatten":
                return self._flatten(node, value)
            case "AvgPool2d" | "SumPool2d":
                return spikes.pool(self, node, value)
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

    def _input(self, node: NIRNode) -> Value:
        shape = tuple(np.asarray(node.fields["shape"]).ravel().tolist())
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise UnreadableError(f"shape is {shape}, wanted (channels, height, width)")
        channels, height, width = (int(n) for n in (*shape, 1, 1)[:3])
        self.image = channels, height, width
        return Value(tensor=IMAGE, map=self.image, flat=len(shape) == 1)

    def _flatten(self, node: NIRNode, value: Value) -> Value:
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

    def _output(self, node: NIRNode, value: Value) -> Value:
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
            flat = Flatten(name=f"{node.name}.flatten", source=self.tensor(value))
            source = self.put(flat, own=False)
            weight = np.diag(gain).astype(np.float32)
            bias = np.zeros(count, np.float32)
            tensor = self.put(Linear(name=node.name, source=source, weight=weight, bias=bias))
        self.put(MeanSteps(name="logits", source=tensor), own=False)
        self.classes = count
        return value
