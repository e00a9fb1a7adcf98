"""Binary convolutions of a float graph, and what is added to them, to binary layers."""

import math

import numpy as np

from sw import graph as g
from sw.lower import quantise
from sw.lower.context import Context
from sw.lower.units import summands
from sw.network import BinaryLayer, Residual, Shortcut


def convolution(walk: Context, node: g.Conv) -> bool:
    """Lower a convolution of spikes, where no sum takes it."""
    if not node.binary:
        walk.fail(node, "only the first convolution may have real weights")
    bn = walk.only(node.name, g.BatchNorm)
    add = walk.only(bn.name, g.Add) if bn is not None else None
    found = summands(walk.net, add) if add is not None else None
    if bn is not None and found is not None and found[0] == bn.name:
        return True  # computed where the sum is
    _binary(walk, node)
    return True


def addition(walk: Context, node: g.Add) -> bool:
    """Lower a sum to the layer of the convolution that it adds to."""
    found = summands(walk.net, node)
    conv = walk.nodes[walk.nodes[found[0]].source] if found else None  # type: ignore[union-attr]
    if found is None or not isinstance(conv, g.Conv) or not conv.binary:
        walk.fail(node, "it must add to the BatchNorm of a binary convolution read by it alone")
    other = walk.nodes.get(found[1])
    walk.done.add(node.name)
    if found[1] in walk.spikes:
        value = round(walk.units.one(node.name))
        kept = Residual(output=node.name) if node.name in walk.stored else None
        _binary(walk, conv, node, kept, Shortcut(source=found[1], value=value))
    elif isinstance(other, g.Average):
        walk.done.add(other.name)
        inputs = (other.older, other.newer)
        _binary(walk, conv, node, Residual(output=node.name, inputs=inputs))
    elif isinstance(other, g.BatchNorm | g.Add):
        _binary(walk, conv, node, Residual(output=node.name, inputs=(found[1],)))
    else:
        walk.fail(node, f"{found[1]} is neither spikes nor a sum of convolutions")
    return True


def _binary(
    walk: Context,
    node: g.Conv,
    add: g.Add | None = None,
    residual: Residual | None = None,
    shortcut: Shortcut | None = None,
) -> None:
    """A binary convolution with what its lanes add."""
    bn, a, b = walk.folded(node)
    value = bn.name if add is None else add.name
    if residual is None and value in walk.stored:
        residual = Residual(output=value)
    readers = [n for n in walk.consumers.get(value, []) if isinstance(n, g.LIF)]
    if len(readers) > 1 or not (readers or residual):
        walk.fail(node, f"{value} must feed one neuron, not {len(readers)}")
    source, pool, largest = node.source, 1, math.prod(node.weight.shape[1:])
    pooled = walk.nodes.get(source)
    if isinstance(pooled, g.AveragePool):
        if node.stride != 1:
            walk.fail(node, f"it strides over the averages of {source}")
        source, pool, largest = pooled.source, 2, 4 * largest
        a = a / 4
    if source not in walk.spikes:
        walk.fail(node, f"it reads {source}, which holds no spikes")
    sign = g.binarise(node.weight)
    one = walk.units.one(value)
    # What a code leaves of the membrane is exact, so the comparison can be, too.
    alone = not (residual and residual.inputs)
    exact = alone and readers and readers[0].state_bits and readers[0].strict
    above = readers[0].theta if exact else None
    count = (1.0 if node.scale is None else node.scale.astype(np.float64)) / pool**2
    # What is stored, or added to, must keep its size; a spike that is sure need not.
    plain = residual is None and shortcut is None and add is None
    with walk.in_group(value):
        affine = quantise.affine(
            node.name,
            a,
            b,
            one,
            largest,
            above=above,
            dead=walk.dead_channels(node, bn, count, one),
            sure=_sure(a, readers[0], one) if plain else None,
        )
    layer = BinaryLayer(
        name=node.name,
        source=source,
        weight=sign >= 0 if walk.options.zero_weights == "plus" else sign > 0,
        affine=affine,
        residual=residual,
        neuron=walk.neuron(readers[0]) if readers else None,
        stride=node.stride,
        pool=pool,
        shortcut=shortcut,
    )
    walk.layers.append(layer)
    h, w = walk.space[node.source]
    space = -(-h // node.stride), -(-w // node.stride)
    for name in (value, *(n.name for n in readers)):
        walk.put(name, len(a), space)


def _sure(a: np.ndarray, lif: g.LIF, one: float) -> quantise.Rest:
    """Channels of which a single count of S fires the neuron, or not, by itself."""
    fires = 2.0 * lif.theta if lif.decay_input else lif.theta
    return quantise.Rest(mask=np.abs(a) >= fires, level=np.full(len(a), fires))
