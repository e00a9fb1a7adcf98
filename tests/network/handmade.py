"""Layers by hand: shapes noted beforehand, and the arithmetic of golden functions once more."""

import types

import numpy as np

from sw.network import Affine
from sw.network.checks import Ranges, Shapes
from tests.golden import naive


def affine(*shape, factor=1, bias=0, shift=4):
    """An affine map of equal channels."""
    return Affine(factor=np.full(shape, factor), bias=np.full(shape, bias), shift=shift)


def shapes(tensors, **changes):
    """Shapes of a small network in which the tensors have these shapes already."""
    fields = {"name": "net", "steps": 2, "channels": 3, "height": 6, "width": 8, "classes": 4}
    ask = Shapes(types.SimpleNamespace(**fields | changes))
    for name, shape in tensors.items():
        ask.put(name, shape)
    ask.layer = "here"
    return ask


def written(layer, tensors, **changes):
    """Shapes of what a layer writes where it reads tensors of these shapes."""
    ask = shapes(tensors, **changes)
    layer.shapes(ask)
    return {name: shape for name, shape in ask.shape.items() if name not in tensors}


def ranges(layer, tensors, spikes=(), **changes):
    """Ranges of a network that has the layer, its shapes noted."""
    ask = shapes(tensors, **changes)
    layer.shapes(ask)
    return Ranges(ask.network, ask, frozenset(spikes))


class Naive:
    """What golden functions may ask, by padding, summing taps, einsum, and steps in python."""

    def __init__(self, steps=2):
        self.steps = steps

    def whole(self, tensor):
        return tensor

    def pixel_sums(self, frames, weight, padding, stride):
        return naive.convolve(frames, weight, padding, stride)

    def binary_sums(self, spikes, weight, stride):
        sign = np.where(weight, 1, -1)
        return naive.convolve(spikes.astype(np.int64), sign, weight.shape[2] // 2, stride)

    def row_counts(self, left, right, differing=False):
        left, right = left.astype(np.int64), right.astype(np.int64)
        pairs = [(left, right)] if not differing else [(left, 1 - right), (1 - left, right)]
        return sum(np.einsum("...nk,...mk->...nm", a, b) for a, b in pairs)

    def lane(self, sums, affine, tensors, *, neuron=None, residual=None, shortcut=None):
        sums = np.broadcast_to(sums, (self.steps, *sums.shape[1:]))
        two = (self.steps, sums.shape[2])
        factor, bias = (
            np.broadcast_to(a, two)[:, None, :, None, None] for a in (affine.factor, affine.bias)
        )
        y = naive.clip((factor * sums + bias) // 2**affine.shift)
        if shortcut:
            y = naive.clip(y + tensors[shortcut.source].astype(np.int64) * shortcut.value)
        out = {}
        if residual:
            streams = [tensors[name].astype(np.int64) for name in residual.inputs]
            added = sum(streams) if len(streams) < 2 else (streams[0] + streams[1]) // 2
            out[residual.output] = y = naive.clip(y + added)
        if neuron:
            out[neuron.name] = naive.neuron_spikes(neuron, y)
        return out
