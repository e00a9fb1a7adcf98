"""Float networks compared field by field."""

import numpy as np


def same(a, b):
    """Assert that two float networks have the same nodes and say the same of their images."""
    assert [n.name for n in a.nodes] == [n.name for n in b.nodes]
    for one, other in zip(a.nodes, b.nodes, strict=True):
        for field, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(other, field))
    told = ("name", "steps", "channels", "classes", "mean", "std", "size")
    assert [getattr(a, k) for k in told] == [getattr(b, k) for k in told]
