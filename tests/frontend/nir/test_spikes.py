"""Neurons and pools of a NIR graph."""

import numpy as np
import pytest

import sw
from sw.graph import LIF, MaxPool, MeanTokens

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from tests.frontend.nir.reading import compare, named  # noqa: E402
from tests.frontend.nir.reference import Maker  # noqa: E402
from tests.frontend.nir.refusals import GIVEN, refuse, write  # noqa: E402


def test_pools_that_are_refused(path):
    def build(add):
        make = Maker((1, 6, 8)).conv("c", 2, binary=False).lif("a")
        add(make)
        write(path, make.flatten().affine("head", 2))

    avg, total = nir.AvgPool2d, nir.SumPool2d
    build(lambda m: m.pool("p", avg, 3, 2))
    refuse(path, "p (AvgPool2d): its window is (3, 3), its stride (2, 2); wanted squares")
    build(lambda m: m.pool("p", avg, (2, 4)))
    refuse(path, "p (AvgPool2d): its window is (2, 4)")
    build(lambda m: m.pool("p", avg, 2, 2, 1))
    refuse(path, "p (AvgPool2d): pads by (1, 1), wanted 0")
    build(lambda m: m.pool("p", avg, 9, 9))
    refuse(path, "p (AvgPool2d): its window (9, 9) exceeds (2, 6, 8)")
    build(lambda m: m.pool("p", avg, (6, 8)).conv("d", 2, k=1, padding=0).lif("b"))
    refuse(path, "d (Conv2d): p averages 6x8 pixels for other than the last linear layer")
    build(lambda m: m.pool("p", total, 2).lif("b").pool("q", avg, 2))
    sw.load(path, **GIVEN)  # one factor for all goes into the threshold

    def threshold(m, value):
        return m.add("t", nir.Threshold(threshold=np.full(m.shape, value)), m.shape)

    build(lambda m: threshold(m.pool("p", total, 2), 1.5))
    refuse(path, "p (SumPool2d): with t (Threshold) after it counts more than 1.5 in a window")
    build(lambda m: threshold(m.pool("p", total, 2, 2, 2), 0.5))
    refuse(path, "p (SumPool2d): pads a window of 2 by 2, wanted half at most")
    build(lambda m: threshold(m, 0.5))
    refuse(path, "t (Threshold): is read only after a SumPool2d of spikes")
    flat = avg(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.zeros(2, int))
    build(lambda m: m.flatten("early").add("p", flat, (96,)))
    refuse(path, "p (AvgPool2d): reads (96,), wanted (channels, height, width)")


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
