"""Nodes and edges as a graph: faults, order, and what comes last."""

import numpy as np
import pytest

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
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
