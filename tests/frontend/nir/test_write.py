"""Networks written as NIR graphs: read back they are the same, and NIR's own reader takes them."""

import dataclasses

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.api import FloatNetwork
from sw.convert import main
from sw.graph import IMAGE, LIF, BatchNorm, Conv, Linear, MeanSteps, MeanTokens
from tests.fixtures import FIXTURES

nir = pytest.importorskip("nir")
pytest.importorskip("torch")
from tests.frontend.nir.reference import simulate  # noqa: E402
from tests.frontend.qsnn_states import residual_state, vgg_state  # noqa: E402

TOLD = {"steps": 3, "membrane_bits": 4, "mean": (0.4, 0.5), "std": (0.2, 0.25)}


def load(tmp_path, state, **options):
    np.savez(tmp_path / "net.npz", **state)
    return sw.load(tmp_path / "net.npz", **{**TOLD, **options})


def there_and_back(tmp_path, net, **options):
    path = sw.nir.save(net, tmp_path / "out.nir", lossy=True, **options)
    nir.read(path)  # NIR's own types and shapes
    return sw.load(path)


def same(net, back, images, *, tolerance):
    want, got = (n.run(images, trace=True) for n in (net, back))
    assert list(got.trace) == list(want.trace)
    for name, spikes in want.trace.items():
        assert spikes.any(), name
        np.testing.assert_array_equal(got.trace[name], spikes, name)
    np.testing.assert_allclose(got.logits, want.logits, atol=tolerance, rtol=0)
    told = ("name", "steps", "channels", "classes", "mean", "std")
    assert [getattr(net, k) for k in told] == [getattr(back, k) for k in told]


def images_of(net, size, count=16):
    shape = (count, net.channels, *size)
    return np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)


def test_fixture_comes_back_bit_for_bit(tmp_path):
    net = sw.load(FIXTURES / "q8.weights.npz")
    with np.load(FIXTURES / "q8.io.npz") as io:
        images = io["images"]
    back = there_and_back(tmp_path, net, image_size=(28, 28))
    same(net, back, images, tolerance=0)
    assert back.meta["state_bits"] == [8]
    assert sw.load(tmp_path / "out.nir", image_size=28).size == (28, 28)
    kinds = [type(n).__name__ for n in net.nodes]
    assert [type(n).__name__ for n in back.nodes] == kinds  # the same graph, node for node
    for mine, theirs in zip(net.nodes, back.nodes, strict=True):
        if isinstance(mine, Conv | Linear):
            assert mine.weight_bits == theirs.weight_bits
        if isinstance(mine, Conv):
            assert (mine.binary, mine.stride, mine.padding) == (
                theirs.binary,
                theirs.stride,
                theirs.padding,
            )
        if isinstance(mine, LIF):
            assert dataclasses.replace(mine, source=theirs.source) == theirs
    again = sw.nir.save(net, tmp_path / "again.nir", image_size=(28, 28), lossy=True)
    assert again.read_bytes() == (tmp_path / "out.nir").read_bytes()


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


def plain(nodes, **options):
    given = {"name": "t", "steps": 4, "channels": 1, "classes": 2, "mean": (0.0,), "std": (1.0,)}
    return FloatNetwork(nodes=tuple(nodes), **{**given, "size": (6, 6), **options})


def small(lif, *, seed=0, kernel=3, **options):
    rng = np.random.default_rng(seed)

    def layer(name, source, out, inputs, side):
        weight = rng.normal(size=(out, inputs, side, side)).astype(np.float32)
        norm = [rng.normal(size=out).astype(np.float32) for _ in range(3)]
        var = rng.uniform(2, 9, out).astype(np.float32)
        pad = side // 2 if side == 3 else 0
        return [
            Conv(name=name, source=source, weight=weight, binary=source != IMAGE, padding=pad),
            BatchNorm(
                name=f"{name}b",
                source=name,
                weight=norm[0] + 2,
                bias=norm[1] + 1,
                mean=norm[2],
                var=var,
            ),
        ]

    head = rng.normal(size=(2, 5)).astype(np.float32)
    bias = np.ones(2, np.float32)
    nodes = [
        *layer("a", IMAGE, 4, 1, 3),
        dataclasses.replace(lif, name="sa", source="ab"),
        *layer("c", "sa", 5, 4, kernel),
        dataclasses.replace(lif, name="sc", source="cb"),
        MeanTokens(name="mean", source="sc", over_steps=False),
        Linear(name="head", source="mean", weight=head, bias=bias),
        MeanSteps(name="logits", source="head"),
    ]
    return plain(nodes, **options)


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


