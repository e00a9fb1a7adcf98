"""NIR graphs, as other tools write them, against NIR's equations in plain loops."""

import warnings

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.agree import Reference
from sw.graph import LIF, Conv, Linear, MaxPool, MeanTokens

nir = pytest.importorskip("nir")
pytest.importorskip("torch")
from tests.frontend.nir.reference import Maker, simulate  # noqa: E402

TOLD = {"steps": 4, "dt": 1e-4, "mean": 0.2, "std": 0.5}


def compare(tmp_path, maker, *, real=False, **options):
    """Every neuron's spikes and the logits; the loaded network."""
    path = tmp_path / "net.nir"
    maker.write(path)
    graph = nir.read(path, type_check=False)
    told = {**TOLD, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if real else "error")
        net = sw.load(path, **told)
    channels, height, width = (*graph.nodes["in"].input_type["input"], 1, 1)[:3]
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 256, (3, net.steps, channels, height, width), dtype=np.uint8)
    got = net.run(frames, trace=True)
    x = (frames.transpose(1, 0, 2, 3, 4) / 255 - told["mean"]) / told["std"]
    want = simulate(graph, x, told["dt"])
    neurons = [n for n, v in graph.nodes.items() if isinstance(v, nir.LIF | nir.IF)]
    assert sorted(got.trace) == sorted(neurons)
    for name in neurons:
        assert 0.02 < want[name].mean() < 0.9, f"{name} tells nothing at {want[name].mean()}"
        spikes = got.trace[name].reshape(want[name].shape)
        np.testing.assert_array_equal(spikes, want[name], name)
    np.testing.assert_allclose(got.logits, want["out"].mean(0), atol=1e-5)
    return net


def named(net, name):
    return next(n for n in net.nodes if n.name == name)


@pytest.mark.parametrize("tau", [2e-4, 1e-4, 3.7e-4])
@pytest.mark.parametrize("gain", ["one", "cancels", "other"])
def test_neurons(tmp_path, tau, gain):
    """R of 1 is an input that decays, R of tau / dt one that does not; others move theta."""
    r = {"one": 1.0, "cancels": tau / 1e-4, "other": 3.0}[gain]
    make = Maker((2, 5, 4)).conv("first", 4, binary=False).lif("a", tau=tau, r=r)
    make.conv("second", 6, spread=0.5).lif("b", tau=tau, r=r, threshold=0.7).flatten()
    net = compare(tmp_path, make.affine("head", 3))
    lif = named(net, "b")
    steps = tau / 1e-4
    if gain == "cancels" and steps > 1:
        assert (lif.decay_input, lif.theta) == (False, float(np.float32(0.7)))
        assert lif.tau == pytest.approx(1 / (1 - 1 / steps), abs=1e-6)
    else:
        assert (lif.decay_input, lif.tau) == (True, pytest.approx(steps, abs=1e-6))
        assert lif.theta == pytest.approx(0.7 / (3.0 if gain == "other" else 1.0))
    assert (lif.strict, lif.soft, lif.state_bits) == (True, False, None)


def test_round_ratios_are_exact(tmp_path):
    """float32(2e-4) / 1e-4 is 2 and not 1.99999999."""
    make = Maker((1, 3, 3)).conv("c", 2, binary=False).lif("a").conv("d", 2).lif("b", r=2.0)
    net = compare(tmp_path, make.flatten().affine("head", 2))
    assert [(n.tau, n.theta, n.decay_input) for n in net.nodes if isinstance(n, LIF)] == [
        (2.0, 1.0, True),
        (2.0, 1.0, False),
    ]


def test_a_membrane_at_the_threshold_stays_silent(tmp_path):
    make = Maker((1, 1, 1)).conv("c", 1, k=1, padding=0, weight=np.ones((1, 1, 1, 1)))
    make.nodes["c"].bias[:] = 0
    make.lif("a", tau=1e-4).flatten().affine("head", 1)
    make.write(tmp_path / "net.nir")
    net = sw.load(tmp_path / "net.nir", steps=1, dt=1e-4, mean=0, std=1)
    white = np.full((1, 1, 1), 255, np.uint8)
    assert net.run(white, trace=True).trace["a"].sum() == 0


def test_integrate_and_fire(tmp_path):
    make = Maker((2, 4, 5), 3).conv("first", 3, binary=False).fires("a", r=1e4, threshold=1.5)
    make.conv("second", 5, spread=0.4).fires("b", r=2e4).flatten().affine("head", 3)
    net = compare(tmp_path, make)
    assert [(n.tau, n.theta) for n in net.nodes if isinstance(n, LIF)] == [(1.0, 1.5), (1.0, 0.5)]


