"""Nodes of the float graph: what they read, and BatchNorm as one line."""

import typing

import numpy as np
import pytest

from sw import graph as g

ONE = np.ones(1, np.float32)
FOUR = ONE.reshape(1, 1, 1, 1)
NODES = {
    g.Conv: (g.Conv(name="n", source="a", weight=FOUR, binary=True), ("a",)),
    g.BatchNorm: (
        g.BatchNorm(name="n", source="a", weight=ONE, bias=ONE, mean=ONE, var=ONE),
        ("a",),
    ),
    g.LIF: (g.LIF(name="n", source="a"), ("a",)),
    g.MaxPool: (g.MaxPool(name="n", source="a"), ("a",)),
    g.AveragePool: (g.AveragePool(name="n", source="a"), ("a",)),
    g.Similarity: (
        g.Similarity(name="n", left="a", right="b", heads=1, order="qk", similarity="and"),
        ("a", "b"),
    ),
    g.Apply: (g.Apply(name="n", map="a", source="b", heads=1, order="qk"), ("a", "b")),
    g.Scale: (g.Scale(name="n", source="a", factor=1.0, gain=ONE.reshape(1, 1)), ("a",)),
    g.Add: (g.Add(name="n", branch="a", stream="b"), ("a", "b")),
    g.Average: (g.Average(name="n", older="a", newer="b"), ("a", "b")),
    g.MeanTokens: (g.MeanTokens(name="n", source="a"), ("a",)),
    g.Flatten: (g.Flatten(name="n", source="a"), ("a",)),
    g.Linear: (g.Linear(name="n", source="a", weight=ONE.reshape(1, 1), bias=ONE), ("a",)),
    g.MeanSteps: (g.MeanSteps(name="n", source="a"), ("a",)),
    g.HeadAverage: (g.HeadAverage(name="n", sources=("a", "b")), ("a", "b")),
}


def test_every_kind_is_here():
    assert set(NODES) == set(typing.get_args(g.Node))


@pytest.mark.parametrize("kind", NODES, ids=lambda kind: kind.__name__)
def test_sources(kind):
    node, wanted = NODES[kind]
    assert g.sources(node) == wanted


def test_a_norm_is_a_line():
    """With powers of four below the root all is exact; eps belongs to the variance."""
    node = g.BatchNorm(
        name="n",
        source="a",
        weight=np.array([3, -2], np.float32),
        bias=np.array([1, 0.5], np.float32),
        mean=np.array([-4, 8], np.float32),
        var=np.array([3, 15], np.float32),
        eps=1.0,
    )
    a, b = node.folded()
    assert (a.dtype, b.dtype) == (np.float64, np.float64)
    assert a.tolist() == [1.5, -0.5]
    assert b.tolist() == [7.0, 4.5]


def test_nodes_show_shapes_and_what_is_not_the_default():
    conv = g.Conv(name="n", source="a", weight=np.ones((2, 3, 1, 1), np.float32), binary=True)
    assert repr(conv) == "Conv(name='n', source='a', weight=float32 (2, 3, 1, 1), binary=True)"
