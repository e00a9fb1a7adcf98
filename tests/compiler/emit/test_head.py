"""The instruction of the last layer."""

import dataclasses

import pytest

from hw.arch.config import Config
from sw.testing import random_images, random_network


@pytest.mark.parametrize("sources", [("head2.mean",), ("head.mean",), ("head2.mean", "head.mean")])
def test_heads_may_read_the_means_in_any_order(sources, small, check):
    net = random_network(1, **small)
    *layers, first, second, head = net.layers
    means = [m for m in (second, first) if m.name in sources]
    size = small["dim"] * len(sources)
    head = dataclasses.replace(head, sources=sources, weight=head.weight[:, :size])
    check(net.replace(layers=(*layers, *means, head)), Config(), random_images(net, 1))
