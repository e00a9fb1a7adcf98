"""Means, linear layers and logits."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g


def test_real_head_weights_are_rounded(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    nodes = tuple(
        dataclasses.replace(n, weight_bits=None) if isinstance(n, g.Linear) else n
        for n in net.nodes
    )
    network = dataclasses.replace(net, nodes=nodes).lower(head_weight_bits=6)
    assert np.abs(network.head.weight).max() == 31
    assert network.meta["head_weight_bits"] == 6


def test_images_of_another_size_are_refused(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import POOLED, qsnn

    net = qsnn(tmp_path, **POOLED)
    with pytest.raises(SpikeloomError, match=r"bring 192 values, it reads 288"):
        net.lower(size=(15, 11))
    with pytest.raises(SpikeloomError, match="pools 1x6 spikes to nothing"):
        net.lower(size=(3, 13))
