"""Pools: 3x3 maxima become layers, 2x2 averages a part of their readers."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from tests.lower.small import neuron, single

AVERAGE = g.AveragePool(name="p", source="s")


BINARY = {"weight": np.ones((1, 1, 1, 1), dtype=np.float32), "binary": True}


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ((AVERAGE, g.Conv(name="d", source="p", **{**BINARY, "binary": False})), "binary conv"),
        ((AVERAGE, neuron("t", "p")), "averages must be read by binary convolutions only"),
        ((dataclasses.replace(AVERAGE, size=3),), "only averages of 2x2"),
        ((g.MaxPool(name="p", source="f"),), "only spikes are pooled"),
        ((g.MaxPool(name="p", source="s", size=2),), "only 3x3 pools"),
    ],
    ids=["real", "neuron", "size", "real max", "max size"],
)
def test_refused_patterns(middle, message):
    with pytest.raises(SpikeloomError, match=message):
        single(1.0, side=4, middle=middle).lower()
