"""Layers of a NIR graph one by one, from its input to its output."""

import numpy as np
import pytest

from sw.graph import Linear

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from tests.frontend.nir.reading import compare, named  # noqa: E402
from tests.frontend.nir.reference import Maker  # noqa: E402
from tests.frontend.nir.refusals import maker, refuse, write  # noqa: E402


def test_inputs_and_outputs(path):
    make = maker().add("in2", nir.Input(np.array([4, 6, 6])), (4, 6, 6), "in")
    make.edges.remove(("in", "in2"))
    make.last, make.shape = "head", (3,)
    make.edges.append(("in2", "a"))
    write(path, make)
    refuse(path, "2 Input nodes (in, in2), wanted one")
    make = maker()
    make.nodes["in"] = nir.Input(np.array([3, 2, 6, 6]))
    write(path, make)
    refuse(path, "in (Input): shape is (3, 2, 6, 6), wanted (channels, height, width)")
    write(path, maker(), out={"output_type": {"output": np.array([4])}})
    with h5py.File(path, "a") as file:
        file["node/nodes/out/shape"][()] = 4
    refuse(path, "out (Output): says (4,) and gets (3,)")
    make = Maker((1, 4, 4)).conv("c", 2).lif("a")
    write(path, make)
    refuse(path, "out (Output): gets (2, 4, 4), wanted one value for each class")


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
