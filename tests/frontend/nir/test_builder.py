"""The float graph in the making: names, sums, and pools that were put off."""

import numpy as np
import pytest

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from tests.frontend.nir.reading import compare  # noqa: E402
from tests.frontend.nir.reference import Maker  # noqa: E402
from tests.frontend.nir.refusals import refuse, write  # noqa: E402


def test_shapes_of_sums_and_of_what_is_not_flat(path):
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a").conv("d", 3).lif("b", "d", "a")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "b (LIF): reads a sum of (2, 4, 4) and (3, 4, 4)")
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a")
    make.add("head", nir.Linear(weight=np.ones((2, 32))), (2,))
    write(path, make)
    refuse(path, "head (Linear): reads (32,) and gets (2, 4, 4); put a Flatten before it")


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


def test_average_of_a_whole_map_before_neurons(tmp_path):
    make = Maker((1, 4, 4), 3).conv("first", 6, binary=False).lif("a")
    make.pool("mean", nir.AvgPool2d, 4).conv("second", 5, k=1, padding=0).lif("b", threshold=0.3)
    compare(tmp_path, make.flatten().affine("head", 2))


def test_names_that_are_taken(tmp_path):
    make = Maker((1, 3, 3), 1).conv("image", 3, binary=False).lif("image.bn")
    net = compare(tmp_path, make.flatten("head.flatten").affine("logits", 2))
    assert len({n.name for n in net.nodes}) == len(net.nodes)
