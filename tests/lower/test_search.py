"""The search for formats: the finest that fit, and why they are no finer."""

import dataclasses

import numpy as np
import pytest

import sw
from hw.arch.formats import STATE_SHIFTS
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.search import estimate_peak, plain_stored, residual_names
from sw.network import BinaryLayer
from tests.frontend.states import make_state
from tests.lower.small import graph, identity, neuron, single


def test_scales_that_do_not_fit_take_a_smaller_state_shift(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    bn = next(n for n in net.nodes if n.name == "layer2.0.bn2.bn")
    bn.var[3] = 1e-2
    network = net.lower()
    found = {la.name: la for la in network.layers if isinstance(la, BinaryLayer)}
    assert found["layer2.0.conv2"].neuron.state.shift == STATE_SHIFTS[0]
    assert found["layer2.0.conv1"].neuron.state.shift == STATE_SHIFTS[1]
    assert network.meta["units"]["layer2.0.downsample.bn.bn"] == 508  # what is added follows
    assert "layer2.0.conv2: scales up to" in network.meta["frac_bits"]["states"][0]
    bn.weight[3] = 1e4
    with pytest.raises(SpikeloomError, match="the fewest there are; train it with smaller"):
        net.lower()


def test_residual_estimate_ignores_spikes_and_states(tmp_path):
    pytest.importorskip("torch")
    from sw.families.qsnn.config import QsnnConfig
    from tests.lower.qsnn_nets import RESIDUAL, pictures, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    for node in net.nodes:
        if isinstance(node, g.BatchNorm):
            node.bias[0] = 60  # beyond 12 fraction bits; lanes saturate, no stream is kept
    images = pictures(QsnnConfig(**RESIDUAL), 4)
    for network in (net.lower(), net.lower(images)):
        assert network.meta["frac_bits"] == {"bits": 12, "why": "default"}


def test_networks_of_sequences_are_streams(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    assert not net.lower().stream
    net = dataclasses.replace(net, stream=True, steps=29)
    assert net.lower().stream
    with pytest.raises(SpikeloomError, match=r"29 steps in one call, wanted 1 to 16; .*stream=T"):
        net.lower(stream=False)
    assert not dataclasses.replace(net, steps=4).lower(stream=False).stream


def test_streams_are_refused_where_they_cannot_be(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, changed, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    with pytest.raises(SpikeloomError, match="leave per_step out"):
        net.lower(stream=True, per_step=True)
    with pytest.raises(SpikeloomError, match="lif1 cannot be lowered: a stream needs neurons"):
        changed(net, "lif1", state_bits=None).lower(stream=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "image size is not known"),
        ({"size": (0, 4)}, "1x1 or more"),
        ({"size": (8, 8), "zero_weights": "zero"}, "zero_weights must be"),
        ({"size": (8, 8), "frac_bits": 0}, "frac_bits must be 1 to 15"),
        ({"size": (8, 8), "pixel_weight_bits": 1}, "pixel_weight_bits must be 2 to 18"),
        ({"size": (8, 8), "head_weight_bits": 8.0}, "head_weight_bits must be 2 to 18"),
        ({"size": (8, 8), "frac_bits": 15}, "give fewer frac_bits"),
    ],
)
def test_wrong_options(tmp_path, options, message):
    state = make_state()
    state["block.0.mlp.mlp1_bn.running_var"][0] = 1e-2
    np.savez(tmp_path / "net.npz", **state)
    net = sw.load(tmp_path / "net.npz", mean=0.45, std=0.25)
    with pytest.raises(SpikeloomError, match=message):
        net.lower(**options)


def norm(name, source, weight, bias):
    """A BatchNorm of two channels."""
    made = identity(name, source, 2)
    weight, bias = (np.array(v, np.float32) for v in (weight, bias))
    return dataclasses.replace(made, weight=weight, bias=bias)


#: Two branches that add up, an average with the sum before, and spikes that are added.
STREAM = (
    g.LIF(name="p", source="image"),
    norm("a", "c", [3, -4], [1, -2]),
    norm("b", "d", [4, 3], [0, 5]),
    g.Add(name="sum", branch="b", stream="a"),
    g.Average(name="half", older="a", newer="sum"),
    norm("e", "f", [1, 0], [0, 0]),
    g.Add(name="last", branch="e", stream="half"),
    g.MeanTokens(name="m", source="last"),
)


def test_the_peak_is_mean_and_six_deviations():
    """Means add, variances of branch and stream add, deviations of an average are averaged."""
    assert estimate_peak(graph(*STREAM)) == 3 + 6 * 5  # of the sum
    far = norm("e", "f", [3, 0], [100, 0])
    last = graph(*STREAM[:5], far, *STREAM[6:])
    assert estimate_peak(last) == (1 + 1) / 2 + 100 + 6 * np.hypot((3 + 5) / 2, 3)
    short = graph(*STREAM[:2], *STREAM[5:6], g.Add(name="last", branch="e", stream="a"), STREAM[-1])
    assert estimate_peak(short) == 2 + 6 * 4


def test_where_neurons_want_twice_the_peak_counts_twice():
    twice = g.LIF(name="s", source="last", decay_input=False)
    assert estimate_peak(graph(*STREAM, twice)) == 66
    once = g.LIF(name="s", source="last")
    assert estimate_peak(graph(*STREAM, once)) == 33


def test_spikes_that_are_added_are_zero_or_one():
    add = g.Add(name="sum", branch="a", stream="p")
    net = graph(*STREAM[:2], add, g.MeanTokens(name="m", source="sum"))
    assert estimate_peak(net) == pytest.approx(2 - 0.5 + 6 * np.hypot(4, 0.5), abs=1e-9)


def test_what_leads_to_a_state_is_no_stream_of_fraction_bits():
    assert plain_stored(graph(*STREAM)) == {"a", "sum", "last"}
    assert plain_stored(graph(*STREAM, neuron("s", "last"))) == frozenset()
    assert plain_stored(graph(*STREAM, g.LIF(name="s", source="last"))) == {"a", "sum", "last"}


def test_residuals_are_in_order(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(1, depth=2))
    q = sw.load(tmp_path / "net.npz", mean=0.4, std=0.2, image_size=8).lower()
    blocks = [f"block.{n}.x{k}" for n in (0, 1) for k in (2, 3)]
    assert residual_names(q) == ["patch_embed.block4_bn", *blocks]


def test_the_size_is_that_given_or_measured_or_trained():
    net = single(1.0, side=4)
    frames = np.zeros((2, 1, 4, 4), np.uint8)
    for got in (net.lower(), net.lower(size=(4, 4)), net.lower(frames)):
        assert (got.height, got.width, got.per_step_input) == (4, 4, False)
    moving = net.lower(frames[:, None].repeat(3, axis=1))
    assert moving.per_step_input
    assert not net.lower(frames[:, None].repeat(3, axis=1), per_step=False).per_step_input


def test_first_weights_have_the_bits_of_training():
    net = dataclasses.replace(single(1.0), meta={"pixel_weight_bits": 5})
    assert net.lower().layers[0].weight_bits == 5
    assert net.lower(pixel_weight_bits=7).layers[0].weight_bits == 7


@pytest.mark.parametrize(("bits", "why"), [(None, "default"), (9, "given")])
def test_fraction_bits_are_twelve_or_those_given(bits, why):
    network = single(1.0).lower(frac_bits=bits)
    assert network.frac_bits == (bits or 12)
    assert network.meta["frac_bits"] == {"bits": bits or 12, "why": why}
