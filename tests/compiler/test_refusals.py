"""First layers that no core can run, and layers that may stand together."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError
from hw.arch.config import Config
from sw.network import BinaryLayer, Mean, Residual, Shortcut
from sw.testing import random_images
from tests.compiler.nets import conv, mean, network, pixel


@pytest.mark.parametrize(
    ("options", "side", "message"),
    [
        ({"size": 9, "padding": 4}, (8, 8), "padding is 4 to 4, wanted 0 to 3"),
        ({"size": 1, "padding": 1}, (8, 8), "padding 1 gives output pixels outside the image"),
        ({"size": 17, "padding": 3}, (20, 20), "kernel is 17 to 17, wanted 1 to 15"),
    ],
)
def test_first_layer(options, side, message):
    with pytest.raises(SpikeloomError, match=message):
        network(pixel(**options), conv("a", "p"), mean("a.s"), side=side)


@pytest.mark.parametrize(
    ("channels", "changes", "message"),
    [
        (1, {"pixel_shift": 8}, "pixel_shift is 8 to 8, wanted 0 to 7"),
        (1, {"centre": (40000,)}, "centre is 40000 to 40000, wanted -32768 to 32767"),
        (1, {"centre": (-32769,)}, "centre is -32769 to -32769, wanted -32768 to 32767"),
        (10, {"centre": tuple(range(10))}, "channels k and k \\+ 8 must have the same centre"),
    ],
)
def test_pixels_that_no_instruction_can_say(channels, changes, message):
    weight = np.ones((8, channels, 3, 3), np.int64)
    first = dataclasses.replace(pixel(), weight=weight, centre=(0,) * channels)
    rest = [conv("a", "p"), mean("a.s")]
    network(first, *rest, channels=channels)
    with pytest.raises(SpikeloomError, match=message):
        network(dataclasses.replace(first, **changes), *rest, channels=channels)


@pytest.mark.parametrize(
    "layers",
    [
        # spikes of the first layer alone
        [mean("p")],
        [mean("p", over_tokens=False)],
        # a mean beside other readers
        [conv("a", "p"), mean("p"), mean("a.s", name="b")],
        [conv("a", "p"), mean("p", over_tokens=False), mean("a.s", name="b")],
        [conv("a", "p", stride=2), mean("p", over_tokens=False), mean("a.s", name="b")],
        # residual of a layer that feeds 3x3 layers, and its sum token by token
        [
            conv("a", "p", residual=Residual(output="r")),
            conv("b", "a.s"),
            mean("r", name="m", over_tokens=False),
            mean("b.s", name="b"),
        ],
        # pool and stride 1x1, projections with neurons, a shortcut over a 1x1 layer
        [conv("a", "p", size=1, stride=2), mean("a.s")],
        [conv("a", "p", size=1, pool=2), mean("a.s")],
        [conv("a", "p", size=1, shortcut=Shortcut(source="p", value=-40)), mean("a.s")],
        [
            conv("a", "p", size=1),
            conv("c", "a.s", size=1, shortcut=Shortcut(source="p", value=50)),
            mean("c.s"),
        ],
        [
            conv("a", "p", size=1, residual=Residual(output="r")),
            conv("b", "a.s", size=1, residual=Residual(output="s", inputs=("r",))),
            conv("c", "b.s"),
            mean("c.s"),
        ],
        [
            conv("a", "p", stride=2),
            conv("d", "p", size=1, stride=2, neuron=False, residual=Residual(output="r")),
            conv("b", "a.s", residual=Residual(output="s", inputs=("r",))),
            conv("c", "b.s", pool=2),
            mean("c.s"),
        ],
        # a shortcut that is stored as a residual too
        [
            conv("a", "p"),
            conv(
                "b", "a.s", shortcut=Shortcut(source="p", value=70), residual=Residual(output="r")
            ),
            mean("r"),
        ],
    ],
)
@pytest.mark.parametrize("side", [(8, 8), (7, 9), (5, 3)], ids=str)
@pytest.mark.parametrize("config", [Config(), Config(rows=8)], ids=["R4", "R8"])
def test_what_may_stand_together(layers, side, config, check):
    """Small nets of every combination that is not refused; wide rows leave gaps in 8x8 only."""
    means = [layer for layer in layers if isinstance(layer, Mean)]
    if any(m.over_tokens and m.source == "p" for m in means) and len(layers) > 1:
        side = (8, 8)
    sizes = [8 if m.over_tokens else 8 * side[0] * side[1] for m in means]
    rng = np.random.default_rng(0)
    layers = [
        dataclasses.replace(layer, weight=rng.random(layer.weight.shape) < 0.5)
        if isinstance(layer, BinaryLayer)
        else layer
        for layer in layers
    ]
    first = dataclasses.replace(pixel(), weight=rng.integers(-9, 9, (8, 1, 3, 3)))
    net = network(
        first, *layers, sources=tuple(m.name for m in means), inputs=sum(sizes), side=side
    )
    check(net, config, random_images(net, 2))
