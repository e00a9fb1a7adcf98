"""Means, linear layers and logits of a float graph to integer layers."""

import math

import numpy as np

from hw.arch.formats import FACTOR_MAX
from sw import graph as g
from sw.lower import quantise
from sw.lower.context import Context
from sw.network import Head, Mean

MEAN_SHIFT = 14


def mean(walk: Context, node: g.MeanTokens) -> bool:
    """Lower the mean of a residual; that of spikes is part of the last layer."""
    if node.source in walk.spikes:
        return False
    if node.source not in walk.units.groups:
        walk.fail(node, "only spikes and sums of convolutions have a mean")
    count = walk.steps * math.prod(walk.space[node.source])
    factor = max(1, round(2.0**MEAN_SHIFT / count))
    if factor > FACTOR_MAX or count > 2 << MEAN_SHIFT:
        walk.fail(node, f"a mean over {count} tokens and steps is beyond the lanes")
    # one step of the mean stands for 2**MEAN_SHIFT / (factor * count) steps of the residual
    one = walk.units.one(node.source)
    walk.means[node.name] = 2.0**MEAN_SHIFT / one / (factor * count)
    bias = 1 << (MEAN_SHIFT - 1)
    walk.layers.append(
        Mean(name=node.name, source=node.source, factor=factor, bias=bias, shift=MEAN_SHIFT)
    )
    return True


def head_average(walk: Context, node: g.HeadAverage) -> bool:
    """Lower the average of the logits of one or more linear layers."""
    _logits(walk, node, node.sources)
    return True


def mean_steps(walk: Context, node: g.MeanSteps) -> bool:
    """Lower the average of a linear layer's logits over steps."""
    _logits(walk, node, (node.source,))
    return True


def _logits(walk: Context, node: g.MeanSteps | g.HeadAverage, names: tuple[str, ...]) -> None:
    """Linear layers of means to the head."""
    if node is not walk.net.nodes[-1]:
        walk.fail(node, "logits must come last")
    heads = [h for h in map(walk.nodes.get, names) if isinstance(h, g.Linear)]
    means = [walk.nodes.get(h.source) for h in heads]
    walk.done.add(node.name)
    if len(heads) == len(names) == 1 and isinstance(means[0], g.MeanTokens | g.Flatten):
        mean = means[0]
        over_steps = isinstance(mean, g.MeanTokens) and mean.over_steps
        if over_steps != isinstance(node, g.HeadAverage):
            walk.fail(node, "steps must be averaged once, before or after the linear layer")
        if mean.source in walk.spikes:
            _count_head(walk, node, heads[0], mean)
            return
    if len(heads) != len(names) or any(h.source not in walk.means for h in heads):
        walk.fail(node, "its inputs must be linear layers of means over tokens")
    unit = walk.means[heads[0].source]
    parts = [
        _weights(h).astype(np.float64) * (walk.means[h.source] / unit / len(heads)) for h in heads
    ]
    bias = np.mean([h.bias.astype(np.float64) for h in heads], axis=0)
    bits = walk.options.head_weight_bits
    fields = quantise.head(node.name, np.concatenate(parts, axis=1), bias, unit, bits)
    sources = tuple(h.source for h in heads)
    walk.layers.append(Head(name=node.name, sources=sources, weight_bits=bits, **fields))


def _count_head(
    walk: Context,
    node: g.MeanSteps | g.HeadAverage,
    linear: g.Linear,
    mean: g.MeanTokens | g.Flatten,
) -> None:
    """Mean and head over counts of spikes, which are exact."""
    flat = isinstance(mean, g.Flatten)
    tokens = math.prod(walk.space[mean.source])
    inputs = walk.widths[mean.source] * (tokens if flat else 1)
    if inputs != linear.weight.shape[1]:
        walk.fail(
            linear,
            f"images of this size bring {inputs} values, it reads {linear.weight.shape[1]}: "
            "lower with the size the network was trained for",
        )
    count = walk.steps * (1 if flat else tokens)
    if linear.weight_bits is None:
        top = max(float(np.abs(linear.weight).max()), 1e-12)
        level = top / ((1 << (walk.options.head_weight_bits - 1)) - 1)
        whole = quantise.nearest(linear.weight / level)
    else:
        top = (1 << (linear.weight_bits - 1)) - 1
        level = float(linear.weight.max()) / top
        whole = g.integers(linear.weight, linear.weight_bits)
    bias = linear.bias.astype(np.float64)
    averaged, fields = quantise.count_head(node.name, whole, level / count, bias, count)
    walk.layers += [
        Mean(name=mean.name, source=mean.source, over_tokens=not flat, **averaged),
        Head(name=node.name, sources=(mean.name,), **fields),
    ]


def _weights(linear: g.Linear) -> np.ndarray:
    """The weights a linear layer computes with."""
    bits = linear.weight_bits
    return linear.weight if bits is None else g.quantise(linear.weight, bits)
