"""Pools: 3x3 maxima become layers, 2x2 averages a part of their readers."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.patterns import pools
from sw.network import SpikePool
from tests.lower.small import context, conv, identity, neuron, single

AVERAGE = g.AveragePool(name="p", source="s")


BINARY = {"weight": np.ones((1, 1, 1, 1), dtype=np.float32), "binary": True}


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ((AVERAGE, g.Conv(name="d", source="p", **{**BINARY, "binary": False})), "binary conv"),
        ((AVERAGE, neuron("t", "p")), "averages must be read by binary convolutions only"),
        ((dataclasses.replace(AVERAGE, size=3),), "only averages of 2x2"),
        (
            (g.Flatten(name="e", source="s"), g.MaxPool(name="p", source="e")),
            "only spikes are pooled",
        ),
        ((g.MaxPool(name="p", source="s", size=2),), "only 3x3 pools"),
    ],
    ids=["real", "neuron", "size", "real max", "max size"],
)
def test_refused_patterns(middle, message):
    with pytest.raises(SpikeloomError, match=message):
        single(1.0, side=4, middle=middle).lower()


@pytest.mark.parametrize(("side", "half"), [((4, 6), (2, 3)), ((5, 7), (3, 4)), ((1, 1), (1, 1))])
def test_a_pool_of_spikes_is_a_layer(side, half):
    node = g.MaxPool(name="p", source="s")
    made = context(neuron("s", "b"), node, tensors=[("s", 3, side)])
    assert pools.spike_pool(made, node)
    assert made.layers == [SpikePool(name="p", source="s")]
    assert (made.widths["p"], made.space["p"]) == (3, half)
    assert "p" in made.done


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 1), (3, 1, 1), (3, 2, 0)])
def test_pools_of_another_kind(size, stride, padding):
    node = g.MaxPool(name="p", source="s", size=size, stride=stride, padding=padding)
    made = context(neuron("s", "b"), node, tensors=[("s", 3, (4, 6))])
    with pytest.raises(SpikeloomError, match="p cannot be lowered: only 3x3 pools of stride 2"):
        pools.spike_pool(made, node)


@pytest.mark.parametrize(("side", "half"), [((4, 6), (2, 3)), ((5, 7), (2, 3)), ((2, 2), (1, 1))])
def test_an_average_is_a_part_of_its_readers(side, half):
    made = context(neuron("s", "b"), AVERAGE, conv("c", "p"), tensors=[("s", 3, side)])
    assert pools.average_pool(made, AVERAGE)
    assert made.layers == []
    assert (made.widths["p"], made.space["p"]) == (3, half)


@pytest.mark.parametrize("side", [(1, 6), (6, 1)])
def test_averages_of_nothing(side):
    made = context(neuron("s", "b"), AVERAGE, conv("c", "p"), tensors=[("s", 3, side)])
    with pytest.raises(SpikeloomError, match=f"it pools {side[0]}x{side[1]} spikes to nothing"):
        pools.average_pool(made, AVERAGE)


def test_averages_of_sums_are_refused():
    made = context(identity("s", "b"), AVERAGE, conv("c", "p"), tensors=[("s", 3, (4, 4))])
    with pytest.raises(SpikeloomError, match="only averages of 2x2 spikes exist"):
        pools.average_pool(made, AVERAGE)
