"""Units of real-valued tensors: which share one, and which neurons settle it."""

import dataclasses

import numpy as np
import pytest

from hw.arch.formats import state_levels
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.units import (
    STATE_ONE,
    Units,
    groups,
    spike_tensors,
    state_shifts,
    state_unit,
    stored_tensors,
    summands,
)
from tests.lower.small import graph, identity, neuron

ALPHAS = (1.0, 0.9997, 0.988, 0.9, 0.75, 0.5, 0.1, 1.2, 2.0, 14 / 3)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_half_a_stored_membrane_is_a_shifted_code(bits, alpha):
    shift = state_shifts(bits, alpha)[0]
    one = state_unit(bits, alpha, shift)
    codes = np.arange(state_levels(bits) + 1)
    half = 0.5 * codes * alpha / state_levels(bits)
    np.testing.assert_allclose(half * one, codes << shift, rtol=1e-12)
    assert one <= STATE_ONE or shift == 1


def test_units_are_about_twelve_bits_at_alpha_one():
    found = {bits: state_unit(bits, 1.0, state_shifts(bits, 1.0)[0]) for bits in (2, 4, 8)}
    assert found == {2: 4096, 4: 3584, 8: 4064}


def test_neurons_of_one_stream_must_agree(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    nodes = list(net.nodes)
    at = next(i for i, n in enumerate(nodes) if n.name == "layer2.0.lif2")
    nodes.insert(at + 1, neuron("second", "layer2.0.downsample.bn.bn", state_bits=4))
    with pytest.raises(SpikeloomError, match="another kind or state"):
        dataclasses.replace(net, nodes=tuple(nodes)).lower()


def lif(name, source, **changes):
    """A neuron of whole membranes."""
    return g.LIF(name=name, source=source, **changes)


def refuse(node, text, cure="the usual"):
    raise SpikeloomError(f"{node.name}: {text}; {cure}")


def units(net, frac_bits=12, **shifts):
    return Units(net, frac_bits, shifts, refuse)


#: Two branches that add up, an average, and a mean; "d" is read twice.
STREAM = graph(
    lif("s", "image"),
    g.MaxPool(name="p", source="s"),
    g.MaxPool(name="real", source="image"),
    identity("a", "c1"),
    identity("b", "c2"),
    g.Add(name="sum", branch="a", stream="b"),
    lif("t", "b"),
    identity("d", "c3"),
    g.Add(name="more", branch="d", stream="p"),
    lif("u", "more"),
    lif("v", "d"),
    g.Average(name="half", older="sum", newer="more"),
    identity("e", "c4"),
    g.Add(name="last", branch="half", stream="e"),
    g.MeanTokens(name="m", source="last"),
)


def test_spikes_are_those_of_neurons_and_their_maxima():
    assert spike_tensors(STREAM) == {"s", "p", "t", "u", "v"}


def test_the_branch_of_a_sum_is_a_norm_that_nothing_else_reads():
    nodes = {n.name: n for n in STREAM.nodes}
    assert summands(STREAM, nodes["sum"]) == ("a", "b")
    assert summands(STREAM, nodes["last"]) == ("e", "half")  # the other way round
    assert summands(STREAM, nodes["more"]) is None


def test_stored_tensors_are_read_by_more_than_a_neuron():
    """What a sum adds, what is averaged and what a mean reads; no spikes, no averages."""
    assert stored_tensors(STREAM) == {"b", "sum", "more", "last"}


def test_tensors_that_are_added_share_a_group():
    table = groups(STREAM)
    assert {name for name, group in table.items() if group is table["a"]} == {
        *("a", "b", "sum", "d", "more", "half", "e", "last")
    }
    assert [n.name for n in table["a"].neurons] == ["t", "u", "v"]
    apart = groups(graph(identity("a", "x"), identity("b", "x"), lif("s", "b"), lif("i", "image")))
    assert apart["a"] is not apart["b"]
    assert ([n.name for n in apart["b"].neurons], apart["a"].neurons) == (["s"], [])
    assert (apart["a"].key, apart["b"].key) == ("a", "b")


@pytest.mark.parametrize(
    ("node", "one"),
    [
        (lif("s", "b"), 1 << 12),
        (lif("s", "b", decay_input=False), 1 << 13),
        (neuron("s", "b"), 2 * 127 * 16),
        (neuron("s", "b", state_bits=2, alpha=0.5), 2 * 1 * 2**11 / 0.5),
        (lif("s", "other"), 1 << 12),
    ],
    ids=["decays", "adds", "8 bits", "2 bits", "none"],
)
def test_neurons_settle_the_unit(node, one):
    net = graph(identity("b", "c"), identity("other", "c"), node)
    assert units(net).one("b") == one
    assert units(net).plain("b") == (node.state_bits is None)


def test_a_smaller_state_shift_is_taken():
    net = graph(identity("b", "c"), neuron("s", "b"))
    assert units(net, b=1).one("b") == 2 * 127 * 2
    made = units(net, b=1).neuron(net.nodes[1])
    assert (made.state.shift, made.theta) == (1, 509)  # strictly above 508


@pytest.mark.parametrize(
    ("changes", "theta"),
    [
        ({}, 4096),
        ({"strict": True}, 4097),
        ({"theta": 1.5 + 2**-13}, 6145),
        ({"decay_input": False}, 4096),  # of the membrane, whatever its input
        ({"soft": True}, 4096),
    ],
)
def test_integer_neurons(changes, theta):
    net = graph(identity("b", "c"), lif("s", "b", **changes))
    made = units(net).neuron(net.nodes[1])
    assert (made.name, made.theta, made.state) == ("s", theta, None)
    assert made.soft == changes.get("soft", False)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (lif("s", "b", tau=4.0), "s: only neurons with tau 2 exist, this one has 4.0; the usual"),
        (neuron("s", "b", state_bits=5), r"s: its state has 5 bits, wanted one of \(2, 4, 8\)"),
        (neuron("s", "b", soft=True), "a quantised state needs an input that does not decay"),
        (neuron("s", "b", decay_input=True), "a quantised state needs an input that does not"),
        (neuron("s", "b", alpha=None), r"maximum of each batch.*; freeze it with net\.with_alpha"),
    ],
)
def test_neurons_that_no_lane_is(node, message):
    with pytest.raises(SpikeloomError, match=message):
        units(graph(identity("b", "c"), node)).one("b")


def test_readers_of_one_group_agree():
    for other in (lif("t", "b", decay_input=False), neuron("t", "b")):
        net = graph(identity("b", "c"), lif("s", "b"), other)
        with pytest.raises(SpikeloomError, match="t: it shares its input with a neuron of anot"):
            units(net).one("b")
    same = graph(identity("b", "c"), lif("s", "b"), lif("t", "b", theta=3.0))
    assert units(same).one("b") == 4096


def test_state_shifts_are_finest_first_and_never_none():
    """Units of at most 2**13 per 1.0; where none is so coarse, the smallest shift."""
    assert state_shifts(8, 1.0) == [4, 1]
    assert state_shifts(2, 1.0) == [11, 8, 4, 1]
    assert state_shifts(4, 14 * 256 / 8192) == [8, 4, 1]  # at the limit itself
    assert state_shifts(8, 0.01) == [1]
