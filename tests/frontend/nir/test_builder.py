"""The float graph in the making: names, sums, and pools that were put off."""

import numpy as np
import pytest

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from sw.frontend.nir.builder import Builder, Value  # noqa: E402
from sw.frontend.nir.file import NIRFile, NIRNode  # noqa: E402
from sw.frontend.nir.structure import Structure  # noqa: E402
from sw.frontend.nir.values import UnreadableError  # noqa: E402
from sw.graph import IMAGE, AveragePool, Flatten  # noqa: E402
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


def builder(edges):
    """Of a chain of nodes; every one is an output of maps that a test gives."""
    pairs = tuple(tuple(edge) for edge in edges.split())
    names = dict.fromkeys(name for pair in pairs for name in pair)
    kinds = {"i": "Input", "o": "Output"}
    nodes = {n: NIRNode(name=n, kind=kinds.get(n, "LIF"), fields={"r": 1}) for n in names}
    structure = Structure(NIRFile(nodes=nodes, edges=pairs, metadata={}, version="", faults=()))
    assert structure.faults() == []
    return Builder(structure, None)


def test_names_are_free_and_those_of_nodes_are_kept_for_them():
    made = builder("ia ao")
    flat = Flatten(name="a", source=IMAGE)
    assert made.put(flat, own=False) == "a_"
    assert made.put(flat) == "a"
    assert made.put(flat) == "a__"
    assert made.put(Flatten(name=IMAGE, source=IMAGE)) == f"{IMAGE}_"
    assert [n.name for n in made.nodes] == ["a_", "a", "a__", f"{IMAGE}_"]


def test_a_sum_that_two_nodes_read_is_made_once():
    made = builder("ia ib ac bc ad bd co do")
    spiking = Value(tensor="a", map=(2, 3, 3), spikes=True)
    made.values = {"a": spiking, "b": Value(tensor="b", map=(2, 3, 3))}
    first = made.sum(made.structure.nodes["c"])
    again = made.sum(made.structure.nodes["d"])
    assert (first.tensor, again.tensor) == ("c.sum", "c.sum")
    assert (first.map, first.spikes) == ((2, 3, 3), False)
    assert [(n.name, n.branch, n.stream) for n in made.nodes] == [("c.sum", "a", "b")]


def test_one_edge_is_no_sum():
    made = builder("ia ao")
    value = Value(tensor="x", map=(1, 2, 2), gain=np.ones((1, 1, 1)), spikes=True)
    made.values = {"i": value}
    assert made.sum(made.structure.nodes["a"]) is value
    assert made.nodes == []


def test_shapes_as_nir_has_them():
    assert Value(tensor="x", map=(2, 3, 4)).shape == (2, 3, 4)
    assert Value(tensor="x", map=(2, 3, 4), flat=True).shape == (24,)
    assert Value(tensor="x", map=None, flat=True).shape is None


def test_pools_that_were_put_off_are_written_where_they_are_read():
    made = builder("ia ao")
    value = Value(tensor="x", map=(2, 1, 1), pool=("p", 3, 3))
    assert made.tensor(value) == "p"
    assert made.nodes == [AveragePool(name="p", source="x", size=3)]
    with pytest.raises(UnreadableError, match="p averages 3x4 pixels for other than the last"):
        made.tensor(Value(tensor="x", map=(2, 1, 1), pool=("p", 3, 4)))
