"""Attention of a float graph to integer layers."""

import math

import numpy as np

from sw import graph as g
from sw.lower import quantise
from sw.lower.context import Context
from sw.network import AttentionApply, AttentionMap, Neuron


def similarity(walk: Context, node: g.Similarity) -> bool:
    """Counts and their neuron to an attention map."""
    lif = walk.only(node.name, g.LIF)
    if lif is None or lif.tau != 2.0 or not lif.decay_input or lif.state_bits:
        walk.fail(node, "a neuron with tau 2 and decaying input must follow, alone")
    if walk.options.stream:
        walk.fail(node, "a stream has no attention")
    tokens = math.prod(walk.space[node.left])
    largest = walk.widths[node.left] // node.heads if node.order == "qk" else tokens
    affine, theta = quantise.counts(lif.name, largest, lif.theta, lif.strict)
    frac = int(affine.factor[0]).bit_length() - 1 - affine.shift
    walk.maps[lif.name] = {"frac_bits": frac, "exact": frac >= walk.steps}
    walk.done |= {node.name, lif.name}
    walk.layers.append(
        AttentionMap(
            name=node.name,
            left=node.left,
            right=node.right,
            heads=node.heads,
            order=node.order,
            similarity=node.similarity,
            affine=affine,
            neuron=Neuron(name=lif.name, theta=theta, soft=lif.soft),
        )
    )
    return True


def apply(walk: Context, node: g.Apply) -> bool:
    """Map times operand, its scale and its neuron to one layer."""
    scale = walk.only(node.name, g.Scale)
    lif = walk.only(scale.name, g.LIF) if scale is not None else None
    if scale is None or lif is None:
        walk.fail(node, "a scale and a neuron must follow, alone")
    heads, space = node.heads, walk.space[node.source]
    width = walk.widths[node.source]
    largest = math.prod(space) if node.order == "qk" else width // heads
    a = scale.factor * scale.gain.astype(np.float64)  # (T, H)
    with walk.in_group(scale.name):
        one = walk.units.one(scale.name)
        affine = quantise.affine(scale.name, a, np.zeros_like(a), one, largest)
    walk.done |= {node.name, scale.name}
    walk.layers.append(
        AttentionApply(
            name=node.name,
            map=node.map,
            source=node.source,
            heads=heads,
            order=node.order,
            affine=affine,
            neuron=walk.neuron(lif),
        )
    )
    walk.put(lif.name, width, space)
    return True
