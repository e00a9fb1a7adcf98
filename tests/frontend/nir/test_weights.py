"""Convolutions, linear layers and scales of a NIR graph."""

import numpy as np
import pytest

import sw
from sw.graph import Conv

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from tests.frontend.nir.reading import TOLD, compare, named  # noqa: E402
from tests.frontend.nir.reference import Maker  # noqa: E402
from tests.frontend.nir.refusals import maker, refuse, write  # noqa: E402


def test_scales_that_fit_nowhere(path):
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a")
    make.scale("s", np.linspace(1, 2, 32).reshape(2, 4, 4)).conv("d", 2).lif("b")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "d (Conv2d): reads pixels of different scale")
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a").scale("s", 0.5)
    make.conv("d", 2, source="a", shape=make.shape).lif("b", "d", "s")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "b (LIF): reads a sum of scaled tensors")
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a").scale("s", -1.0).lif("b")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "b (LIF): reads a sum or spikes times factors that differ or are not above 0")
    make = maker()
    make.add("s", nir.Scale(scale=np.ones(7)), make.shape)
    write(path, make)
    refuse(path, "s (Scale): scale is (7,), its input (3, 1, 1)")


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


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding(tmp_path, padding):
    make = Maker((1, 5, 6), 3).conv("first", 3, binary=False, padding=padding).lif("a")
    compare(tmp_path, make.flatten().affine("head", 2))
