"""Q-SNNs made up as torch models, lowered: local spike error, heads, streams, units, refusals."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

from hw.arch.formats import FACTOR_MAX
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.agree import Reference
from sw.families.qsnn.config import QsnnConfig
from sw.network import BinaryLayer, Head, Mean, PixelConv, Residual, Shortcut, SpikePool
from tests.lower.qsnn_nets import KINDS, POOLED, RESIDUAL, STRIDED, WIDE, changed, pictures, qsnn


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def layers_of(network, kind):
    return {la.name: la for la in network.layers if isinstance(la, kind)}


@pytest.mark.parametrize(("bits", "alpha"), [(2, 1.0), (4, 0.93), (8, 1.0), (8, 0.8)])
def test_local_spike_error_is_small(tmp_path, kind, bits, alpha):
    """One channel whose drive lies within a grid step of a tie costs up to 0.2 %."""
    net = qsnn(tmp_path, 1, membrane_bits=bits, alpha=alpha, **kind)
    images = pictures(QsnnConfig(**kind), 24, 5)
    reference = Reference(net, images, np.zeros(len(images), dtype=np.int64))
    got = reference.compare(net.lower())
    assert got.worst <= 0.002, got.table()
    assert sum(error > 0.0005 for error in got.local_error.values()) <= 1, got.table()
    assert all(0.02 < rate < 0.8 for rate in got.rates.values()), got.table()


def test_one_frame_per_step(tmp_path):
    net = qsnn(tmp_path, 2, **RESIDUAL)
    still = pictures(QsnnConfig(**RESIDUAL), 16, 5)
    frames = np.stack([still, still[::-1]], axis=1)  # (B, T, C, H, W)
    reference = Reference(net, frames, np.zeros(len(frames), dtype=np.int64))
    network = net.lower(per_step=True)
    got = reference.compare(network)
    assert network.per_step_input
    assert got.worst <= 0.002, got.table()


def test_head_is_exact_given_the_same_spikes(tmp_path, kind):
    """8-bit weights and counts of spikes are whole: only the last shift rounds."""
    net = qsnn(tmp_path, 3, **kind)
    images = pictures(QsnnConfig(**kind), 12, 8)
    spikes = [n.name for n in net.nodes if isinstance(n, g.LIF)]
    wanted = net.run(images, trace=spikes)
    network = net.lower()
    got = network.run(images, feed={name: wanted.trace[name] for name in spikes})
    np.testing.assert_allclose(got.logits * got.scale, wanted.logits, atol=1.001 * got.scale + 1e-6)
    assert got.scale < 0.002 * np.abs(wanted.logits).max()
    linear = next(n for n in net.nodes if isinstance(n, g.Linear))
    np.testing.assert_array_equal(network.head.weight, g.integers(linear.weight, 8))


@pytest.mark.parametrize("bits", [2, 8])
def test_a_stream_has_the_same_hidden_integers(tmp_path, kind, bits):
    net = qsnn(tmp_path, 3, membrane_bits=bits, **kind)
    config = QsnnConfig(**kind)
    frames = pictures(config, net.steps, 8)
    whole, stream = net.lower(per_step=True), net.lower(stream=True)
    assert (stream.steps, stream.stream, stream.per_step_input) == (1, True, False)
    for a, b in zip(whole.layers, stream.layers, strict=True):
        if not isinstance(a, Mean | Head):
            assert repr(a) == repr(b)
    together = whole.run(frames[None], trace=True)
    apart = stream.run(frames, trace=True)
    for node in net.nodes:
        if isinstance(node, g.LIF):
            np.testing.assert_array_equal(
                together.trace[node.name][:, 0], apart.trace[node.name][0]
            )
    np.testing.assert_allclose(
        (apart.logits * apart.scale).mean(axis=0),
        together.logits[0] * together.scale,
        atol=apart.scale + together.scale,
    )


def test_layers_of_a_residual_net(tmp_path):
    net = qsnn(tmp_path, **RESIDUAL)
    network = net.lower()
    names = [
        "conv1",
        "layer1.0.conv1",
        "layer1.0.conv2",
        "layer2.0.conv1",
        "layer2.0.downsample.layer.module",
        "layer2.0.conv2",
        "layer2.1.conv1",
        "layer2.1.conv2",
        "avgpool",
        "logits",
    ]
    assert [la.name for la in network.layers] == names
    found = layers_of(network, BinaryLayer)
    assert found["layer1.0.conv2"].shortcut == Shortcut(source="lif1", value=4064)
    assert found["layer1.0.conv2"].residual is None
    assert found["layer2.1.conv2"].shortcut == Shortcut(source="layer2.0.lif2", value=4064)
    short = found["layer2.0.downsample.layer.module"]
    assert (short.neuron, short.stride) == (None, 2)
    assert short.residual == Residual(output="layer2.0.downsample.bn.bn")
    joined = found["layer2.0.conv2"]
    assert joined.residual == Residual(output="layer2.0.sum", inputs=(short.residual.output,))
    assert network.meta["units"] == dict.fromkeys(
        ("layer2.0.downsample.bn.bn", "layer2.0.sum"), 4064
    )
    thetas = {la.neuron.theta for la in network.layers if getattr(la, "neuron", None)}
    assert thetas == {4065}


def test_layers_of_a_wide_stem(tmp_path):
    network = qsnn(tmp_path, **WIDE).lower()
    first = network.layers[0]
    assert isinstance(first, PixelConv)
    assert (first.stride, first.padding, first.weight.shape[2:]) == (2, 3, (7, 7))
    assert network.layers[1] == SpikePool(name="maxpool", source="lif1")
    assert network.layers[2].source == "maxpool"


def test_layers_of_plain_nets(tmp_path):
    for fields, wanted in ((POOLED, [(1, 2), (1, 2)]), (STRIDED, [(2, 1), (2, 1)])):
        network = qsnn(tmp_path, **fields).lower()
        layers = layers_of(network, BinaryLayer).values()
        assert [(la.stride, la.pool) for la in layers] == wanted
        mean = network.layers[-2]
        assert isinstance(mean, Mean)
        assert not mean.over_tokens
        sources = [la.source for la in layers]
        assert sources == [la.neuron.name for la in network.layers[: len(sources)]]


def test_states_may_differ_from_neuron_to_neuron(tmp_path):
    net = qsnn(tmp_path, 4, **RESIDUAL)
    alphas = {"lif1": 0.9, "layer1.0.lif2": 1.0, "layer2.0.lif2": 0.97}
    nodes = tuple(
        dataclasses.replace(n, state_bits=4) if n.name == "layer1.0.lif1" else n for n in net.nodes
    )
    net = dataclasses.replace(net, nodes=nodes).with_alpha(alphas)
    network = net.lower()
    state = {
        la.neuron.name: la.neuron.state for la in network.layers if getattr(la, "neuron", None)
    }
    assert (state["layer1.0.lif1"].bits, state["layer1.0.lif1"].shift) == (4, 8)
    assert (state["lif1"].thresholds != state["layer1.0.lif2"].thresholds).any()
    assert network.meta["units"]["layer2.0.sum"] == pytest.approx(254 * 16 / 0.97)
    images = pictures(QsnnConfig(**RESIDUAL), 16, 5)
    got = Reference(net, images, np.zeros(len(images), dtype=np.int64)).compare(network)
    assert got.worst <= 0.002, got.table()


def test_plain_neurons_whose_input_does_not_decay(tmp_path):
    """v / 2 + x is (v + 2x) / 2: the same lanes, with everything that feeds them doubled."""
    net = qsnn(tmp_path, 6, **RESIDUAL)
    nodes = tuple(
        dataclasses.replace(n, state_bits=None) if isinstance(n, g.LIF) else n for n in net.nodes
    )
    net = dataclasses.replace(net, nodes=nodes)
    network = net.lower()
    assert network.frac_bits == 12
    for layer in network.layers:
        if getattr(layer, "neuron", None):
            assert (layer.neuron.state, layer.neuron.theta) == (None, 4097)
    assert layers_of(network, BinaryLayer)["layer1.0.conv2"].shortcut.value == 8192
    images = pictures(QsnnConfig(**RESIDUAL), 16, 5)
    got = Reference(net, images, np.zeros(len(images), dtype=np.int64)).compare(network)
    assert got.worst <= 0.002, got.table()
    assert "residual_peak_estimated" in network.meta["frac_bits"]
    measured = net.lower(images).meta["frac_bits"]["residual_peak_measured"]
    assert 1 < measured < 32


def test_saved_network_is_the_same(tmp_path, kind):
    network = qsnn(tmp_path, **kind).lower()
    network.save(tmp_path / "net.npz")
    images = pictures(QsnnConfig(**kind), 3)
    again = type(network).load(tmp_path / "net.npz")
    np.testing.assert_array_equal(network.run(images).logits, again.run(images).logits)
    assert again.meta == network.meta


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("lif1", {"tau": 3.0}, "lif1 cannot be lowered: only neurons with tau 2 exist"),
        ("lif1", {"alpha": None}, r"maximum of each batch.*with_alpha\(1\)"),
        ("lif1", {"soft": True}, "reset to 0"),
        ("lif1", {"decay_input": True}, "input that does not decay"),
        ("lif1", {"state_bits": 3}, "its state has 3 bits"),
        ("lif1", {"theta": 100.0}, "theta 100.0 is out of range with 4064 units per 1.0"),
        ("conv1", {"stride": 3}, "only stride 1 or 2"),
        ("conv1", {"padding": 0}, "'same' padding"),
        ("layer1.0.conv1", {"binary": False}, "only the first convolution"),
        ("layer1.0.conv1", {"source": "layer1.0.sum"}, "no earlier layer|holds no spikes"),
        ("avgpool", {"over_steps": True}, "averaged once"),
        ("logits", {"source": "avgpool"}, "its inputs must be linear layers"),
    ],
)
def test_refusals(tmp_path, name, fields, message):
    net = changed(qsnn(tmp_path, **RESIDUAL), name, **fields)
    with pytest.raises(SpikeloomError, match=message):
        net.lower()


def test_batchwide_alpha_is_refused_with_both_cures(tmp_path):
    net = qsnn(tmp_path, alpha=None, **RESIDUAL)
    with pytest.raises(SpikeloomError, match=r"with_alpha\(net\.measure_alpha\(images\)\)"):
        net.lower()
    images = pictures(QsnnConfig(**RESIDUAL), 4)
    for alpha in (1, net.measure_alpha(images)):
        net.with_alpha(alpha).lower()


def test_factors_stay_in_their_width(tmp_path, kind):
    for layer in qsnn(tmp_path, 9, **kind).lower().layers:
        if isinstance(layer, BinaryLayer):
            assert np.abs(layer.affine.factor).max() <= FACTOR_MAX
