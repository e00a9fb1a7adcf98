"""The pitfalls of Q-SNN that integers can fall into, each by name."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")

import sw
from sw import graph as g
from sw.families.qsnn.config import QsnnConfig
from sw.golden.execute import IMAGE, Executor
from sw.lower import quantise
from sw.network import BinaryLayer
from tests.lower.qsnn_nets import pictures, qsnn
from tests.lower.small import identity, neuron, single

RESIDUAL = {"widths": (8, 16), "blocks": (1, 1), "height": 10, "width": 11}
PLAIN = {
    "net": "vgg",
    "widths": (8, 16),
    "halve": (1,),
    "height": 7,
    "width": 9,
    "steps": 3,
}


def spikes(net, frames=None):
    """Spikes (T,) of neuron "s" in float and in integers; white images, or these pixels."""
    images = np.full((1, 1, 1, 1), 255, dtype=np.uint8)
    if frames is not None:
        images = np.array(frames, dtype=np.uint8).reshape(1, -1, 1, 1, 1)
    real = net.run(images, trace=["s"]).trace["s"].ravel().tolist()
    network = net.lower(images)
    whole = network.run(images, trace=True).trace["s"].ravel().tolist()
    return real, whole


def both(pattern):
    return pattern, pattern


@pytest.mark.parametrize(("strict", "pattern"), [(True, [0, 1, 0]), (False, [1, 1, 1])])
def test_strictly_greater(strict, pattern):
    """x is exactly theta: Q-SNN does not fire before something is stored on top."""
    assert spikes(single(0.0, bias=1.0, strict=strict)) == both(pattern)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_one_unit_above_theta_fires(bits):
    one = {2: 4096, 4: 3584, 8: 4064}[bits]
    assert spikes(single(0.0, bias=1 + 1 / one, steps=1, state_bits=bits)) == both([1])
    assert spikes(single(0.0, bias=1 - 1 / one, steps=1, state_bits=bits)) == both([0])


def test_quantise_after_reset():
    """0.8 stays below, 0.33 + 0.8 fires, and what fired leaves nothing: 0.8 again."""
    assert spikes(single(0.8, steps=5)) == both([0, 1, 0, 1, 0])


def test_quantise_before_the_next_leak():
    """Of 2 bits, 0.6 is stored as 1, whose half brings 0.6 above 1; half of 0.6 would be 0."""
    assert spikes(single(0.6, state_bits=2)) == both([0, 1, 0])


def test_tanh_before_quantising():
    """0.52 rounds to 1, tanh(0.52) = 0.48 to 0."""
    assert spikes(single(0.52, state_bits=2)) == both([0, 0, 0])
    assert spikes(single(0.55, state_bits=2)) == both([0, 1, 0])  # tanh(0.55) = 0.5005


def test_negative_membranes_are_stored_with_their_sign():
    """-0.55 is stored as -1: half of it keeps 1.4 below; a stored 0 would not."""
    net = single(-0.55 - 1.4, bias=1.4, steps=2, state_bits=2)
    assert spikes(net, [255, 0]) == both([0, 0])
    assert spikes(single(-0.5 - 1.4, bias=1.4, steps=2, state_bits=2), [255, 0]) == both([0, 1])


def test_large_negative_membranes_are_stored_at_full_scale():
    """tanh(-20) is -1, far beyond what the thresholds tell apart."""
    net = single(-21.45, bias=1.45, steps=2)
    assert spikes(net, [255, 0]) == both([0, 0])  # 1.45 - 0.5
    assert spikes(single(-21.55, bias=1.55, steps=2), [255, 0]) == both([0, 1])


def test_ties_to_even():
    """At alpha 2 and 4 bits -20 lies at -3.5 levels: -4 leaves -0.571, -3 would leave -0.429."""
    net = single(-21.5, bias=1.5, steps=2, state_bits=4, alpha=2.0)
    assert spikes(net, [255, 0]) == both([0, 0])


def test_what_the_last_step_stores_has_no_effect():
    long, short = single(0.8, steps=5), single(0.8, steps=4)
    assert spikes(long)[1][:4] == spikes(short)[1]


def test_alpha_of_the_batch_is_frozen(tmp_path):
    """In float an image's spikes may depend on its company; in integers they do not."""
    net = qsnn(tmp_path, 1, membrane_bits=2, **RESIDUAL)
    images = pictures(QsnnConfig(**RESIDUAL), 6, 3)
    network = net.lower()
    alone = np.concatenate([network.run(images[i : i + 1]).logits for i in range(6)])
    np.testing.assert_array_equal(network.run(images).logits, alone)


