"""Usual normalisations of images, both families: lowered, compiled, and the golden model's."""

import numpy as np
import pytest

import sw
from hw.arch import Config, SpikeloomError, isa
from sim.interpreter import interpret
from sw.compiler import compile_network, fit_config
from sw.testing import random_images
from tests.frontend.qsnn_states import residual_state
from tests.frontend.states import make_state
from tests.lower.norms import NORMS


@pytest.mark.parametrize("scale", [1 / 3, 1, 3], ids=["third", "usual", "triple"])
@pytest.mark.parametrize("family", ["bestformer", "qsnn"])
@pytest.mark.parametrize("norm", NORMS)
def test_usual_normalisations_compile(norm, family, scale, tmp_path):
    mean, std = NORMS[norm]
    if family == "bestformer":
        state, first = make_state(1, channels=len(mean)), "patch_embed.block0_conv.weight"
        options = {}
    else:
        state, first = residual_state(1, channels=len(mean)), "conv1.weight"
        options = {"steps": 2, "membrane_bits": 8}
    state[first] = state[first] * np.float32(scale)
    np.savez(tmp_path / "net.npz", **state)
    net = sw.load(tmp_path / "net.npz", mean=mean, std=std, image_size=16, **options)
    q = net.lower()
    assert q.meta["frac_bits"]["bits"] == 12
    assert q.layers[0].pixel_shift == q.meta["pixel_shift"] <= isa.BY_NAME["pix_shift"].most
    assert first_error(net, q) < 8
    program = compile_network(q, fit_config(q, Config()))
    images = random_images(q, 1)
    run = next(interpret(program, images, events=False))
    np.testing.assert_array_equal(run.logits, q.run(images).logits[0])


def first_error(net, q):
    """Largest error of the first sums on random pixels, in units of x (of 2**-12 or so)."""
    conv, bn, layer = net.nodes[0], net.nodes[1], q.layers[0]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, *layer.weight.shape[1:]))
    a, b = bn.folded()
    weight = conv.weight.astype(float)
    if conv.weight_bits:
        from sw.graph import quantise

        weight = quantise(conv.weight, conv.weight_bits).astype(float)
    mean, std = (np.reshape(v, (-1, 1, 1)) for v in (net.mean, net.std))
    real = np.einsum("oikl,nikl->no", weight, (pixels / 255 - mean) / std) * a + b
    p = (pixels << layer.pixel_shift) - np.reshape(layer.centre, (-1, 1, 1))
    x = (np.einsum("oikl,nikl->no", layer.weight, p) + layer.bias) >> layer.shift
    unit = q.meta.get("units", {}).get(bn.name) or one(net, bn, q)
    return np.abs(x - real * unit).max()


def one(net, bn, q):
    from sw.lower.units import Units

    return Units(net, q.frac_bits, {}, None).one(bn.name)


def test_more_than_eight_different_means_are_refused(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(1, channels=10))
    means = tuple(np.linspace(0.3, 0.6, 10).tolist())
    net = sw.load(tmp_path / "net.npz", mean=means, std=0.2, image_size=16)
    with pytest.raises(SpikeloomError, match=r"channels k and k \+ 8 must have the same centre"):
        net.lower()
