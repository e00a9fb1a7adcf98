"""Q-SNN against what the authors' code computed."""

import numpy as np
import pytest

import sw
from sw.graph import LIF
from tests.fixtures import FIXTURES

pytest.importorskip("torch")

MODES = {"alpha1": (1.0, 64), "batch64": ("batch", 64), "batch1": ("batch", 1)}
SPIKES = {"alpha1": "q8.spikes_alpha1.npz", "batch1": "q8.spikes.npz"}


def archive(part):
    return np.load(FIXTURES / f"q8.{part}.npz", allow_pickle=False)


@pytest.fixture(scope="module", params=list(MODES))
def case(request):
    alpha, batch = MODES[request.param]
    net = sw.load(FIXTURES / "q8.weights.npz", alpha=alpha)
    io = archive("io")
    names = [node.name for node in net.nodes if isinstance(node, LIF)]
    return request.param, net, io, net.run(io["images"], trace=[*names, "fc.ops"], batch=batch)


def test_logits_of_every_step_equal(case):
    mode, _, io, result = case
    want = io[f"logits_t_{mode}"]
    np.testing.assert_allclose(result.trace["fc.ops"], want, atol=1e-4, rtol=0)
    np.testing.assert_allclose(result.logits, want.mean(0), atol=1e-4, rtol=0)
    np.testing.assert_array_equal(result.predictions, io[f"pred_{mode}"])


@pytest.mark.parametrize("case", list(SPIKES), indirect=True)
def test_every_spike_equal(case):
    mode, net, _, result = case
    with np.load(FIXTURES / SPIKES[mode]) as spikes:
        names = [key for key in spikes.files if key != "image_rows"]
        assert names == [node.name for node in net.nodes if isinstance(node, LIF)]
        for key in names:
            rows = spikes["image_rows"]
            np.testing.assert_array_equal(result.trace[key][:, rows], spikes[key], key)


def test_alpha_is_one_by_default():
    net = sw.load(FIXTURES / "q8.weights.npz")
    assert {n.alpha for n in net.nodes if isinstance(n, LIF)} == {1.0}


def test_measured_alpha_is_that_of_all_images():
    net, images = sw.load(FIXTURES / "q8.weights.npz"), archive("io")["images"]
    alphas = net.measure_alpha(images, batch=50)
    assert list(alphas) == [node.name for node in net.nodes if isinstance(node, LIF)]
    assert all(0.9 < alpha <= 1 for alpha in alphas.values())
    assert alphas == net.measure_alpha(images, batch=64)
    batch = net.with_alpha("batch").run(images, batch=64)
    np.testing.assert_array_equal(
        net.with_alpha(net.with_alpha("batch").measure_alpha(images)).run(images).predictions,
        batch.predictions,
    )


def test_sizes_are_told_back():
    net = sw.load(FIXTURES / "q8.weights.npz")
    assert (net.steps, net.channels, net.classes, net.mean, net.std) == (2, 1, 10, (0.0,), (1.0,))
    told = ("variant", "stem", "blocks", "widths", "membrane_bits")
    assert [net.meta[k] for k in told] == ["resnet", "3x3 to 16", [1, 1, 1], [16, 32, 64], 8]