def test_binary_layers_are_found(tmp_path):
    make = Maker((2, 6, 6)).conv("first", 4).lif("a").conv("second", 4, stride=2).lif("b")
    make.conv("third", 6, spread=0.8).lif("c").flatten().affine("head", 5)
    make.nodes["third"].weight[2] = 0  # any filter times 0
    net = compare(tmp_path, make)
    assert [n.binary for n in net.nodes if isinstance(n, Conv)] == [False, True, True]
    assert set(np.unique(named(net, "second").weight)) == {-1, 1}
    scale = np.abs(make.nodes["second"].weight[:, 0, 0, 0])
    np.testing.assert_array_equal(named(net, "second.bn").weight, scale)
    assert net.meta["real_layers"] == 0


def test_real_layers_run_and_are_told(tmp_path):
    """Several magnitudes, or one sign only: exact in float, and lowering says why not."""
    make = Maker((1, 5, 5)).conv("first", 4, binary=False).lif("a")
    make.conv("second", 4, binary=False, spread=0.5).lif("b")
    one = np.full((4, 4, 3, 3), 0.1)
    one[1:, 0] *= -1
    make.conv("third", 4, weight=one).lif("c").flatten().affine("head", 3)
    net = compare(tmp_path, make, real=True)
    with pytest.warns(UserWarning, match=r"net\.nir: real-valued between neurons") as caught:
        sw.load(tmp_path / "net.nir", **TOLD)
    text = str(caught[0].message)
    assert "second: output channel 0, 1, 2, 3 has weights of several magnitudes" in text
    assert "third: output channel 0 has weights of one sign only" in text
    assert net.meta["real_layers"] == 2


def test_residual_sums(tmp_path):
    """Edges add: spikes, a projection, and a sum that two nodes read."""
    make = Maker((2, 6, 5), 2).conv("first", 4, binary=False).lif("s0")
    make.conv("a1", 4).lif("s1", threshold=0.6).conv("a2", 4, spread=0.3)
    make.lif("s2", "a2", "s0")
    shape = make.shape
    make.conv("b1", 6, stride=2).lif("s3").conv("b2", 6, spread=0.3)
    make.conv("short", 6, k=1, padding=0, stride=2, source="s2", shape=shape)
    make.lif("s4", "short", "b2")
    make.conv("c1", 6, spread=0.3).lif("s5", "c1", "short", "b2").flatten().affine("head", 4)
    net = compare(tmp_path, make)
    adds = {n.name: (n.branch, n.stream) for n in net.nodes if type(n).__name__ == "Add"}
    assert adds["s2.sum"] == ("a2.bn", "s0")
    assert adds["s4.sum"] == ("b2.bn", "short.bn")  # the longer way is the branch
    names = [n.name for n in net.nodes]
    assert names.index("a2.bn") < names.index("s2.sum") < names.index("s2")


def test_pools(tmp_path):
    make = Maker((2, 12, 8), 1).conv("first", 4, binary=False).lif("a")
    make.pool("or", nir.SumPool2d, 3, 2, 1)
    threshold = nir.Threshold(threshold=np.full(make.shape, 0.5))
    make.add("above", threshold, make.shape).conv("second", 6, spread=0.5).lif("b")
    make.pool("quarters", nir.AvgPool2d, 2).conv("third", 6).lif("c")
    make.pool("counts", nir.SumPool2d, (3, 2)).flatten().affine("head", 3)
    net = compare(tmp_path, make)
    assert (named(net, "or").size, named(net, "or").stride) == (3, 2)
    assert isinstance(named(net, "or"), MaxPool)
    assert isinstance(named(net, "counts"), MeanTokens)
    assert not any("above" in n.name for n in net.nodes)


def test_sums_of_windows_go_into_the_next_weights(tmp_path):
    make = Maker((1, 9, 8), 1).conv("first", 4, binary=False).lif("a")
    make.pool("sum", nir.SumPool2d, 2).conv("second", 6, spread=0.3).lif("b")
    make.flatten().affine("head", 3)
    net = compare(tmp_path, make)
    assert named(net, "second").binary
    want = 4 * np.abs(make.nodes["second"].weight[:, 0, 0, 0])
    np.testing.assert_array_equal(named(net, "second.bn").weight, want)