def test_first_layer_max_w_scale():
    """The scale is the signed maximum: -0.2 beside 0.1 is -254, neither clipped nor wrapped."""
    weight = np.array([0.1, -0.2, 0.05, -0.18], dtype=np.float32).reshape(2, 2, 1, 1)
    nodes = (
        g.Conv(name="c", source=g.IMAGE, weight=weight, binary=False, weight_bits=8),
        identity("b", "c", 2),
        neuron("s", "b"),
        g.Flatten(name="f", source="s"),
        g.Linear(name="l", source="f", weight=np.ones((2, 2), np.float32), bias=np.zeros(2)),
        g.MeanSteps(name="logits", source="l"),
    )
    net = sw.FloatNetwork(
        name="first",
        nodes=nodes,
        steps=1,
        channels=2,
        classes=2,
        mean=(0.0, 0.0),
        std=(1.0, 1.0),
        size=(1, 1),
    )
    assert g.integers(weight, 8).ravel().tolist() == [127, -254, 64, -229]
    layer = net.lower(pixel_weight_bits=16).layers[0]
    unit = 4064 * 2.0**layer.shift / (255 << layer.pixel_shift) * 0.1 / 127
    got = layer.weight.ravel() / unit
    np.testing.assert_allclose(got, [127, -254, 64, -229], rtol=1e-4)


def test_last_layer_max_w_scale(tmp_path):
    net = qsnn(tmp_path, **RESIDUAL)
    linear = next(n for n in net.nodes if isinstance(n, g.Linear))
    linear.weight[:] = np.clip(linear.weight, -1, 0.1)
    linear.weight[0, 0], linear.weight[1, 1] = 0.1, -0.181
    head = net.lower().head
    assert head.weight[0, 0] == 127
    assert head.weight[1, 1] == -230
    assert head.weight.min() <= -230
    assert head.weight_bits == int(-head.weight.min()).bit_length() + 1
    images = pictures(QsnnConfig(**RESIDUAL), 8)
    names = [n.name for n in net.nodes if isinstance(n, g.LIF)]
    real = net.run(images, trace=names)
    got = net.lower().run(images, feed=real.trace)
    np.testing.assert_allclose(got.logits * got.scale, real.logits, atol=1.01 * got.scale)


def test_image_repeated_first_conv_once(tmp_path):
    net = qsnn(tmp_path, **PLAIN)
    images = pictures(QsnnConfig(**PLAIN), 4)
    still, moving = net.lower(), net.lower(per_step=True)
    frames = np.repeat(images[:, None], net.steps, axis=1)
    np.testing.assert_array_equal(still.run(images).logits, moving.run(frames).logits)
    executor = Executor(still.layers, still.steps)
    sums = still.layers[0].sums(executor, {IMAGE: images[None]})
    assert sums.shape[0] == 1  # and its neuron runs all steps
    assert executor.step(still.layers[0], {IMAGE: images[None]})["features.0.act"].shape[0] == 3


def test_filter_scale_is_folded(tmp_path):
    """1 for most 3x3 filters, 0.5 for some 1x1 ones: part of the factor, not assumed."""
    net = qsnn(tmp_path, **RESIDUAL)
    conv = next(n for n in net.nodes if n.name == "layer2.0.downsample.layer.module")
    before = net.lower()
    conv.scale[2] *= 0.5
    index = [la.name for la in before.layers].index(conv.name)
    a, b = before.layers[index].affine, net.lower().layers[index].affine
    ratio = b.factor * 2.0**-b.shift / (a.factor * 2.0**-a.shift)
    assert np.abs(ratio[2] - 0.5) < 1e-2
    np.testing.assert_allclose(np.delete(ratio, 2), 1, rtol=2e-2)


def test_convolution_biases_come_before_the_batchnorm(tmp_path):
    net = qsnn(tmp_path, **PLAIN)
    conv = next(n for n in net.nodes if n.name == "features.2.fwd.module.0")
    a, _ = next(n for n in net.nodes if n.name == "features.2.fwd.module.1").folded()
    before = net.lower().layers[1].affine
    conv.bias[:] += 1
    after = net.lower().layers[1].affine
    assert before.shift == after.shift
    moved = (after.bias - before.bias) / 4064 / 2.0**after.shift
    np.testing.assert_allclose(moved, a, atol=1e-4)


