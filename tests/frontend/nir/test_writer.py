"""Layers written as NIR nodes come back as they were, or are told not to have any."""

import dataclasses

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.graph import IMAGE, LIF, Conv, Linear, MeanSteps, MeanTokens
from tests.fixtures import FIXTURES

nir = pytest.importorskip("nir")
pytest.importorskip("torch")
from tests.frontend.nir.reference import simulate  # noqa: E402
from tests.frontend.nir.writing import images_of, load, plain, same, small, there_and_back  # noqa: E402
from tests.frontend.qsnn_states import residual_state, vgg_state  # noqa: E402


@pytest.mark.parametrize("alpha", [0.7, "batch"])
def test_residual_net_with_a_wide_stem(tmp_path, alpha):
    """Max-pool on spikes as a sum and a threshold; every BatchNorm sign."""
    state = residual_state(2, stem=7, channels=2, widths=(6, 8), blocks=(2, 1))
    net = load(tmp_path, state, alpha=alpha, image_size=(20, 23))
    back = there_and_back(tmp_path, net)
    same(net, back, images_of(net, (20, 23)), tolerance=0)
    assert {n.alpha for n in back.nodes if isinstance(n, LIF)} == {
        None if alpha == "batch" else alpha
    }


@pytest.mark.parametrize("strides", [None, (1, 2, 1)], ids=["pooled", "strided"])
def test_vgg(tmp_path, strides):
    """Biases before BatchNorm fold: spikes are equal, logits to 1e-6."""
    state = vgg_state(3, pooled=strides is None, pixels=4 if strides is None else 4 * 4)
    size = (9, 8) if strides is None else (8, 7)
    net = load(tmp_path, state, strides=strides, image_size=size)
    back = there_and_back(tmp_path, net)
    same(net, back, images_of(net, size), tolerance=1e-6)
    weights = [n.weight_bits for n in back.nodes if isinstance(n, Conv | Linear)]
    assert weights == [8, None, None, 8]


NEURONS = {
    "input decays": LIF(name="", source="", tau=2.0),
    "slow": LIF(name="", source="", tau=5.0, theta=0.7, strict=True),
    "fast": LIF(name="", source="", tau=1.0),
    "as it is": LIF(name="", source="", tau=2.0, decay_input=False, theta=1.3),
    "fades": LIF(name="", source="", tau=1.25, decay_input=False, strict=True),
    "integrates": LIF(name="", source="", tau=1.0, decay_input=False, theta=3.0),
}


@pytest.mark.parametrize("lif", NEURONS.values(), ids=NEURONS)
def test_neurons_need_no_metadata(tmp_path, lif):
    """Not lossy; and NIR's equations, in a plain loop, give the same spikes."""
    net = small(lif)
    path = sw.nir.save(net, tmp_path / "out.nir", dt=1e-3)
    back = sw.load(path)
    images = images_of(net, (6, 6))
    same(net, back, images, tolerance=0)
    neuron = next(n for n in back.nodes if n.name == "sa")
    assert (neuron.tau, neuron.decay_input) == (pytest.approx(lif.tau), lif.decay_input)
    graph = nir.read(path)
    assert not any(n.metadata for n in graph.nodes.values())
    x = np.repeat(images[None].astype(float) / 255, net.steps, axis=0)
    want = simulate(graph, x, 1e-3)
    got = net.run(images, trace=True)
    for name in ("sa", "sc"):
        np.testing.assert_array_equal(got.trace[name], want[name], name)
    np.testing.assert_allclose(got.logits, want["output"].mean(0), atol=1e-5)


def test_at_least_theta_is_above_the_float_before_it(tmp_path):
    """``>=`` of BESTformer's neurons in NIR's ``>``: ties go the same way."""
    one = np.ones((1, 1, 1, 1), np.float32)
    nodes = [
        Conv(name="c", source=IMAGE, weight=one, binary=False),
        LIF(name="s", source="c", tau=1.0),
        MeanTokens(name="m", source="s", over_steps=False),
        Linear(name="h", source="m", weight=one.reshape(1, 1), bias=np.zeros(1, np.float32)),
        MeanSteps(name="logits", source="h"),
    ]
    net = plain(nodes, size=(1, 1), classes=1)
    white = np.full((1, 1, 1), 255, np.uint8)
    assert net.run(white).logits == 1
    assert sw.load(sw.nir.save(net, tmp_path / "t.nir")).run(white).logits == 1


def test_reset_by_subtraction_is_metadata(tmp_path):
    net = small(LIF(name="", source="", soft=True))
    with pytest.raises(SpikeloomError, match=r"no node for the reset by subtraction of sa, sc; .*"):
        sw.nir.save(net, tmp_path / "out.nir")
    same(net, there_and_back(tmp_path, net), images_of(net, (6, 6)), tolerance=0)


def test_kernels_of_the_whole_map_are_affine(tmp_path):
    """What a hidden linear layer was read as is written as one again."""
    net = small(LIF(name="", source=""), kernel=6)
    path = sw.nir.save(net, tmp_path / "out.nir")
    kinds = {k: type(n).__name__ for k, n in nir.read(path).nodes.items()}
    assert (kinds["c"], kinds["c.flatten"]) == ("Affine", "Flatten")
    same(net, sw.load(path), images_of(net, (6, 6)), tolerance=1e-6)


def test_attention_has_no_node(tmp_path):
    net = sw.load(FIXTURES / "best_digits.weights.npz")
    with pytest.raises(SpikeloomError) as caught:
        sw.nir.save(net, tmp_path / "out.nir", lossy=True)
    for part in ("Similarity (block.0.attn.map)", "Apply (", "HeadAverage (logits)", "Average ("):
        assert part in str(caught.value)


def test_what_else_has_no_node(tmp_path):
    net = small(LIF(name="", source=""))

    def refuse(match, nodes=net.nodes, size=(6, 6), **options):
        wrong = plain(nodes, size=size)
        with pytest.raises(SpikeloomError, match=match):
            sw.nir.save(wrong, tmp_path / "out.nir", **options)

    refuse("logits of each step", net.nodes[:-1])
    refuse("give image_size=", size=None)
    refuse("dt must be above 0", dt=0.0)
    grows = [
        dataclasses.replace(n, tau=0.5, decay_input=False) if isinstance(n, LIF) else n
        for n in net.nodes
    ]
    refuse("sa, whose membrane grows or turns", grows)
    twice = dataclasses.replace(net.nodes[1], name="again", source="ab")
    after = [dataclasses.replace(net.nodes[2], source="again")]
    refuse(
        "again, a BatchNorm that follows no convolution",
        [*net.nodes[:2], twice, *after, *net.nodes[3:]],
    )
    tall = [
        dataclasses.replace(n, weight=n.weight[:, :, :, :1], padding=0) if n.name == "c" else n
        for n in net.nodes
    ]
    refuse("the 3x1 kernel of c", tall)
    with pytest.raises(SpikeloomError, match=r"wanted '\.nir'"):
        sw.nir.save(net, tmp_path / "out.onnx")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpikeloomError, match="cannot be written"):
        sw.nir.save(net, tmp_path / "file" / "out.nir")
