"""NIR graphs as other tools write them, against NIR's equations in plain loops."""

import warnings

import numpy as np
import pytest

import sw

nir = pytest.importorskip("nir")
pytest.importorskip("torch")
from tests.frontend.nir.reference import simulate  # noqa: E402

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
