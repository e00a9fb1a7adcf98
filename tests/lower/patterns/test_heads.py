"""Means, linear layers and logits."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.patterns import heads
from sw.network import Mean
from tests.lower.small import context, identity, neuron


def test_real_head_weights_are_rounded(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    nodes = tuple(
        dataclasses.replace(n, weight_bits=None) if isinstance(n, g.Linear) else n
        for n in net.nodes
    )
    network = dataclasses.replace(net, nodes=nodes).lower(head_weight_bits=6)
    assert np.abs(network.head.weight).max() == 31
    assert network.meta["head_weight_bits"] == 6


def test_images_of_another_size_are_refused(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import POOLED, qsnn

    net = qsnn(tmp_path, **POOLED)
    with pytest.raises(SpikeloomError, match=r"bring 192 values, it reads 288"):
        net.lower(size=(15, 11))
    with pytest.raises(SpikeloomError, match="pools 1x6 spikes to nothing"):
        net.lower(size=(3, 13))


def linear(name, source, *rows, bias=None, **changes):
    weight = np.array(rows, np.float32)
    bias = np.zeros(len(rows), np.float32) if bias is None else np.array(bias, np.float32)
    return g.Linear(name=name, source=source, weight=weight, bias=bias, **changes)


def residual(*nodes, **changes):
    """A context in which r and s are sums of convolutions, and p holds spikes of 2 channels."""
    tensors = [("r", 2, (4, 6)), ("s", 2, (4, 6)), ("p", 2, (4, 6))]
    norms = identity("r", "c", 2), identity("s", "d", 2), neuron("p", "x")
    return context(*norms, *nodes, tensors=tensors, **changes)


def test_a_mean_of_a_residual():
    """2 steps of 24 tokens: 2**14 / 48 = 341.3; what 341 lacks is in the unit of a step."""
    node = g.MeanTokens(name="m", source="r")
    made = residual(node)
    assert heads.mean(made, node)
    (layer,) = made.layers
    assert layer == Mean(name="m", source="r", factor=341, bias=1 << 13, shift=14)
    assert made.means == {"m": 2.0**14 / 4096 / (341 * 48)}


def test_a_mean_of_spikes_is_left_to_the_head():
    node = g.MeanTokens(name="m", source="p")
    made = residual(node)
    assert not heads.mean(made, node)
    assert made.layers == []


def test_means_of_other_tensors_are_refused():
    node = g.MeanTokens(name="m", source="c")
    with pytest.raises(SpikeloomError, match="m cannot be lowered: only spikes and sums of conv"):
        heads.mean(residual(node), node)


@pytest.mark.parametrize(("tokens", "factor"), [(2 << 14, 1), ((2 << 14) + 1, None), (1, 1 << 14)])
def test_means_of_as_many_as_the_lanes_take(tokens, factor):
    node = g.MeanTokens(name="m", source="r")
    made = context(identity("r", "c"), node, tensors=[("r", 1, (1, tokens))], steps=1)
    if factor is None:
        with pytest.raises(SpikeloomError, match=f"a mean over {tokens} tokens and steps is beyo"):
            heads.mean(made, node)
        return
    heads.mean(made, node)
    assert made.layers[0].factor == factor


def test_two_heads_are_averaged():
    """Sources in order; each weight is half, the bias the mean of both."""
    last = g.HeadAverage(name="logits", sources=("l", "k"))
    nodes = [g.MeanTokens(name="m", source="r"), g.MeanTokens(name="n", source="s")]
    rows = linear("l", "m", [1, -3], [0, 2], bias=[4, 0]), linear("k", "n", [5, 0], [7, -6])
    made = residual(*nodes, *rows, last, classes=2)
    for node in nodes:
        heads.mean(made, node)
    assert heads.head_average(made, last)
    head = made.layers[-1]
    assert (head.name, head.sources, head.weight_bits) == ("logits", ("m", "n"), 8)
    real = np.array([[1, -3, 5, 0], [0, 2, 7, -6]]) / 2
    step = made.means["m"]
    gain = step * 2.0**head.shift / head.scale  # integer weight of a real one
    assert np.abs(head.weight - real * gain).max() <= 0.5
    assert np.abs(head.weight).max() > 100
    want = np.array([2, 0]) * gain / step + (1 << (head.shift - 1))
    assert np.abs(head.bias - want).max() <= 0.5
    assert "logits" in made.done


@pytest.mark.parametrize("flat", [True, False])
def test_counts_of_spikes_are_exact(flat):
    mean = g.Flatten(name="m", source="p") if flat else g.MeanTokens(name="m", source="p")
    last = g.HeadAverage(name="logits", sources=("l",))
    if flat:
        last = g.MeanSteps(name="logits", source="l")
    row = linear("l", "m", [1, -1] * (24 if flat else 1), weight_bits=8)
    made = residual(mean, row, last)
    assert (heads.mean_steps if flat else heads.head_average)(made, last)
    counted, head = made.layers
    assert (counted.name, counted.source, counted.over_tokens) == ("m", "p", not flat)
    assert (head.sources, head.name) == (("m",), "logits")
    assert head.weight.tolist() == g.integers(row.weight, 8).tolist()
    count = 2 * (1 if flat else 24)
    x = (count * counted.factor + counted.bias) >> counted.shift
    assert x << counted.shift == count * counted.factor
    logit = (x * 127 + int(head.bias[0])) >> head.shift  # of a weight of 1 and spikes throughout
    assert abs(logit * head.scale - 1) <= head.scale / 2


def test_steps_are_averaged_once():
    """Before the linear layer or after it."""
    row = linear("l", "m", [1, 1])
    for over_steps in (True, False):
        mean = g.MeanTokens(name="m", source="p", over_steps=over_steps)
        after = g.MeanSteps(name="logits", source="l")
        before = g.HeadAverage(name="logits", sources=("l",))
        wrong, right = (after, before) if over_steps else (before, after)
        heads._logits(residual(mean, row, right), right, ("l",))
        with pytest.raises(SpikeloomError, match="logits cannot be lowered: steps must be averag"):
            heads._logits(residual(mean, row, wrong), wrong, ("l",))


def test_logits_come_last():
    last = g.HeadAverage(name="logits", sources=("l",))
    mean, row = g.MeanTokens(name="m", source="p"), linear("l", "m", [1, 1])
    with pytest.raises(SpikeloomError, match="logits cannot be lowered: logits must come last"):
        heads.head_average(residual(mean, row, last, neuron("z", "r")), last)


def test_logits_of_something_else():
    last = g.HeadAverage(name="logits", sources=("l", "m"))
    mean, row = g.MeanTokens(name="m", source="r"), linear("l", "m", [1, 1])
    with pytest.raises(SpikeloomError, match="its inputs must be linear layers of means over tok"):
        heads.head_average(residual(mean, row, last), last)