def test_scales(tmp_path):
    """After a layer into it, before one into its weights, before a neuron into its threshold."""
    make = Maker((2, 4, 4), 4).scale("bright", 1.5).conv("first", 4, binary=False)
    make.scale("after", np.linspace(0.5, 2, 4).reshape(4, 1, 1)).lif("a")
    make.scale("before", 0.5).conv("second", 4, spread=0.5).lif("b")
    shape = make.shape
    make.conv("third", 4, spread=0.3, source="b", shape=shape)
    make.add("both", nir.Scale(scale=np.full(shape, 2.0)), shape, "third", "a").lif("c")
    make.flatten().affine("head", 3).scale("temperature", [1.0, 2.0, -1.0])
    net = compare(tmp_path, make)
    assert named(net, "second").binary
    assert named(net, "c").theta == 0.5
    np.testing.assert_allclose(
        named(net, "head").weight,
        make.nodes["head"].weight * [[1], [2], [-1]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("ends", ["neurons", "values"])
def test_fully_connected_nets(tmp_path, ends):
    """Hidden linear layers are convolutions over the whole map; neurons may be the output."""
    make = Maker((3, 2, 4), 2).flatten().affine("one", 12).lif("a").affine("two", 8, binary=True)
    make.lif("b", threshold=0.4)
    make.affine("three", 4, binary=ends == "neurons", bias=False)
    if ends == "neurons":
        make.nodes["three"].weight[:] = np.abs(make.nodes["three"].weight)
        make.nodes["three"].weight[:, ::3] *= -1
    if ends == "neurons":
        make.lif("c", threshold=0.1)
    net = compare(tmp_path, make)
    assert named(net, "two").weight.shape == (8, 12, 1, 1)
    assert named(net, "two").binary
    assert isinstance(net.nodes[-2], Linear)
    np.testing.assert_array_equal(
        net.nodes[-2].weight, np.eye(4) if ends == "neurons" else make.nodes["three"].weight
    )


def test_flat_input(tmp_path):
    make = Maker((6,), 3).affine("one", 8).lif("a").affine("two", 3)
    net = compare(tmp_path, make)
    assert (net.channels, net.size) == (6, (1, 1))


def test_average_of_a_whole_map_before_neurons(tmp_path):
    make = Maker((1, 4, 4), 3).conv("first", 6, binary=False).lif("a")
    make.pool("mean", nir.AvgPool2d, 4).conv("second", 5, k=1, padding=0).lif("b", threshold=0.3)
    compare(tmp_path, make.flatten().affine("head", 2))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding(tmp_path, padding):
    make = Maker((1, 5, 6), 3).conv("first", 3, binary=False, padding=padding).lif("a")
    compare(tmp_path, make.flatten().affine("head", 2))


def test_names_that_are_taken(tmp_path):
    make = Maker((1, 3, 3), 1).conv("image", 3, binary=False).lif("image.bn")
    net = compare(tmp_path, make.flatten("head.flatten").affine("logits", 2))
    assert len({n.name for n in net.nodes}) == len(net.nodes)


def test_quantised_states_by_option(tmp_path):
    make = Maker((1, 3, 3), 1).conv("c", 3, binary=False).lif("a", r=2.0)
    make.flatten().affine("head", 2).write(tmp_path / "net.nir")
    net = sw.load(tmp_path / "net.nir", membrane_bits=4, alpha=0.9, **TOLD)
    assert (named(net, "a").state_bits, named(net, "a").alpha) == (4, 0.9)


def test_json_file_beside_the_graph(tmp_path):
    make = Maker((1, 3, 3), 1).conv("c", 3, binary=False).lif("a")
    make.flatten().affine("head", 2).write(tmp_path / "net.nir")
    told = '{"steps": 3, "dt": 0.0001, "mean": 0.5, "std": 0.25, "name": "n"}'
    (tmp_path / "net.json").write_text(told, encoding="utf-8")
    net = sw.load(tmp_path / "net.nir")
    assert (net.name, net.steps, net.mean, net.std) == ("n", 3, (0.5,), (0.25,))
    assert sw.load(tmp_path / "net.nir", dt=5e-5).nodes[2].tau == 4.0


def test_metadata_of_others_is_not_read(tmp_path):
    make = Maker((1, 3, 3), 1).conv("c", 3, binary=False).lif("a").flatten().affine("head", 2)
    graph = make.graph()
    graph.metadata = {"steps": 3, "mean": "?", "std": {"deep": 1}}
    nir.write(tmp_path / "net.nir", graph)
    assert sw.load(tmp_path / "net.nir", **TOLD).steps == 4


def test_what_hardware_cannot_run_is_refused_by_lowering(tmp_path):
    make = Maker((1, 4, 4)).conv("first", 4, binary=False).lif("a", tau=3e-4)
    make.flatten().affine("head", 3).write(tmp_path / "net.nir")
    with pytest.raises(SpikeloomError, match="a cannot be lowered"):
        sw.load(tmp_path / "net.nir", **TOLD).lower()
    make = Maker((1, 4, 4)).conv("first", 4).lif("a").conv("second", 4, binary=False).lif("b")
    make.flatten().affine("head", 3).write(tmp_path / "net.nir")
    with pytest.warns(UserWarning, match="second: output channel"):
        net = sw.load(tmp_path / "net.nir", **TOLD)
    with pytest.raises(SpikeloomError, match="second cannot be lowered"):
        net.lower()


def test_a_net_without_quantised_states_lowers(tmp_path):
    make = Maker((1, 6, 6)).conv("first", 8, binary=False).lif("a").conv("second", 8).lif("b")
    make.conv("third", 8).lif("c").pool("mean", nir.AvgPool2d, 6).flatten().affine("head", 3)
    make.write(tmp_path / "net.nir")
    net = sw.load(tmp_path / "net.nir", **TOLD)
    images = np.random.default_rng(0).integers(0, 256, (16, 1, 6, 6), dtype=np.uint8)
    local = Reference(net, images, np.zeros(16, int)).compare(net.lower()).local_error
    assert list(local) == ["a", "b", "c"]
    assert max(local.values()) < 0.003
