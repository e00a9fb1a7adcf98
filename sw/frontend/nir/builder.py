"""The float graph that is made of a NIR graph, as far as it is: nodes, tensors, faults."""

from dataclasses import dataclass, replace

import numpy as np

from sw.frontend.nir.file import NIRNode
from sw.frontend.nir.structure import Structure
from sw.frontend.nir.values import UnreadableError
from sw.graph import IMAGE, Add, AveragePool


@dataclass(frozen=True, kw_only=True)
class Value:
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


class Builder:
    """Nodes of the float graph, and every fault found on the way to them.

    ``real`` tells of each layer between neurons that is not binary why it is not.
    """

    def __init__(self, structure: Structure, dt: float | None):
        self.structure, self.dt = structure, dt
        self.nodes: list = []
        self.faults: list[str] = []
        self.real: dict[str, str] = {}
        self.values: dict[str, Value] = {}
        self.absorbed: list[str] = []  # nodes that went into the layer being written
        self.sums: dict[tuple[str, str], str] = {}  # summands -> name of their sum
        self.taken = {IMAGE}
        self.image, self.classes = (1, 1, 1), 0

    def put(self, node, *, own: bool = True) -> str:
        """Append a node under a free name; ``own`` where that is the name of a NIR node."""
        name = node.name
        while name in self.taken or (name in self.structure.nodes and not own):
            name += "_"
        self.taken.add(name)
        self.nodes.append(replace(node, name=name))
        return name

    def sum(self, node: NIRNode) -> Value:
        """What ``node`` reads: the sum of all its edges."""
        values = [self.values[s] for s in self.structure.branches(node.name)]
        if len(values) < 2:
            return values[0] if values else Value(tensor=IMAGE, map=None)
        if any(v.gain is not None for v in values):
            raise UnreadableError("reads a sum of scaled tensors; put the scale into the weights")
        shapes = {v.shape for v in values if v.shape is not None}
        if len(shapes) > 1:
            raise UnreadableError(f"reads a sum of {' and '.join(map(str, sorted(shapes)))}")
        first, *rest = values
        tensor = self.tensor(first)
        for other in rest:
            both = tensor, self.tensor(other)
            if both not in self.sums:
                add = Add(name=f"{node.name}.sum", branch=both[0], stream=both[1])
                self.sums[both] = self.put(add, own=False)
            tensor = self.sums[both]
        return replace(first, tensor=tensor, spikes=False, pool=None)

    def tensor(self, value: Value) -> str:
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
