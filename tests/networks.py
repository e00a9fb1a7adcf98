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


_EDGE = {"channels": 1, "widths": (8, 16, 16), "bits": 4, "steps": 2, "classes": 3}

#: Of `random_residual_network`: kernels beyond small images' edges, images of a row or a column.
EDGES = {
    "5x5": _EDGE | {"height": 6, "width": 7, "first": (5, 1)},
    "5x5 by 2": _EDGE | {"height": 7, "width": 9, "first": (5, 2), "halve": (1,)},
    "7x7 by 2": _EDGE | {"height": 10, "width": 8, "first": (7, 2), "channels": 3},
    "7x7 by 2 of 3 rows": _EDGE | {"height": 3, "width": 9, "first": (7, 2)},
    "7x7 in full": _EDGE | {"height": 4, "width": 4, "first": (7, 1), "steps": 1},
    "pools of 2": _EDGE | {"height": 8, "width": 12, "halve": (1, 2), "pooled": True},
    "pools of 2, odd": _EDGE | {"height": 9, "width": 7, "halve": (2,), "pooled": True},
    "a row": _EDGE | {"height": 1, "width": 9, "halve": (1,)},
    "a row, 5x5 by 2": _EDGE | {"height": 1, "width": 9, "first": (5, 2)},
    "a column": _EDGE | {"height": 9, "width": 1, "halve": (2,)},
    "a pixel": _EDGE | {"height": 1, "width": 1, "first": (7, 2)},
    "frames": _EDGE | {"height": 5, "width": 5, "first": (5, 2), "per_step_input": True},
    "spike pool": _EDGE | {"height": 9, "width": 10, "stem": 7, "blocks": (1, 1, 1)},
    "spike pool of a row": _EDGE | {"height": 2, "width": 10, "stem": 7, "blocks": (1, 1, 1)},
}