def test_negative_batchnorm_scale_is_a_negative_factor(tmp_path):
    net = qsnn(tmp_path, **RESIDUAL)
    signs = np.sign(next(n for n in net.nodes if n.name == "layer1.0.bn1.bn").weight)
    assert {-1, 1} <= set(signs.tolist())
    np.testing.assert_array_equal(np.sign(net.lower().layers[1].affine.factor), signs)


def test_shortcut_joins_after_the_second_batchnorm_and_before_the_neuron(tmp_path):
    """One spike of the shortcut alone lifts a drive of 0.5 above theta."""
    net = qsnn(tmp_path, **RESIDUAL)
    bn = next(n for n in net.nodes if n.name == "layer1.0.bn2.bn")
    bn.weight[:], bn.bias[:] = 0, 0.5
    network = net.lower()
    images = pictures(QsnnConfig(**RESIDUAL), 4)
    trace = network.run(images, trace=True).trace
    np.testing.assert_array_equal(trace["layer1.0.lif2"][0], trace["lif1"][0])


def test_padded_taps_add_nothing(tmp_path):
    """A spike at every pixel: the sums at a corner are those of its four taps."""
    for fields in (RESIDUAL, PLAIN):
        network = qsnn(tmp_path, **fields).lower()
        layer = next(la for la in network.layers[1:] if isinstance(la, BinaryLayer))
        ones = np.ones((1, 1, 8, 8, 8), dtype=np.uint8)
        sums = layer.sums(Executor((layer,), 1), {layer.source: ones})
        corner = np.where(layer.weight[:, :, 1:, 1:], 1, -1).sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(sums[0, 0, :, 0, 0], corner * layer.pool**2)


def test_odd_sides_are_rounded_down_by_pools_and_up_by_strides(tmp_path):
    images = pictures(QsnnConfig(**PLAIN), 2)
    pooled = qsnn(tmp_path, **PLAIN).lower().run(images, trace=True).trace
    assert pooled["features.2.act"].shape == (3, 2, 16, 3, 4)
    strided = qsnn(tmp_path, downsampling="stride", **PLAIN).lower().run(images, trace=True).trace
    assert strided["features.1.act"].shape == (3, 2, 16, 4, 5)


def test_flattened_spikes_are_channel_major(tmp_path):
    net = qsnn(tmp_path, **PLAIN)
    linear = next(n for n in net.nodes if isinstance(n, g.Linear))
    linear.weight[:] = 0
    linear.weight[3, 16 * 12 - 12 + 5] = 1.0  # the last channel, row 1, column 1
    linear.bias[:] = 0
    images = pictures(QsnnConfig(**PLAIN), 8)
    network = net.lower()
    result = network.run(images, trace=True)
    wanted = result.trace["features.2.act"][:, :, 15, 1, 1].mean(axis=0)
    np.testing.assert_allclose(result.logits[:, 3] * result.scale, wanted, atol=result.scale)


def test_logits_are_averaged_over_time(tmp_path):
    net = qsnn(tmp_path, **PLAIN)
    frames = pictures(QsnnConfig(**PLAIN), 3)
    whole, stream = net.lower(per_step=True).run(frames[None]), net.lower(stream=True).run(frames)
    mean = (stream.logits * stream.scale).mean(axis=0)
    np.testing.assert_allclose(whole.logits[0] * whole.scale, mean, atol=whole.scale + stream.scale)


def test_thresholds_on_the_grid_are_exact():
    assert quantise.threshold("s", 1.0, True, 4064) == 4065
    assert quantise.threshold("s", 1.0, False, 4064) == 4064
    assert quantise.threshold("s", 1.0, True, 4064.4) == 4065
    assert quantise.threshold("s", 1.0, False, 4064.4) == 4065


def test_all_bits_have_neurons_of_their_own(tmp_path):
    net = qsnn(tmp_path, **RESIDUAL)
    for bits in (2, 4, 8):
        nodes = tuple(
            dataclasses.replace(n, state_bits=bits) if isinstance(n, g.LIF) else n
            for n in net.nodes
        )
        network = dataclasses.replace(net, nodes=nodes).lower()
        states = [la.neuron.state for la in network.layers if getattr(la, "neuron", None)]
        assert {(s.bits, len(s.thresholds)) for s in states} == {(bits, 2 ** (bits - 1) - 1)}
