"""The pitfalls of the models, each by name."""

import dataclasses

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.agree import Reference
from sw.golden import lif_step
from sw.lower.quantise import threshold
from sw.network import AttentionApply, AttentionMap, BinaryLayer, PixelConv
from tests.frontend.states import make_state

NORM = {"mean": 0.45, "std": 0.25}
RNG = np.random.default_rng(3)


def load(tmp_path, state, **options):
    np.savez(tmp_path / "net.npz", **state)
    return sw.load(tmp_path / "net.npz", **{**NORM, **options})


def pictures(count, height=12, width=20, channels=1):
    return np.random.default_rng(9).integers(
        0, 256, (count, channels, height, width), dtype=np.uint8
    )


def layer_of(network, kind, name):
    return next(la for la in network.layers if isinstance(la, kind) and la.name == name)


@pytest.mark.parametrize(("strict", "fires"), [(False, 1), (True, 0)])
def test_greater_or_equal_against_greater(strict, fires):
    """A membrane of exactly theta fires in BESTformer and does not in Q-SNN."""
    pytest.importorskip("torch")
    ones = np.ones(1, dtype=np.float32)
    nodes = (
        g.Conv(name="c", source=g.IMAGE, weight=2 * ones.reshape(1, 1, 1, 1), binary=False),
        g.BatchNorm(
            name="b", source="c", weight=ones, bias=0 * ones, mean=0 * ones, var=ones, eps=0.0
        ),
        g.LIF(name="s", source="b", strict=strict),
    )
    net = sw.FloatNetwork(
        name="tie", nodes=nodes, steps=1, channels=1, classes=1, mean=(0.0,), std=(1.0,)
    )
    image = np.full((1, 1, 1), 255, dtype=np.uint8)  # x = 2, so v = 1 = theta
    assert net.run(image, trace=True).trace["s"].sum() == fires
    theta = threshold("s", 1.0, strict, 1 << 12)
    assert lif_step(0, 2 << 12, theta)[1] == fires


def zero_state():
    state = make_state()
    row = state["block.0.attn.q_conv.weight"][2]
    row[:] = np.where(np.arange(16) % 2, 1, -1)[:, None]
    row[:2] = 0  # the filter's mean is 0, so two weights equal it
    return state


def test_sign_of_zero_is_refused_or_chosen(tmp_path):
    net = load(tmp_path, zero_state())
    with pytest.raises(SpikeloomError, match=r"block\.0\.attn\.q_conv has 2 of 256") as caught:
        net.lower(size=(8, 8))
    assert "--zero-weights" in str(caught.value)
    for choice, value in (("plus", True), ("minus", False)):
        network = net.lower(size=(8, 8), zero_weights=choice)
        weight = layer_of(network, BinaryLayer, "block.0.attn.q_conv").weight
        assert weight[2, :2, 0, 0].tolist() == [value, value]
        assert weight[2, 2:, 0, 0].tolist() == [False, True] * 7
        assert "q_conv has 2" in network.meta["zero_weights"]


def test_sign_of_zero_is_zero_in_the_float_network(tmp_path):
    net = load(tmp_path, zero_state())
    node = next(n for n in net.nodes if n.name == "block.0.attn.q_conv")
    assert g.binarise(node.weight)[2, :2].ravel().tolist() == [0, 0]


def test_lambda_per_step_and_head(tmp_path):
    state = make_state(steps=3, heads=2)
    lam = np.array([[8, -4], [0, 2], [1, 16]], dtype=np.float32)
    state["block.0.attn.lambda_attn"] = lam.reshape(3, 1, 2, 1, 1)
    network = load(tmp_path, state).lower(size=(8, 8))
    affine = layer_of(network, AttentionApply, "block.0.attn.apply").affine
    unit = 2.0 ** (network.frac_bits + affine.shift)
    np.testing.assert_array_equal(affine.factor, lam * 0.125 * unit)


def test_channel_is_head_times_d_plus_i(tmp_path):
    state = make_state(dim=24, heads=3)
    state["block.0.attn.lambda_attn"][:, :, 1] = 0  # silences channels 8 to 15 alone
    network = load(tmp_path, state).lower(size=(12, 20))
    spikes = network.run(pictures(8), trace=True).trace["block.0.attn.attn_lif"]
    assert spikes.any(axis=(0, 1, 3)).reshape(3, 8).any(axis=1).tolist() == [True, False, True]


def test_two_head_average(tmp_path):
    pytest.importorskip("torch")
    state = make_state()
    state["head.weight"][:], state["head2.weight"][:] = 0, 0
    state["head.bias"][:] = [1, 0, 0, 0, 3]
    state["head2.bias"][:] = [0, 2, 0, 0, -1]
    net = load(tmp_path, state)
    image = pictures(1)
    want = [[0.5, 1, 0, 0, 1]]
    np.testing.assert_allclose(net.run(image).logits, want, atol=1e-6)
    got = net.lower(image).run(image)
    np.testing.assert_allclose(got.logits * got.scale, want, atol=0.01)


def test_heads_read_the_last_pair(tmp_path):
    network = load(tmp_path, make_state(depth=2)).lower(size=(8, 8))
    *_, first, second, head = network.layers
    assert (first.source, second.source) == ("block.1.x2", "block.1.x3")
    assert head.sources == (first.name, second.name)


def test_halved_residual(tmp_path):
    network = load(tmp_path, make_state(depth=2)).lower(size=(8, 8))
    residuals = {
        la.residual.output: la.residual.inputs
        for la in network.layers
        if isinstance(la, BinaryLayer) and la.residual
    }
    assert residuals == {
        "patch_embed.block4_bn": (),
        "block.0.x2": ("patch_embed.block4_bn",),  # x0 is absent
        "block.0.x3": ("patch_embed.block4_bn", "block.0.x2"),
        "block.1.x2": ("block.0.x2", "block.0.x3"),
        "block.1.x3": ("block.0.x3", "block.1.x2"),
    }


