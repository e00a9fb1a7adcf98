"""First layers that no core can run, and layers that may stand together."""

import dataclasses

import numpy as np
import pytest

from hw.arch.config import Config
from sw.network import BinaryLayer, Mean, Residual, Shortcut
from sw.testing import random_images
from tests.compiler.nets import conv, mean, network, pixel


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