def test_quantised_states_are_not_lost_silently(tmp_path):
    net = load(tmp_path, residual_state(channels=2), image_size=(8, 8))
    with pytest.raises(SpikeloomError) as caught:
        sw.nir.save(net, tmp_path / "out.nir")
    text = str(caught.value)
    assert "net: NIR has no node for the 4-bit states of 7 layers of neurons" in text
    assert "lossy=True (--lossy)" in text
    assert not (tmp_path / "out.nir").exists()
    graph = sw.nir.to_graph(net, lossy=True)
    assert graph.nodes["lif1"].metadata == {"state_bits": 4, "alpha": 1.0}


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


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    """What HDF5 says of a full disk is many lines; the error is one, and an older file stays."""
    net = load(tmp_path, residual_state(channels=2), image_size=(8, 8))
    out = tmp_path / "out" / "net.nir"
    out.parent.mkdir()
    out.write_text("older", encoding="utf-8")

    class Full:
        def __getattr__(self, name):
            return getattr(nir, name)

        def write(self, path, graph):
            path.write_bytes(b"half")
            raise OSError("Can't write\n (errno = 28, error message = 'No space left on device')")

    monkeypatch.setattr("sw.frontend.nir.write._package", Full)
    with pytest.raises(SpikeloomError) as error:
        sw.nir.save(net, out, lossy=True)
    assert str(error.value) == (
        f"{out}: cannot be written (No space left on device); check space and permissions"
    )
    assert [p.name for p in out.parent.iterdir()] == ["net.nir"]
    assert out.read_text(encoding="utf-8") == "older"


def test_edited_weights_win_over_the_metadata(tmp_path):
    """The arrays are what counts: 8 bits are told only of weights that still have them."""
    net = load(tmp_path, residual_state(channels=2), image_size=(8, 8))
    graph = sw.nir.to_graph(net, lossy=True)
    graph.nodes["conv1"].weight[0, 0, 0, 0] += 0.01
    nir.write(tmp_path / "out.nir", graph)
    conv = sw.load(tmp_path / "out.nir").nodes[0]
    assert conv.weight_bits is None
    np.testing.assert_array_equal(conv.weight, graph.nodes["conv1"].weight)


def test_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = str(FIXTURES / "q8.weights.npz")
    to = ["--out", "q8.nir"]
    assert main([source, *to, "--image-size", "28"]) == 1
    assert "--lossy" in capsys.readouterr().err
    assert main([source, *to, "--image-size", "28", "--lossy", "--dt", "0.001"]) == 0
    assert capsys.readouterr().out.endswith("written: q8.nir\n")
    assert main(["q8.nir", "--steps", "3"]) == 0
    shown = capsys.readouterr().out
    for line in (
        "q8: NIR graph, 10 layers of weights",
        "76288 binary",
        "steps            3",
        "dt               0.001",
        "state_bits       8",
    ):
        assert line in shown
    back = sw.load("build/convert/q8.nir")
    assert (back.steps, back.meta["dt"]) == (3, 0.001)
    assert main(["q8.nir", "--out", "q8.safetensors"]) == 1
    assert "wanted '.nir'; name the output so" in capsys.readouterr().err
    assert main([source, "--out", "q8.safetensors", "--lossy"]) == 1
    assert "lossy is for making .nir files" in capsys.readouterr().err
    assert main(["q8.nir", "--out", "q8.nir"]) == 1
    assert "is the checkpoint itself" in capsys.readouterr().err


def test_fixture_lowers_to_the_same_integers(tmp_path):
    net = sw.load(FIXTURES / "q8.weights.npz", image_size=28)
    with np.load(FIXTURES / "q8.io.npz") as io:
        images = io["images"][:16]
    want, got = (n.lower().run(images) for n in (net, there_and_back(tmp_path, net)))
    np.testing.assert_array_equal(got.logits, want.logits)
    assert got.scale == want.scale
