"""The instruction of the first convolution."""

import dataclasses

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Op, Step
from sw.testing import random_images
from tests.compiler.emit.made import code, fields, mapped, number
from tests.compiler.nets import STATE, conv, mean, network, pixel


def first(size=3, padding=1, channels=2, **options):
    weight = np.random.default_rng(2).integers(-99, 99, (20, channels, size, size))
    layer = pixel(out=20, padding=padding, **options)
    return dataclasses.replace(
        layer, weight=weight, centre=tuple(range(10, 10 + channels)), pixel_shift=3
    )


def test_instruction():
    """20 channels of 3x3 over two frames of 5 x 6; all steps see the same x."""
    net = network(first(), conv("a", "p", 20), mean("a.s"), channels=2, side=(5, 6))
    mapper = mapped(net)
    label, i = code(mapper)["pixel"]
    assert (label.tensor, label.residual, label.shape) == ("p", "", (20, 5, 6))
    assert i.op == Op.MAC
    assert [i.count(level) for level in ("k", "dx", "dy", "t", "x", "y", "j", "h")] == [
        *(2, 3, 3),
        *(1, 6, 5, 2, 1),
    ]
    assert fields(i, "img_w", "img_h", "shift_left", "pad_y", "x_twice", "y_twice", "n_step") == {
        "img_w": 6,
        "img_h": 5,
        "shift_left": 1,
        "pad_y": 1,
        "x_twice": 0,
        "y_twice": 0,
        "n_step": Step.ONE,
    }
    assert fields(i, "spread", "n_spread", "tile_min", "pix_shift", "centre0", "centre1") == {
        "spread": 1,
        "n_spread": 1,
        "tile_min": 2,
        "pix_shift": 3,
        "centre0": 10,
        "centre1": 11,
    }
    assert fields(i, "theta", "lanes", "n_par", "par_j", "leak") == {
        "theta": 100,
        "lanes": 4,
        "n_par": 2,
        "par_j": 2,
        "leak": 0,
    }
    assert i.row_base == (1 << 16) - 1  # a pixel before the image: the row before it is left out
    assert (i.row_k, i.row_dx) == (30, 1 - 30)
    constants = mapper.constants
    assert (i.clip, i.row_up) == (1, -6)
    assert i.par_base == constants.params["pixel"]
    assert i.col_base == constants.weights["pixel"] - i.col_up
    assert i.col_up == -3 * i.n_k


def test_weights_in_the_order_of_the_loops():
    """Row by row of the kernel, pixel by pixel, channels innermost."""
    layer = first()
    mapper = mapped(network(layer, conv("a", "p", 20), mean("a.s"), channels=2, side=(5, 6)))
    base = mapper.constants.weights["pixel"]
    for channel in range(20):
        tile, lane = divmod(channel, 16)
        got = [number(mapper, lane, base + 18 * tile + n, 18) for n in range(18)]
        assert got == layer.weight[channel].transpose(1, 2, 0).ravel().tolist()


@pytest.mark.parametrize(
    ("state", "kept", "options", "wanted"),
    [
        # steps with inputs, or with stored spikes, of their own are run one by one
        (None, False, {"per_step_input": True}, (0, 0, 2, 2)),
        (None, True, {}, (0, 0, 2, 2)),
        (STATE, False, {}, (1, 1, 1, 2 * 5)),
        (STATE, False, {"steps": 1}, (0, 0, 1, 5)),
        (None, False, {"steps": 3}, (1, 2, 1, 3)),
    ],
)
def test_steps(state, kept, options, wanted):
    rest = [mean("p")] if kept else [conv("a", "p", 20), mean("a.s")]
    inputs = 20 if kept else 8
    net = network(first(state=state), *rest, inputs=inputs, channels=2, side=(4, 4), **options)
    _, i = code(mapped(net))["pixel"]
    assert (i.spread, i.n_spread, i.n_t, i.tile_min) == wanted
    frame = 2 * 16 if options.get("per_step_input") else 0
    assert i.row_t == frame


@pytest.mark.parametrize("side", [(7, 9), (8, 6)])
@pytest.mark.parametrize(("size", "padding"), [(1, 0), (5, 2), (7, 3), (3, 0)])
def test_kernels_equal_golden(size, padding, side, check):
    layer = first(size=size, padding=padding, channels=3, stride=2 if size == 7 else 1)
    net = network(layer, conv("a", "p", 20), mean("a.s"), channels=3, side=side)
    program = check(net, Config(), random_images(net, 2))
    i = program.instructions()[0]
    assert (i.x_twice, i.y_twice) == (int(size == 7), int(size == 7))
