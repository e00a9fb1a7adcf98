"""The first convolution of a float graph to the pixel layer."""

import numpy as np

from sw import graph as g
from sw.lower import quantise
from sw.lower.context import Context
from sw.network import PixelConv


def no_neuron(walk: Context, node: g.LIF) -> bool:
    """Refuse a neuron that reads the image."""
    if node.source == g.IMAGE:
        walk.fail(node, "a neuron reads the image; the first layer is a convolution")
    return False


def first_convolution(walk: Context, node: g.Conv) -> bool:
    """Lower the convolution that reads the image, with its BatchNorm and its neuron."""
    if node.source != g.IMAGE:
        return False
    bn, a, b = walk.folded(node)
    lif = walk.only(bn.name, g.LIF)
    if node.binary or lif is None:
        walk.fail(node, "the first convolution must be real-valued and feed a neuron")
    weight = node.weight
    if node.weight_bits is not None:
        weight = g.quantise(weight, node.weight_bits)
    norm = np.sqrt((weight.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
    weight = weight.astype(np.float64) * a[:, None, None, None]
    one = walk.units.one(bn.name)
    with walk.in_group(bn.name):
        fields = quantise.pixel_conv(
            node.name,
            weight,
            b,
            walk.net.mean,
            walk.net.std,
            one,
            walk.options.pixel_weight_bits,
            walk.dead_channels(node, bn, norm, one),
        )
    layer = PixelConv(
        name=node.name,
        padding=node.padding,
        stride=node.stride,
        neuron=walk.neuron(lif),
        **fields,
    )
    walk.layers.append(layer)
    h, w = walk.space[g.IMAGE]
    walk.put(lif.name, len(a), (-(-h // node.stride), -(-w // node.stride)))
    return True
