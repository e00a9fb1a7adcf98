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
    """20 channels of 3x3 over 5 x 6 pixels of two channels; all steps see the same x."""
    net = network(first(), conv("a", "p", 20), mean("a.s"), channels=2, side=(5, 6))
    mapper = mapped(net, Config(pixels=1))
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
    assert (i.image, i.n_pix, i.last_pix) == (0, 0, 0)
    assert i.row_base == (1 << 16) - 7  # a pixel and a row before the image
    assert (i.row_k, i.row_dx) == (30, 1 - 30)
    constants = mapper.constants
    assert (i.par_base, i.col_base) == (constants.params["pixel"], constants.weights["pixel"])


@pytest.mark.parametrize(
    ("config", "options", "wanted"),
    [
        (Config(), {}, (4, 2, 2, 4 * 2)),
        (Config(pixels=2), {}, (2, 2, 3, 2 * 2)),
        (Config(rows=8), {}, (8, 6, 1, 8 * 2)),
        (Config(rows=16), {}, (8, 6, 1, 8 * 2)),  # no image row has 16 pixels
        (Config(), {"stride": 2, "size": 5, "padding": 2}, (2, 1, 2, 2 * 2)),
        (Config(), {"state": STATE}, (4, 2, 2, 5 * 2)),
    ],
)
def test_several_pixels(config, options, wanted):
    """Image rows of 6 pixels in row memory: pixels of a tile, of the last one, tiles, cycles."""
    net = network(first(**options), conv("a", "p", 20), mean("a.s"), channels=2, side=(5, 6))
    mapper = mapped(net, config)
    _, i = code(mapper)["pixel"]
    assert (i.n_pix + 1, i.last_pix + 1, i.n_x, i.tile_min) == wanted
    line = -(-6 // config.rows)
    padding, stride = options.get("padding", 1), options.get("stride", 1)
    assert (i.image, i.img_w, i.shift_left) == (1, 6, padding)
    assert (mapper.place.image_memory, mapper.place.image_line) == ("row", line)
    assert i.row_base == (mapper.place.image_base - padding * line) % (1 << 16)
    rewind = line * (i.n_dy - 1)
    assert (i.row_k, i.row_dx, i.row_dy) == (0, 0, line)
    assert i.row_y == stride * line - rewind


def test_pixels_of_a_tile_with_many_steps():
    """With as many steps as words a tile of more pixels only takes longer; nor is it too long."""
    layer = first(channels=1)
    for steps, pixels in ((1, 16), (3, 4), (9, 1), (16, 1)):
        net = network(layer, conv("a", "p", 20), mean("a.s"), side=(3, 16), steps=steps)
        _, i = code(mapped(net, Config(rows=16, cols=16)))["pixel"]
        assert i.n_pix + 1 == pixels, steps
    layer = first(channels=4, size=7, padding=3)
    for steps, pixels in ((15, 16), (16, 8)):  # 16 x 16 cycles are more than the field holds
        net = network(layer, conv("a", "p", 20), mean("a.s"), channels=4, side=(7, 16), steps=steps)
        _, i = code(mapped(net, Config(rows=16, cols=16)))["pixel"]
        assert (i.n_pix + 1, i.tile_min) == (pixels, steps * pixels)


def test_image_of_more_channels_than_bytes_of_a_word():
    """Five channels and words of four bytes: out of pixel memory, pixel by pixel."""
    net = network(first(channels=5), conv("a", "p", 20), mean("a.s"), channels=5, side=(5, 6))
    for config, image in ((Config(), 0), (Config(width=64), 1)):
        mapper = mapped(net, config)
        _, i = code(mapper)["pixel"]
        assert (i.image, i.n_pix > 0) == (image, bool(image))
        assert mapper.place.image_memory == ("row" if image else "pix")


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
def test_steps_of_single_pixels(state, kept, options, wanted):
    rest = [mean("p")] if kept else [conv("a", "p", 20), mean("a.s")]
    inputs = 20 if kept else 8
    net = network(first(state=state), *rest, inputs=inputs, channels=2, side=(4, 4), **options)
    _, i = code(mapped(net, Config(pixels=1)))["pixel"]
    assert (i.spread, i.n_spread, i.n_t, i.tile_min) == wanted
    last = 16 + 2 + 2 * 4  # of a tile: the second channel's last pixel
    frame = 2 * 16 if options.get("per_step_input") else 0
    assert i.row_t == frame - last


def test_frames_in_row_memory():
    """A frame for each step: three groups of two addresses apart, and back at the tile's end."""
    net = network(
        first(), conv("a", "p", 20), mean("a.s"), channels=2, side=(3, 6), per_step_input=True
    )
    _, i = code(mapped(net))["pixel"]
    assert (i.n_t, i.spread, i.tile_min) == (2, 0, 4)
    assert i.row_t == 3 * 2 - 2 * 2


@pytest.mark.parametrize(
    "config",
    [Config(), Config(pixels=1), Config(pixels=2), Config(rows=8), Config(rows=16, width=64)],
    ids=["r4", "p1", "p2", "r8", "r16"],
)
@pytest.mark.parametrize("side", [(7, 9), (8, 6)])
@pytest.mark.parametrize(("size", "padding"), [(1, 0), (5, 2), (7, 3), (3, 0)])
def test_kernels_equal_golden(size, padding, side, config, check):
    layer = first(size=size, padding=padding, channels=3, stride=2 if size == 7 else 1)
    net = network(layer, conv("a", "p", 20), mean("a.s"), channels=3, side=side)
    program = check(net, config, random_images(net, 2))
    i = program.instructions()[0]
    assert (i.x_twice, i.y_twice) == (int(size == 7), int(size == 7))
