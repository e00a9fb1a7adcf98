"""Accuracy, agreement, local spike error and the cost of a frozen alpha on the stored Q-SNN."""

import numpy as np
import pytest

pytest.importorskip("torch")

import sw
from hw.common.errors import SpikeloomError
from sw.agree import Reference, alpha_table, fixture, main
from sw.data import load
from tests.fixtures import FIXTURES

STEM = FIXTURES / "q8"


@pytest.fixture(scope="module")
def net():
    return sw.load(FIXTURES / "q8.weights.npz")


@pytest.fixture(scope="module")
def few():
    return fixture(STEM)  # the stored images


@pytest.fixture(scope="module")
def reference(net, few):
    return Reference(net, few.images, few.labels, few.stored)


def test_floors_are_met(net, reference):
    got = reference.compare(net.lower(size=(28, 28)))
    assert got.faults == [], got.table()
    assert got.images == 64
    assert got.stored is not None
    assert got.stored >= 0.99


def test_local_error_has_a_margin(net, reference):
    got = reference.compare(net.lower(size=(28, 28)))
    assert got.worst < 0.0002, got.table()
    assert len(got.local_error) == 7


def test_eight_bit_first_weights_cost_spikes(net, reference):
    """8-bit weights times a real scale per channel do not fit 8-bit mantissas."""
    first = "lif1"
    narrow = reference.compare(net.lower(size=(28, 28), pixel_weight_bits=8)).local_error[first]
    usual = reference.compare(net.lower(size=(28, 28))).local_error[first]
    assert narrow > 4 * usual


def test_stored_spikes(net):
    """The authors' own spikes with alpha 1, layer by layer, given those before."""
    with np.load(FIXTURES / "q8.spikes_alpha1.npz") as stored:
        spikes = {k: stored[k] for k in stored.files if k != "image_rows"}
        rows = stored["image_rows"]
    with np.load(FIXTURES / "q8.io.npz") as io:
        images = io["images"][rows]
    network = net.lower(images)
    sums = [n for n in network.meta["units"] if n.endswith(".sum")]
    assert len(sums) == 2
    got = network.run(images, trace=True, feed=spikes).trace
    for name, wanted in spikes.items():
        assert (got[name] != wanted).mean() <= 0.0005, name


def test_freezing_alpha_costs_nothing(net, few):
    table = alpha_table(net, few.images, few.labels, few.images)
    assert table.faults == [], table.text()
    assert [row.what for row in table.rows] == [
        "of each batch of 64",
        "of each image",
        "1",
        "measured",
    ]
    assert all(0.98 < value <= 1 for value in table.measured.values())


def test_alpha_table_is_for_stored_membranes_only():
    with pytest.raises(SpikeloomError, match="leave --alpha out"):
        alpha_table(sw.load("digits"), np.zeros((1, 16, 16), np.uint8), np.zeros(1), None)


@pytest.mark.slow
def test_whole_test_split(net, need, capsys):
    """All 10000 images, where MNIST has been fetched; minutes: ``pytest -m slow``."""
    try:
        load("mnist")
    except SpikeloomError as error:
        need(None, str(error))
    assert main(["--fixture", str(STEM), "--alpha"]) == 0
    assert "10000 images" in capsys.readouterr().out
