"""The dense network: every weight is 1, and every neuron fires in every step."""

from typing import Any

from sw.network import BinaryLayer, PixelConv
from sw.testing import dense_network, random_images, random_residual_network

SHAPE: dict[str, Any] = {"height": 5, "width": 6, "channels": 2, "steps": 2, "classes": 4}


def test_everything_fires():
    network = random_residual_network(9, widths=(32, 64), blocks=(1, 1), **SHAPE)
    dense = dense_network(network)
    assert [type(layer) for layer in dense.layers] == [type(layer) for layer in network.layers]
    trace = dense.run(random_images(dense, 2), trace=True).trace
    fired = 0
    for layer in dense.layers:
        if isinstance(layer, BinaryLayer):
            assert layer.weight.all()
        if isinstance(layer, (BinaryLayer, PixelConv)) and layer.neuron is not None:
            assert trace[layer.neuron.name].all(), layer.name
            fired += 1
    assert fired >= 4
