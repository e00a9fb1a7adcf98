"""Constants of binary convolutions, and how their options reach the instruction."""

import dataclasses

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Pack, Taps
from sw.network import Residual, Shortcut
from sw.testing import random_images
from tests.compiler.emit.made import bits, code, mapped, number
from tests.compiler.nets import attention, conv, mean, network, pixel

RNG = np.random.default_rng(3)


def random(layer):
    """The layer with other weights, factors and biases."""
    out = len(layer.weight)
    affine = dataclasses.replace(
        layer.affine, factor=RNG.integers(-50, 50, out), bias=RNG.integers(-999, 999, out)
    )
    weight = RNG.random(layer.weight.shape) < 0.5
    return dataclasses.replace(layer, weight=weight, affine=affine)


def first(out=8):
    layer = pixel(out=out)
    return dataclasses.replace(layer, weight=RNG.integers(-9, 9, layer.weight.shape))


def test_parameters_of_each_lane():
    layer = random(conv("a", "p", out=20))
    mapper = mapped(network(pixel(), layer, mean("a.s"), inputs=20), Config(means=0))
    base = mapper.constants.params["a"]
    for channel in range(20):
        tile, lane = divmod(channel, 16)
        assert number(mapper, lane, base + 2 * tile, 32) == layer.affine.bias[channel]
        assert number(mapper, lane, base + 2 * tile + 1, 18) == layer.affine.factor[channel]
    assert not mapper.constants.image[4:, base + 2 : base + 4].any()


def test_constants_of_heads():
    """Channels 4 to 7 of 8 are the second head's: lanes 0 to 3 of its own column tile."""
    layers = attention()
    layers[1] = random(layers[1])
    mapper = mapped(network(*layers, side=(4, 5)))
    params, weights = mapper.constants.params["q"], mapper.constants.weights["q"]
    for channel in range(8):
        head, lane = divmod(channel, 4)
        assert number(mapper, lane, params + 2 * head, 32) == layers[1].affine.bias[channel]
        wanted = [*layers[1].weight[channel].ravel().astype(int), *24 * [0]]
        assert bits(mapper, lane, weights + head) == wanted
    assert not mapper.constants.image[4:, weights : weights + 2].any()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, (3, 1, Pack.TRIPLE, Taps.SIDE, 0)),
        ({"size": 1}, (1, 1, Pack.NONE, Taps.SIDE, 0)),
        ({"stride": 2}, (3, 3, Pack.NONE, Taps.STRIDE, 1)),
        ({"stride": 2, "size": 1}, (1, 1, Pack.NONE, Taps.SIDE, 1)),
        ({"pool": 2}, (6, 6, Pack.NONE, Taps.POOL, 1)),
    ],
)
@pytest.mark.parametrize("side", [(8, 8), (7, 9)])
def test_options_equal_golden(options, wanted, side, check):
    layers = first(), random(conv("a", "p", out=20, **options)), mean("a.s")
    net = network(*layers, inputs=20, side=side)
    program = check(net, Config(), random_images(net, 2))
    _, i = code(mapped(net))["a"]
    assert (i.n_dy, i.n_dx, i.pack, i.taps, i.y_twice) == wanted
    assert program.total_ops > 0


@pytest.mark.parametrize("out", [8, 20])
def test_residuals_and_shortcuts_equal_golden(out, check):
    layers = [
        first(out),
        random(conv("a", "p", out, out, residual=Residual(output="r"))),
        random(conv("b", "a.s", out, out, residual=Residual(output="s", inputs=("r",)))),
        random(conv("c", "b.s", out, out, shortcut=Shortcut(source="a.s", value=-90))),
        mean("s"),
        mean("c.s", name="other"),
    ]
    net = network(*layers, sources=("mean", "other"), inputs=2 * out, side=(6, 8))
    check(net, Config(), random_images(net, 2))
