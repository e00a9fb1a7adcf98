"""Binary convolutions, what is added to them, and averages that they read."""

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from tests.lower.small import identity, neuron, single


def test_the_quarter_of_an_average_lies_in_the_factor(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import POOLED, qsnn

    net = qsnn(tmp_path, **POOLED)
    layer = net.lower().layers[1]
    a, _ = next(n for n in net.nodes if n.name == "features.2.fwd.module.1").folded()
    scale = next(n for n in net.nodes if n.name == "features.2.fwd.module.0").scale
    unit = 4064 * 2.0**layer.affine.shift
    np.testing.assert_allclose(layer.affine.factor, a * scale / 4 * unit, atol=0.5)


AVERAGE = g.AveragePool(name="p", source="s")


def test_strided_reader_of_averages_is_refused():
    weight = np.array([1, -1], dtype=np.float32).reshape(1, 1, 2, 1).repeat(3, axis=3)
    weight = np.concatenate([weight, weight[:, :, :1]], axis=2)
    conv = g.Conv(name="d", source="p", weight=weight, binary=True, padding=1, stride=2)
    middle = (AVERAGE, conv, identity("e", "d"), neuron("t", "e"))
    with pytest.raises(SpikeloomError, match="strides over the averages"):
        single(1.0, side=4, middle=middle).lower()
