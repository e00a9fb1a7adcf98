"""``sw.nir`` is the writer of NIR graphs by a short name."""

import sw
from sw.frontend.nir import write


def test_names():
    assert sorted(sw.nir.__all__) == ["DT", "save", "to_graph"]
    for name in sw.nir.__all__:
        assert getattr(sw.nir, name) is getattr(write, name)
