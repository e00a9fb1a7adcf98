"""One dead channel: its own scale is clamped, everything else stays, and it is named."""

import dataclasses

import numpy as np
import pytest

import sw
from hw.arch import Config
from sim.interpreter import interpret
from sw.compiler import compile_network, fit_config
from sw.network import PixelConv
from sw.testing import random_images
from tests.frontend.states import make_state

NORM = {"mean": 0.5, "std": 0.25, "image_size": 16}
LAYERS = [
    "patch_embed.block0",
    "patch_embed.block1",
    "patch_embed.block3",
    "patch_embed.block4",
    "block.0.attn.q",
    "block.0.attn.v",
    "block.0.attn.proj",
    "block.0.mlp.mlp1",
    "block.0.mlp.mlp2",
]


def lowered(state, folder):
    np.savez(folder / "net.npz", **state)
    return sw.load(folder / "net.npz", **NORM).lower()


def arrays(layer):
    """What a layer has of each output channel."""
    if isinstance(layer, PixelConv):
        return [layer.weight, layer.bias]
    return [layer.affine.factor, layer.affine.bias]


@pytest.mark.parametrize("variance", [0.0, 1e-20, 1e-9, 1e-6, 1e-4], ids=str)
@pytest.mark.parametrize("stem", LAYERS)
def test_other_channels_keep_their_formats(stem, variance, tmp_path):
    state = make_state(3, dim=16)
    whole = lowered(state, tmp_path)
    state[f"{stem}_bn.running_var"][1] = variance
    state[f"{stem}_bn.weight"][1] = 1.7
    with pytest.warns(UserWarning, match=rf"net: {stem}_conv: .*channel 1 .*dead"):
        net = lowered(state, tmp_path)
    assert net.meta["dead_channels"] == {f"{stem}_conv": [1]}
    assert net.meta["frac_bits"]["bits"] == whole.meta["frac_bits"]["bits"] == 12
    for got, want in zip(net.layers, whole.layers, strict=True):
        if not hasattr(want, "affine") and not isinstance(want, PixelConv):
            continue
        assert getattr(got, "affine", got).shift == getattr(want, "affine", want).shift
        for a, b in zip(arrays(got), arrays(want), strict=True):
            others = np.arange(len(a)) != (1 if got.name == f"{stem}_conv" else -1)
            np.testing.assert_array_equal(a[others], b[others], err_msg=got.name)
    program = compile_network(net, fit_config(net, Config()))
    images = random_images(net, 1)
    run = next(interpret(program, images, events=False))
    np.testing.assert_array_equal(run.logits, net.run(images).logits[0])


def test_a_dead_channel_rests_at_its_bias(tmp_path):
    """At BatchNorm's mean, where a dead channel always is, x is the BatchNorm's bias."""
    state = make_state(3, dim=16)
    stem = "block.0.mlp.mlp1"
    bn = {part: state[f"{stem}_bn.{part}"] for part in ("running_var", "running_mean", "bias")}
    bn["running_var"][:4], bn["running_mean"][:4] = 0, [-3, 0, 5, 16]
    with pytest.warns(UserWarning, match="channels 0, 1, 2, 3"):
        layer = next(la for la in lowered(state, tmp_path).layers if la.name == f"{stem}_conv")
    sums = bn["running_mean"][:4].astype(np.int64)
    x = (layer.affine.factor[:4] * sums + layer.affine.bias[:4]) >> layer.affine.shift
    assert np.abs(x / 4096 - bn["bias"][:4]).max() < 1e-3


def test_channels_that_one_count_decides_do_not_cut_the_fraction(tmp_path):
    """A deviation of 0.2 counts: twice the threshold each count, yet not dead."""
    state = make_state(3, dim=16)
    stem = "block.0.attn.q"
    state[f"{stem}_bn.running_var"][2] = 0.04
    state[f"{stem}_bn.weight"][2] = 1.5
    net = lowered(state, tmp_path)
    assert "dead_channels" not in net.meta
    assert net.meta["frac_bits"]["bits"] == 12
    layer = next(la for la in net.layers if la.name == f"{stem}_conv")
    a = 1.5 / np.sqrt(0.04 + 1e-5)
    b = state[f"{stem}_bn.bias"][2] - a * state[f"{stem}_bn.running_mean"][2]
    sums = np.arange(-16, 17)
    x = (int(layer.affine.factor[2]) * sums + int(layer.affine.bias[2])) >> layer.affine.shift
    np.testing.assert_array_equal(x >= 2 * 4096, a * sums + b >= 2.0)


def test_all_channels_dead(tmp_path):
    state = make_state(3, dim=16)
    for stem in LAYERS:
        state[f"{stem}_bn.running_var"][:] = 0
    with pytest.warns(UserWarning, match="dead"):
        net = lowered(state, tmp_path)
    assert set(net.meta["dead_channels"]) == {f"{stem}_conv" for stem in LAYERS}
    compile_network(net, fit_config(net, Config()))


def test_many_dead_channels_are_named_shortly(tmp_path):
    state = make_state(3, dim=64)
    state["block.0.mlp.mlp1_bn.running_var"][:50] = 0
    with pytest.warns(UserWarning, match=r"channels 0, 1, 2, 3, 4, 5, 6, 7 and 42 more"):
        lowered(state, tmp_path)


def test_dead_channels_of_a_qsnn(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import qsnn

    net = qsnn(tmp_path, widths=(8, 16), blocks=(1, 1), height=12, width=12, steps=2)
    whole = net.lower()
    for bn in [n for n in net.nodes if hasattr(n, "var")]:
        var = bn.var.copy()
        var[3] = 0
        nodes = [dataclasses.replace(n, var=var) if n is bn else n for n in net.nodes]
        with pytest.warns(UserWarning, match="dead"):
            got = dataclasses.replace(net, nodes=tuple(nodes)).lower()
        (name,) = got.meta["dead_channels"]
        for new, old in zip(got.layers, whole.layers, strict=True):
            if not hasattr(old, "affine") and not isinstance(old, PixelConv):
                continue
            assert getattr(new, "affine", new).shift == getattr(old, "affine", old).shift
            neuron = getattr(old, "neuron", None)
            assert neuron is None or new.neuron.theta == neuron.theta, name
        compile_network(got, fit_config(got, Config()))
