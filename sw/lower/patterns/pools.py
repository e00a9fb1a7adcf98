"""Pools of a float graph to layers, or to parts of the layers that read them."""

from sw import graph as g
from sw.lower.context import Context
from sw.network import SpikePool


def spike_pool(walk: Context, node: g.MaxPool) -> bool:
    """Lower a maximum over 3x3 windows of spikes."""
    if (node.size, node.stride, node.padding) != (3, 2, 1):
        walk.fail(node, "only 3x3 pools of stride 2 and padding 1 exist")
    if node.source not in walk.spikes:
        walk.fail(node, f"only spikes are pooled, {node.source} holds none")
    h, w = walk.space[node.source]
    walk.put(node.name, walk.widths[node.source], (-(-h // 2), -(-w // 2)))
    walk.layers.append(SpikePool(name=node.name, source=node.source))
    return True


def average_pool(walk: Context, node: g.AveragePool) -> bool:
    """Part of the binary convolutions that read it."""
    if node.size != 2 or node.source not in walk.spikes:
        walk.fail(node, "only averages of 2x2 spikes exist")
    readers = walk.consumers.get(node.name, [])
    if not all(isinstance(n, g.Conv) and n.binary for n in readers):
        walk.fail(node, "averages must be read by binary convolutions only")
    h, w = walk.space[node.source]
    if min(h, w) < 2:
        walk.fail(node, f"it pools {h}x{w} spikes to nothing; lower for larger images")
    walk.put(node.name, walk.widths[node.source], (h // 2, w // 2))
    return True
