"""Who writes and who reads each tensor."""

from sw.network import SpikePool
from tests.compiler.nets import mean, network, pixel, refused


def test_mean_of_what_is_not_kept():
    net = network(pixel(), SpikePool(name="pool", source="p"), mean("pool"))
    refused(net, "layer 'pool': a mean can sum spikes of convolutions only, but it reads 'pool'")
