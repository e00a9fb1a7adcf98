"""Networks in which everything fires: every sum is the largest there is, and stored."""

import dataclasses
from typing import Any

import numpy as np

from hw.arch.formats import BIAS_MAX
from sw.api import IntegerNetwork
from sw.network import Affine, BinaryLayer, PixelConv, Residual


def dense_network(network: IntegerNetwork) -> IntegerNetwork:
    """Return a network with all weights 1 and biases with which every neuron fires.

    Heads, attention and shortcuts stay. Where every word is all ones, the count of their common
    ones takes its largest value, which random spikes and weights hardly ever give. That every
    neuron fires would hide a wrong count: so a layer that neither adds nor stores a residual
    stores its sums too, one by one, above what its neurons need.
    """
    layers: list[Any] = []
    for layer in network.layers:
        if isinstance(layer, PixelConv):
            layer = dataclasses.replace(layer, bias=np.full_like(layer.bias, BIAS_MAX))
        elif isinstance(layer, BinaryLayer):
            layer = _dense(layer)
        layers.append(layer)
    return dataclasses.replace(network, layers=tuple(layers))


def _dense(layer: BinaryLayer) -> BinaryLayer:
    affine = layer.affine
    weight = np.ones_like(layer.weight)
    if layer.neuron is None or layer.residual is not None or layer.shortcut is not None:
        some = np.maximum(np.abs(affine.factor), 1)
        most = np.full_like(affine.bias, BIAS_MAX // 2)
        affine = dataclasses.replace(affine, factor=some, bias=most)
        return dataclasses.replace(layer, weight=weight, affine=affine)
    unit = 1 << affine.shift  # x is the sum and twice the threshold, of which the leak takes half
    bias = np.full_like(affine.bias, 2 * layer.neuron.theta * unit)
    affine = Affine(factor=np.full_like(affine.factor, unit), bias=bias, shift=affine.shift)
    stored = Residual(output=f"{layer.name}.sums")
    return dataclasses.replace(layer, weight=weight, affine=affine, residual=stored)
