"""The search for formats: the finest that fit, and why they are no finer."""

import numpy as np
import pytest

import sw
from hw.arch.formats import STATE_SHIFTS
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.network import BinaryLayer
from tests.frontend.states import make_state


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
