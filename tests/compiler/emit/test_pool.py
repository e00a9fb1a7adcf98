"""The instruction of a pool of spikes."""

import pytest

from sw.network import SpikePool
from tests.compiler.nets import conv, mean, network, pixel, refused


@pytest.mark.parametrize("how", [{"stride": 2}, {"pool": 2}])
def test_pool_before_halving(how):
    net = network(
        pixel(), SpikePool(name="pool", source="p"), conv("a", "pool", **how), mean("a.s")
    )
    refused(net, "a pool cannot feed layers of stride 2 or with pool 2")
