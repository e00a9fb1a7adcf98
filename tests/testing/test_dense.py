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


def test_sums_are_stored_as_they_are():
    """Taps inside the image and channels: a count that is one off is another word."""
    dense = dense_network(random_residual_network(9, widths=(32, 64), blocks=(1, 1), **SHAPE))
    trace = dense.run(random_images(dense, 2), trace=True).trace
    for name, channels in (("layer1.0", 32), ("layer2.0", 32)):
        layer = next(one for one in dense.layers if one.name == f"{name}.conv1")
        assert isinstance(layer, BinaryLayer)
        assert layer.neuron is not None
        sums = trace[f"{name}.conv1.sums"] - 2 * layer.neuron.theta
        corner, middle = sums[..., 0, 0], sums[..., 1, 1]
        assert (corner == 4 * channels).all()
        assert (middle == 9 * channels).all()
