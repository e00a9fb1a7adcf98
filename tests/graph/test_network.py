"""The float network: who reads what, which tensors are tokens, other state quantisers."""

import math

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw import graph as g


def network(*nodes, **changes):
    fields = {"steps": 2, "channels": 1, "classes": 3, "mean": (0.5,), "std": (0.25,)}
    return g.FloatNetwork(name="net", nodes=nodes, **fields | changes)


ATTENTION = network(
    g.LIF(name="q", source="a"),
    g.LIF(name="k", source="a"),
    g.LIF(name="v", source="a"),
    g.Similarity(name="s", left="q", right="k", heads=1, order="qk", similarity="and"),
    g.LIF(name="m", source="s"),
    g.Apply(name="p", map="m", source="v", heads=1, order="qk"),
    g.Scale(name="x", source="p", factor=1.0, gain=np.ones((2, 1), np.float32)),
    g.LIF(name="o", source="x"),
    g.LIF(name="after", source="o"),
    g.LIF(name="late", source="late_bn"),
)
STATES = network(
    g.LIF(name="a", source="image", state_bits=4, alpha=0.5),
    g.LIF(name="b", source="a"),
    g.LIF(name="c", source="b", state_bits=8),
)


def test_consumers_are_in_order():
    readers = ATTENTION.consumers()
    assert [n.name for n in readers["a"]] == ["q", "k", "v"]
    assert [n.name for n in readers["v"]] == ["p"]
    assert [n.name for n in readers["m"]] == ["p"]
    assert "after" not in readers


def test_tokens_are_operands_products_and_what_follows_them():
    assert ATTENTION.token_tensors() == {"q", "k", "v", "p", "x", "o", "after"}


def alphas(net):
    return {n.name: n.alpha for n in net.nodes}


def test_one_alpha_is_for_quantised_states_only():
    assert alphas(STATES.with_alpha(0.25)) == {"a": 0.25, "b": 1.0, "c": 0.25}
    assert alphas(STATES.with_alpha("batch")) == {"a": None, "b": 1.0, "c": None}
    assert alphas(STATES.with_alpha({"c": 2})) == {"a": 0.5, "b": 1.0, "c": 2}
    assert alphas(STATES) == {"a": 0.5, "b": 1.0, "c": 1.0}


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, "0.5", True, None])
def test_no_alpha(value):
    for alpha in (value, {"c": value}):
        with pytest.raises(SpikeloomError, match=r"net: alpha of [ac] must be above 0 or 'batch'"):
            STATES.with_alpha(alpha)


def test_unknown_neurons_are_named_beside_the_known_ones():
    with pytest.raises(SpikeloomError, match="is called b, z; there are a, c"):
        STATES.with_alpha({"z": 1.0, "b": 1.0, "a": 1.0})
    with pytest.raises(SpikeloomError, match="is called z; there are none"):
        network().with_alpha({"z": 1.0})


def test_a_network_shows_its_sizes_and_nodes():
    first, *rest = repr(STATES).splitlines()
    assert first == (
        "FloatNetwork 'net': images of any size, 1 channels, 2 steps, 3 classes, 3 nodes"
    )
    assert [line.strip() for line in rest] == [repr(node) for node in STATES.nodes]
    assert "'net': 5x7, 1 ch" in repr(network(size=(5, 7)))


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (g.Similarity(name="n", left="a", right="z", heads=1, order="qk", similarity="and"), "z"),
        (g.Apply(name="n", map="z", source="a", heads=1, order="qk"), "z"),
        (g.Add(name="n", branch="a", stream="z"), "z"),
        (g.Average(name="n", older="z", newer="a"), "z"),
        (g.HeadAverage(name="n", sources=("a", "late")), "late"),
        (g.MaxPool(name="n", source="n"), "n"),
        (g.LIF(name="n", source="z" * 200), "zzz"),
    ],
)
def test_a_source_that_nobody_writes(node, told):
    first = g.LIF(name="a", source=g.IMAGE)
    network(first).check_sources()
    with pytest.raises(SpikeloomError, match=f"net: n reads '{told}.*, which no earlier") as error:
        network(first, node, g.LIF(name="late", source="a")).check_sources()
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("verb", ["lower", "run"])
def test_every_verb_refuses_it(verb):
    if verb == "run":
        pytest.importorskip("torch")
    net = sw.FloatNetwork(**vars(network(g.LIF(name="a", source="z"), size=(2, 2))))
    with pytest.raises(SpikeloomError, match="a reads 'z', which no earlier layer writes"):
        getattr(net, verb)(np.zeros((1, 2, 2), np.uint8))
