"""The first convolution: what an instruction can say of it, its bounds and sums."""

import dataclasses

import numpy as np
import pytest

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError
from sw.network import PRODUCT_MAX, Neuron, PixelConv, pixel_reach
from sw.network.layers.pixel import pixel_centre
from tests.network.handmade import Naive, ranges, shapes, written

RNG = np.random.default_rng(8)


def layer(size=3, padding=1, channels=3, out=4, **changes):
    fields = {
        "weight": RNG.integers(-127, 128, (out, channels, size, size)),
        "bias": np.zeros(out, np.int64),
        "shift": 4,
        "weight_bits": 8,
        "pixel_shift": 2,
        "centre": (5,) * channels,
        "neuron": Neuron(name="s", theta=9),
    }
    return PixelConv(name="pixel", padding=padding, **fields | changes)


def checked(made, **changes):
    made.bounds(ranges(made, {}, **changes))


def test_names_and_sides():
    assert (layer().reads(), layer().writes()) == ((), ("s",))
    for options, sides in (
        ({}, (6, 8)),
        ({"stride": 2}, (3, 4)),
        ({"padding": 0}, (4, 6)),
        ({"size": 7, "padding": 3, "stride": 2}, (3, 4)),
        ({"size": 5, "padding": 1, "stride": 2}, (2, 3)),  # (6 + 2 - 5) // 2 + 1
    ):
        assert written(layer(**options), {}) == {"s": (4, *sides)}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (layer(channels=2), r"weight has shape \(4, 2, 3, 3\), wanted \(4, 3, 3, 3\)"),
        (layer(bias=np.zeros(3, int)), r"bias has shape \(3,\), wanted \(4,\)"),
        (layer(centre=(0, 0)), r"centre has shape \(2,\), wanted \(3,\)"),
        (layer(stride=3), "stride must be 1 or 2, not 3"),
        (layer(size=7, padding=0), "kernel 7x7 does not fit the image"),
    ],
)
def test_wrong_shapes(made, message):
    with pytest.raises(SpikeloomError, match=f"layer here: {message}"):
        made.shapes(shapes({}))


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
        checked(layer(**options), height=side[0], width=side[1])


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
    first = layer(channels=channels)
    checked(first, channels=channels)
    with pytest.raises(SpikeloomError, match=message):
        checked(dataclasses.replace(first, **changes), channels=channels)


def test_the_limits_of_an_instruction_are_held():
    ends = isa.BY_NAME["centre0"]
    for changes in ({"pixel_shift": 7}, {"centre": (ends.least, ends.most, 0)}, {"pixel_shift": 0}):
        checked(layer(**changes))
    eight = tuple(range(isa.CENTRES))
    checked(layer(channels=10, centre=(*eight, 0, 1)), channels=10)
    checked(layer(size=7, padding=3, stride=2))  # as many pixels as every second one
    with pytest.raises(SpikeloomError, match="padding 2 gives output pixels outside the image"):
        checked(layer(padding=2))
    with pytest.raises(SpikeloomError, match="padding 1 gives output pixels outside the image"):
        checked(layer(size=2))  # 7 x 9 pixels of 6 x 8


def test_mantissas_have_their_bits():
    """A power of two for each output channel is free; what is left of the largest must fit."""
    weight = np.zeros((4, 3, 3, 3), int)
    weight[0, 0, 0, 0], weight[1, 2, 2, 2], weight[2, 0, 1, 1] = 127 << 9, -127, 128
    checked(layer(weight=weight))
    for wrong in ((127 << 9, 256), (-255, 127), (128, 1)):
        weight[3, 0, 0, :2] = wrong
        with pytest.raises(SpikeloomError, match="a mantissa needs more than 8 bits"):
            checked(layer(weight=weight))
    weight[3, 0, 0, :2] = 0, formats.FACTOR_MAX + 1
    with pytest.raises(SpikeloomError, match="weight is -127 to 131072, wanted -131071 to"):
        checked(layer(weight=weight))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_accumulator_holds_the_worst_pixels(sign):
    """Sum of |w| times the reach of each channel, and |bias|, of the worst output channel."""
    weight = np.zeros((4, 3, 1, 1), int)
    weight[1, :, 0, 0] = [1000, -2000, 7]
    centre = (0, 300, -20_000)
    worst = 1000 * 1020 + 2000 * 720 + 7 * 21_020
    bias = np.zeros(4, int)
    bias[1] = sign * (PRODUCT_MAX - worst)
    made = layer(1, 0, weight=weight, centre=centre, weight_bits=12, bias=bias)
    checked(made)
    bias[1] += sign
    with pytest.raises(SpikeloomError, match=f"sums reach {PRODUCT_MAX + 1}, the accumulator"):
        checked(dataclasses.replace(made, bias=bias))


def test_reach_is_that_of_the_farther_end():
    for pixel_shift, centre in ((0, 0), (0, 127), (0, 128), (2, 700), (2, -50), (1, 5000)):
        every = [abs((pixel << pixel_shift) - centre) for pixel in range(256)]
        assert pixel_reach(pixel_shift, (centre,)).tolist() == [max(every)]


def test_pixels_are_shifted_then_centred():
    pixels = np.array([[[0, 255]], [[1, 2]]], np.uint8)
    assert pixel_centre(pixels, 2, (10, -3)).tolist() == [[[-10, 1010]], [[7, 11]]]


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"size": 5, "padding": 1}])
@pytest.mark.parametrize("frames", [1, 2])
def test_spikes(frames, options):
    """Padded taps add 0, not black pixels; x has no factor."""
    made = layer(bias=np.array([300, -5000, 9000, 0]), centre=(100, 0, 900), shift=7, **options)
    image = RNG.integers(0, 256, (frames, 2, 3, 6, 8)).astype(np.uint8)
    p = (image.astype(int) << 2) - np.array([100, 0, 900]).reshape(3, 1, 1)
    size, padding, stride = made.weight.shape[2], made.padding, made.stride
    sums = made.sums(Naive(), {"image": image})
    assert sums.shape == (frames, 2, 4, *written(made, {})["s"][1:])
    for (t, b, o, y, x), total in np.ndenumerate(sums):
        want = 0
        for c, i, j in np.ndindex(3, size, size):
            row, column = y * stride + i - padding, x * stride + j - padding
            if 0 <= row < 6 and 0 <= column < 8:
                want += int(made.weight[o, c, i, j]) * int(p[t, b, c, row, column])
        assert total == want
    fired = made.golden(Naive(), {"image": image})["s"]
    x = (sums + made.bias.reshape(4, 1, 1)) >> 7
    membrane = np.zeros(x.shape[1:], int)
    for t in range(2):
        u = (membrane + x[t % frames]) >> 1
        assert fired[t].tolist() == (u >= 9).astype(int).tolist()
        membrane = np.where(u >= 9, 0, u)
