"""The float network: a graph of nodes in execution order, and its input's normalisation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Self

from hw.common.errors import SpikeloomError
from hw.common.show import cut, listing, shown
from sw.graph.nodes import IMAGE, LIF, Apply, Node, Scale, Similarity, sources


@dataclass(frozen=True, kw_only=True)
class FloatNetwork:
    """A trained network in float32.

    ``mean`` and ``std`` are per input channel: the network reads
    ``(pixel / 255 - mean) / std`` of uint8 pixels. One trained on sequences of any length is a
    ``stream``: its images are frames, it has an answer for each, and ``steps`` are those of the
    longest sequence.
    """

    name: str
    nodes: tuple[Node, ...]
    steps: int
    channels: int
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stream: bool = False
    size: tuple[int, int] | None = None  #: Trained image height and width, where known.
    meta: dict = field(default_factory=dict)  #: Labels; JSON types.

    def __repr__(self) -> str:
        size = f"{self.size[0]}x{self.size[1]}" if self.size else "images of any size"
        return listing(
            f"FloatNetwork {self.name!r}: {size}, {self.channels} channels, {self.steps} steps, "
            f"{self.classes} classes, {len(self.nodes)} nodes",
            self.nodes,
        )

    def consumers(self) -> dict[str, list[Node]]:
        """Tensor name -> nodes that read it, in order."""
        table: dict[str, list[Node]] = {}
        for node in self.nodes:
            for source in sources(node):
                table.setdefault(source, []).append(node)
        return table

    def check_sources(self) -> None:
        """SpikeloomError where a node reads a tensor that no earlier node writes."""
        written = {IMAGE}
        for node in self.nodes:
            for source in sources(node):
                if source not in written:
                    raise SpikeloomError(
                        f"{self.name}: {node.name} reads {shown(source)}, which no earlier layer "
                        "writes; give the nodes in the order of execution"
                    )
            written.add(node.name)

    def token_tensors(self) -> frozenset[str]:
        """Names of tensors traced as (T, B, C, N): operands and outputs of attention."""
        names, products = set(), set()
        for node in self.nodes:
            if isinstance(node, Similarity):
                names |= {node.left, node.right}
            elif isinstance(node, Apply):
                names.add(node.source)
                products.add(node.name)
        for node in self.nodes:  # what follows the product: its scale, its neuron
            if isinstance(node, Scale | LIF) and node.source in products:
                products.add(node.name)
        return frozenset(names | products)

    def with_alpha(self, alpha: float | str | Mapping[str, float]) -> Self:
        """The network with other state quantisers.

        Parameters
        ----------
        alpha : one number for all neurons whose state is quantised, a number for each by name,
            or 'batch': the largest ``|tanh(v)|`` of each step over each batch, as in training.
        """
        quantised = [n.name for n in self.nodes if isinstance(n, LIF) and n.state_bits]
        if alpha == "batch":
            table: dict[str, float | None] = dict.fromkeys(quantised)
        elif isinstance(alpha, Mapping):
            table = dict(alpha)
        else:
            table = dict.fromkeys(quantised, alpha)  # type: ignore[arg-type]
        if unknown := sorted(table.keys() - set(quantised)):
            known = ", ".join(quantised) or "none"
            raise SpikeloomError(
                f"{self.name}: no neuron of quantised state is called {cut(', '.join(unknown))}; "
                f"there are {known}"
            )
        for name, value in table.items():
            if value is None and alpha == "batch":
                continue
            real = isinstance(value, Real) and not isinstance(value, bool)
            if not real or not 0 < value < math.inf:  # type: ignore[operator]
                raise SpikeloomError(
                    f"{self.name}: alpha of {name} must be above 0 or 'batch', not {value!r}"
                )
        nodes = (
            replace(n, alpha=table[n.name]) if isinstance(n, LIF) and n.name in table else n
            for n in self.nodes
        )
        return replace(self, nodes=tuple(nodes))
