"""What tests of the simulator change in the stored digits network."""

import dataclasses


def other_head(network, name="other"):
    """The network with another bias of its logits."""
    head = dataclasses.replace(network.head, bias=network.head.bias + 4096)
    return network.replace(layers=(*network.layers[:-1], head), name=name)
