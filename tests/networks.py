"""Sizes of random networks that several tests use: arguments of the makers in ``sw.testing``."""

import dataclasses

#: Of `random_network`: one block, a moment to compile and interpret.
SMALL = {
    "height": 8,
    "width": 8,
    "channels": 1,
    "dim": 16,
    "depth": 1,
    "heads": 2,
    "mlp_ratio": 2,
    "steps": 2,
    "order": "qk",
    "similarity": "and",
    "variant": "cifar",
    "classes": 3,
}

#: Of `random_network`: a network for MNIST that the default core holds.
MNIST = SMALL | {
    "height": 28,
    "width": 28,
    "dim": 64,
    "depth": 2,
    "heads": 4,
    "mlp_ratio": 4,
    "steps": 4,
    "classes": 10,
}

#: Of `random_residual_network`: a network that the core stated for the iCE40UP5K holds.
PART = {
    "height": 14,
    "width": 14,
    "channels": 1,
    "widths": (8, 16, 16, 16),
    "halve": (1, 2, 3),
    "bits": 2,
    "steps": 2,
    "classes": 10,
}


def edited(network, index, **changes):
    """``network`` with other fields of the layer at ``index``."""
    layers = list(network.layers)
    layers[index] = dataclasses.replace(layers[index], **changes)
    return network.replace(layers=tuple(layers))