def test_soft_reset_on_the_attention_neuron_only(tmp_path):
    network = load(tmp_path, make_state(depth=2)).lower(size=(8, 8))
    for layer in network.layers:
        neuron = getattr(layer, "neuron", None)
        if neuron is not None:
            assert neuron.soft == isinstance(layer, AttentionMap)
            assert neuron.soft == neuron.name.endswith("attn_lif0")


def test_half_threshold_after_the_product_only(tmp_path):
    network = load(tmp_path, make_state()).lower(size=(8, 8))
    for layer in network.layers:
        if isinstance(layer, BinaryLayer | PixelConv) and layer.neuron:
            assert layer.neuron.theta == 1 << network.frac_bits
        elif isinstance(layer, AttentionApply):
            assert layer.neuron.theta == 1 << (network.frac_bits - 1)


def test_map_neuron_fires_first_at_a_count_of_two(tmp_path):
    network = load(tmp_path, make_state()).lower(size=(8, 8))
    layer = layer_of(network, AttentionMap, "block.0.attn.map")
    affine = layer.affine
    counts = (np.arange(9) * affine.factor[0] + affine.bias[0]) >> affine.shift
    fired = lif_step(np.zeros(9, dtype=int), counts, layer.neuron.theta, soft=True)[1]
    assert fired.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1]


def local_errors(net, images, **options):
    reference = Reference(net, images, np.zeros(len(images), dtype=np.int64))
    return reference.compare(net.lower(images, **options)).local_error


@pytest.mark.parametrize("variant", ["cifar", "imagenet"])
@pytest.mark.parametrize(("order", "similarity"), [("qk", "and"), ("qk", "xnor"), ("kv", "and")])
def test_two_attention_orders(tmp_path, variant, order, similarity):
    """N other than d, image not square; negative BatchNorm scales throughout.

    One channel whose drive lies within a grid step of a tie costs up to 0.4 %.
    """
    pytest.importorskip("torch")
    state = make_state(5, variant=variant, dim=24, heads=3, channels=3, depth=2)
    assert (state["block.0.attn.q_bn.weight"] < 0).any()
    net = load(tmp_path, state, attention=order, similarity=similarity)
    errors = local_errors(
        net, pictures(24, 20, 12, 3) if variant == "cifar" else pictures(24, 36, 20, 3)
    )
    for name, error in errors.items():
        assert error <= (0 if name.endswith("attn_lif0") else 0.005), (name, error)


def test_negative_batchnorm_scale_is_a_negative_factor(tmp_path):
    state = make_state()
    network = load(tmp_path, state).lower(size=(8, 8))
    factor = layer_of(network, BinaryLayer, "block.0.mlp.mlp1_conv").affine.factor
    np.testing.assert_array_equal(np.sign(factor), np.sign(state["block.0.mlp.mlp1_bn.weight"]))


def test_padding_is_zero_after_normalisation(tmp_path):
    """With a mean other than 0 a padded tap is not a black pixel, but p = 0."""
    state = make_state(channels=2)
    net = load(tmp_path, state, mean=(0.3, 0.7), std=(0.2, 0.4))
    layer = net.lower(size=(8, 8), pixel_weight_bits=16).layers[0]
    pixel = 255 * np.array([0.3, 0.7]) * 2**layer.pixel_shift
    np.testing.assert_allclose(layer.centre, pixel, atol=0.5)
    assert layer.padding == 1
    pytest.importorskip("torch")
    errors = local_errors(net, pictures(32, 4, 4, 2), pixel_weight_bits=16)
    assert errors["patch_embed.block1_lif"] < 0.003


def test_the_image_is_repeated_over_steps(tmp_path):
    pytest.importorskip("torch")
    net = load(tmp_path, make_state(steps=3))
    images = pictures(3)
    frames = np.repeat(images[:, None], 3, axis=1)
    np.testing.assert_array_equal(net.run(images).logits, net.run(frames).logits)
    still, moving = net.lower(images), net.lower(frames)
    assert (still.per_step_input, moving.per_step_input) == (False, True)
    np.testing.assert_array_equal(still.run(images).logits, moving.run(frames).logits)


def test_residual_stream_that_would_saturate_takes_fraction_bits(tmp_path):
    state = make_state()
    state["patch_embed.block4_bn.bias"] += 31  # 32 is the range at 12 fraction bits
    net = load(tmp_path, state)
    for network in (net.lower(size=(8, 8)), net.lower(pictures(4))):
        assert network.frac_bits == 11
        assert "satur" in network.meta["frac_bits"]["why"]
    given = net.lower(size=(8, 8), frac_bits=12)
    assert given.frac_bits == 12


def test_scales_that_do_not_fit_take_fraction_bits(tmp_path):
    state = make_state()
    state["block.0.mlp.mlp2_bn.running_var"][0] = 0.02  # a size that the residual stream needs
    network = load(tmp_path, state).lower(size=(8, 8))
    assert network.frac_bits < 12
    assert "do not fit" in network.meta["frac_bits"]["why"]


def test_unsupported_neurons_are_refused(tmp_path):
    net = load(tmp_path, make_state())
    nodes = tuple(
        dataclasses.replace(n, tau=3.0) if n.name == "block.0.attn.k_lif" else n for n in net.nodes
    )
    with pytest.raises(SpikeloomError, match=r"attn\.k_lif cannot be lowered"):
        dataclasses.replace(net, nodes=nodes).lower(size=(8, 8))
