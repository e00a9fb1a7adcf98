"""Networks that are played on the core: random ones, and ones that random ones leave out."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from hw.arch.formats import SHIFTS
from sw.api import IntegerNetwork
from sw.network import PixelConv
from sw.testing import (
    dense_network,
    random_network,
    random_residual_network,
    random_wide_network,
)

#: Seeds of random networks over the whole range of the fields; the last ones noticed much.
WIDE = (*range(20), 25, 30, 43, 81, 89, 90, 115)


def few() -> Iterator[tuple[str, Any]]:
    """Small networks that together use every instruction and every form of one."""
    small: dict[str, Any] = {
        "height": 6, "width": 7, "channels": 2, "dim": 24, "depth": 1, "heads": 3, "classes": 5,
        "mlp_ratio": 1, "steps": 3, "similarity": "and",
    }  # fmt: skip
    yield "residual", random_residual_network(
        1, height=8, width=7, channels=2, widths=(8, 20), blocks=(1, 1), steps=2, classes=6,
    )  # fmt: skip
    yield "attention, qk", random_network(2, order="qk", variant="cifar", **small)
    yield "stream", random_residual_network(
        4, height=6, width=6, channels=1, widths=(8, 16), blocks=(1, 1), steps=1, classes=4,
        bits=4, stream=True,
    )  # fmt: skip
    yield (
        "attention, kv",
        random_network(3, order="kv", variant="imagenet", per_step_input=True, **small),
    )
    yield "averages", random_residual_network(
        5, height=9, width=10, channels=3, widths=(8, 16, 24), halve=(1,), pooled=True, steps=3,
        classes=4, bits=2,
    )  # fmt: skip
    yield "strides", random_residual_network(
        6, height=9, width=11, channels=1, widths=(8, 40, 16), halve=(1, 2), steps=2, classes=4,
        bits=8, per_step_input=True,
    )  # fmt: skip
    small |= {"dim": 32, "heads": 1, "channels": 4, "similarity": "xnor"}
    yield "attention, xnor", random_network(7, order="qk", variant="cifar", **small)
    yield "pools", random_residual_network(
        8, height=13, width=12, channels=3, widths=(16,), blocks=(1,), stem=7, steps=2, classes=4,
        bits=0,
    )  # fmt: skip


def corners() -> Iterator[tuple[str, Any]]:
    """What random networks leave out: full counts, broad images, many tokens, heads and pixels."""
    yield "everything fires", dense_network(random_residual_network(
        9, height=5, width=6, channels=2, widths=(32, 64), blocks=(1, 1), steps=2, classes=4,
    ))  # fmt: skip
    yield "broad", random_residual_network(
        11, height=5, width=23, channels=2, widths=(8, 12), blocks=(1, 1), steps=2, classes=3,
        bits=4,
    )  # fmt: skip
    yield "broad, plain", random_residual_network(
        12, height=6, width=27, channels=1, widths=(8, 16, 8), halve=(1,), steps=2, classes=3,
    )  # fmt: skip
    yield "many tokens, kv", random_network(
        13, height=16, width=20, channels=1, dim=16, depth=1, heads=2, mlp_ratio=1, steps=2,
        order="kv", similarity="and", variant="cifar", classes=3,
    )  # fmt: skip
    yield "many steps", random_network(
        22, height=6, width=5, channels=1, dim=16, depth=1, heads=2, mlp_ratio=1, steps=16,
        order="qk", similarity="and", variant="cifar", classes=3,
    )  # fmt: skip
    yield "many heads", random_network(
        23, height=6, width=5, channels=1, dim=80, depth=1, heads=10, mlp_ratio=1, steps=1,
        order="qk", similarity="and", variant="cifar", classes=3,
    )  # fmt: skip
    for seed in (14, 15, 16, 17):
        yield f"many pixels {seed}", random_residual_network(
            seed, height=15, width=27, channels=1 + seed % 3, widths=(8,), steps=1, classes=3,
            flatten=False, wide=seed % 2 == 1,
        )  # fmt: skip
    yield "tall", random_residual_network(
        20, height=291, width=1, channels=1, widths=(8,), steps=1, classes=3, flatten=False,
    )  # fmt: skip
    yield "broad, of two steps", random_residual_network(
        21, height=4, width=70, channels=1, widths=(8, 12), steps=2, classes=3, flatten=False,
    )  # fmt: skip
    yield "small sums", small_sums(random_residual_network(
        18, height=15, width=27, channels=2, widths=(8,), bits=0, steps=1, classes=3,
        flatten=False,
    ))  # fmt: skip
    for bits in (2, 8):
        yield f"stream, codes of {bits} bits", random_residual_network(
            19, height=6, width=7, channels=1, widths=(8, 16), blocks=(1, 1), steps=1, classes=4,
            bits=bits, stream=True,
        )  # fmt: skip


def small_sums(network: IntegerNetwork) -> IntegerNetwork:
    """Return a network whose first layer fires by the lowest bits of its sums.

    A filter is one tap of a small weight, and the threshold is 1 after the smallest shift: so one
    sum in tens lies where a bit decides.
    """
    layer, *rest = network.layers
    assert isinstance(layer, PixelConv)
    rng = np.random.default_rng(1)
    weight, out = np.zeros_like(layer.weight), len(layer.weight)
    taps = weight.reshape(out, -1)
    taps[np.arange(out), rng.integers(0, taps.shape[1], out)] = rng.choice([-3, -1, 1, 2], out)
    layer = dataclasses.replace(
        layer, weight=weight, pixel_shift=0, shift=min(SHIFTS),
        centre=tuple(rng.integers(0, 256, network.channels).tolist()),
        bias=rng.integers(-64, 65, out), neuron=dataclasses.replace(layer.neuron, theta=1),
    )  # fmt: skip
    return dataclasses.replace(network, layers=(layer, *rest))


def wide() -> Iterator[tuple[str, Any]]:
    """Random networks over the whole range of the instruction fields."""
    for seed in WIDE:
        yield f"wide {seed}", random_wide_network(seed)
