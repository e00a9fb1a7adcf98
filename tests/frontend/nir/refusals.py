"""NIR files with faults, and what loading them says."""

import pytest

import sw
from hw.common.errors import SpikeloomError

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
from tests.frontend.nir.reference import Maker  # noqa: E402

GIVEN = {"steps": 2, "dt": 1e-4, "mean": 0.0, "std": 1.0}


def maker():
    make = Maker((2, 6, 6)).conv("c", 4, binary=False).lif("a").conv("d", 4).lif("b")
    return make.flatten().affine("head", 3)


def refuse(path, *parts, **options):
    with pytest.raises(SpikeloomError) as caught:
        sw.load(path, **{**GIVEN, **options})
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    for part in parts:
        assert part in text, text
    return text


def write(path, make, **change):
    """Write with fields of nodes changed: name=dict(field=value)."""
    graph = make.graph()
    for name, fields in change.items():
        for key, value in fields.items():
            setattr(graph.nodes[name], key, value)
    nir.write(path, graph)
