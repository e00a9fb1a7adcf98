"""The float network against what the authors' code computed."""

import dataclasses

import numpy as np
import pytest

import sw
from tests.fixtures import FIXTURES

NAMES = ["best_digits", "best_kv_a"]


def archive(name):
    return np.load(FIXTURES / name, allow_pickle=False)


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    pytest.importorskip("torch")
    name = request.param
    net = sw.load(FIXTURES / f"{name}.weights.npz")
    io = archive(f"{name}.io.npz")
    return name, net, io, net.run(io["images"], trace=True)


def test_sizes_are_told_by_the_file(case):
    name, net, _, _ = case
    assert (net.steps, net.classes, net.channels) == ((2 if name == "best_digits" else 4), 10, 1)
    assert net.size == ((16, 16) if name == "best_digits" else (64, 64))
    assert net.meta["attention"] == ("qk" if name == "best_digits" else "kv")


def test_logits_equal(case):
    _, _, io, result = case
    want = (io["head"] + io["head2"]) / 2
    np.testing.assert_allclose(result.logits, want, atol=1e-4, rtol=0)


def test_every_spike_equal(case):
    name, _, _, result = case
    with archive(f"{name}.spikes.npz") as spikes:
        rows = spikes["image_rows"]
        names = [key for key in spikes.files if key != "image_rows"]
        assert set(names) == set(result.trace)
        for key in names:
            np.testing.assert_array_equal(result.trace[key][:, rows], spikes[key], key)


def test_predictions_of_the_whole_test_split(case):
    _, net, io, _ = case
    result = net.run(io["test_images"])
    np.testing.assert_array_equal(result.predictions, io["test_pred"])
    want = (io["test_head"] + io["test_head2"]) / 2
    np.testing.assert_allclose(result.logits, want, atol=1e-4, rtol=0)


def test_size_is_bound_late(case):
    _, net, io, result = case
    free = dataclasses.replace(net, size=None)
    np.testing.assert_array_equal(free.run(io["images"]).logits, result.logits)
