"""Nodes and edges as a graph: faults, order, and what comes last."""

import numpy as np
import pytest

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
from sw.frontend.nir.file import NIRFile, NIRNode  # noqa: E402
from sw.frontend.nir.structure import Structure  # noqa: E402
from tests.frontend.nir.refusals import maker, refuse, write  # noqa: E402


def test_edges(path):
    make = maker()
    make.edges += [("a", "nowhere"), ("ghost", "b"), ("c", "a")]
    write(path, make)
    refuse(
        path,
        "edge a -> nowhere names nowhere, which is no node",
        "edge ghost -> b names ghost, which is no node",
        "edge c -> a is there 2 times",
    )
    make = maker()
    make.edges += [("b", "d")]
    write(path, make)
    refuse(path, "recurrent connections through b, d")
    make = maker()
    make.edges.remove(("d", "b"))
    write(path, make)
    refuse(path, "nothing feeds b (LIF)", "d (Conv2d) leads nowhere")
    make = maker()
    make.edges += [("a", "in"), ("out", "c")]
    write(path, make)
    refuse(path, "a feeds in (Input)", "out (Output) leads on to c")
    write(path, maker())
    with h5py.File(path, "a") as file:
        del file["node/edges"]
        file["node/edges"] = np.ones((3, 3))
    refuse(path, "edges are float64 (3, 3), wanted pairs of names")


def structure(edges, **kinds):
    """Of edges as "ab bc", with "i" as the input and "o" as the output unless told otherwise."""
    pairs = tuple(tuple(edge) for edge in edges.split())
    names = dict.fromkeys(name for pair in pairs for name in pair)
    kinds = {"i": "Input", "o": "Output", **kinds}
    nodes = {n: NIRNode(name=n, kind=kinds.get(n, "LIF"), fields={"r": 1}) for n in names}
    return Structure(NIRFile(nodes=nodes, edges=pairs, metadata={}, version="", faults=()))


def test_depth_is_the_longest_way_from_the_input():
    found = structure("ia ab bc ac co")
    assert found.faults() == []
    assert found.depth == {"i": 0, "a": 1, "b": 2, "c": 3, "o": 4}
    assert found.sources["c"] == ["b", "a"]
    assert found.readers["a"] == ["b", "c"]


@pytest.mark.parametrize("edges", ["ia ab bc ac co", "ac ia co bc ab"])
def test_order_follows_the_longer_branch_first(edges):
    found = structure(edges)
    found.faults()
    assert found.branches("c") == ["b", "a"]
    assert found.order() == list("iabco")


def test_order_of_branches_as_long_is_that_of_their_edges():
    found = structure("ia ib bc ac co")
    found.faults()
    assert found.branches("c") == ["b", "a"]
    assert found.order() == list("ibaco")


def test_rings_are_told_without_what_hangs_on_them():
    found = structure("ia ab bc ca cd do")
    assert found.faults() == ["recurrent connections through a, b, c"]
    assert "recurrent connections through a" in structure("ia aa ao").faults()


def test_inputs_and_outputs_are_one_each():
    assert structure("ia ao", a="Input").faults() == [
        "2 Input nodes (i, a), wanted one",
        "i feeds a (Input)",
    ]
    assert "0 Output nodes (), wanted one" in structure("ia ao", o="LIF").faults()
    assert "o (LIF) leads nowhere" in structure("ia ao", o="LIF").faults()


@pytest.mark.parametrize(
    ("edges", "kinds", "last"),
    [
        ("ia ah ho", {}, True),
        ("ia ah hs so", {"s": "Scale"}, True),
        ("ia ah hs st to", {"s": "Scale", "t": "Scale"}, True),
        ("ia ah hb bo", {}, False),
        ("ia ah ho hb bo", {}, False),  # others read it too
        ("ia ah ho ao", {}, False),  # and the output reads more
    ],
)
def test_the_last_layer_is_what_the_output_reads_alone(edges, kinds, last):
    found = structure(edges, **kinds)
    assert found.is_last(found.nodes["h"]) == last
