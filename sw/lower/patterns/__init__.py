"""How nodes of a float graph become layers: one function each, tried in the order of PATTERNS.

A function is asked for every node of its type. It returns whether it took the node: then it has
appended layers to the context or marked the node as done, and no further one is asked. It refuses
a node that no hardware does by ``context.fail``. docs/develop/layer.md walks through adding one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.context import Context
from sw.lower.patterns import attention, binary, heads, pixels, pools


@dataclass(frozen=True)
class Pattern:
    """One way in which nodes become layers."""

    name: str
    node: type  #: Kind of the nodes it is asked for.
    lower: Callable[[Context, Any], bool]


#: All patterns, the first to be asked first.
PATTERNS: tuple[Pattern, ...] = (
    Pattern("neuron on the image", g.LIF, pixels.no_neuron),
    Pattern("first convolution", g.Conv, pixels.first_convolution),
    Pattern("binary convolution", g.Conv, binary.convolution),
    Pattern("sum", g.Add, binary.addition),
    Pattern("spike pool", g.MaxPool, pools.spike_pool),
    Pattern("average pool", g.AveragePool, pools.average_pool),
    Pattern("attention map", g.Similarity, attention.similarity),
    Pattern("attention", g.Apply, attention.apply),
    Pattern("mean of a residual", g.MeanTokens, heads.mean),
    Pattern("average of heads", g.HeadAverage, heads.head_average),
    Pattern("average over steps", g.MeanSteps, heads.mean_steps),
)


def patterns() -> tuple[Pattern, ...]:
    """Return PATTERNS; SpikeloomError names a wrong entry."""
    names: set[str] = set()
    for pattern in PATTERNS:
        if pattern.name in names:
            raise SpikeloomError(
                f"pattern {pattern.name!r}: is in the table twice; give one another name"
            )
        if not isinstance(pattern.node, type) or not hasattr(pattern.node, "__dataclass_fields__"):
            raise SpikeloomError(
                f"pattern {pattern.name!r}: {pattern.node!r} is no kind of node of the float graph"
            )
        if not callable(pattern.lower):
            raise SpikeloomError(f"pattern {pattern.name!r}: has no function that lowers a node")
        names.add(pattern.name)
    return PATTERNS
