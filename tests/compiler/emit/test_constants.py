"""Column memory's constants, bit by bit, on a core of 16 columns of 32 bits."""

import numpy as np
import pytest

from hw.arch.config import Config
from sw.compiler.emit import emissions
from sw.compiler.emit.constants import Constants
from sw.compiler.plan.placement import Placement
from tests.compiler.emit.made import bits, number
from tests.compiler.nets import conv, mean, network, pixel


class Made:
    """Constants alone; they stand in a mapper's place for `bits` and `number`."""

    def __init__(self, *layers, config=None, **options):
        net = network(*layers, **options)
        self.constants = Constants(Placement(net, config or Config(), emissions()))


@pytest.fixture
def made():
    return Made(pixel(), conv("a", "p"), mean("a.s"))


def test_addresses_follow_each_other(made):
    c = made.constants
    assert c.append(np.zeros((16, 3, 4))) == 0
    assert c.append(np.ones((16, 2, 4))) == 3
    assert (c.size, c.image.shape, c.image.dtype) == (5, (16, 5, 4), np.uint8)
    assert c.image[5].tolist() == [[0] * 4] * 3 + [[1] * 4] * 2


def test_numbers(made):
    """Two's complement in the low bits; the rest of the word is 0."""
    values = [-1, 131071, -131072, 5]
    got = made.constants.numbers(np.array(values), 18)
    assert got.view("<u4").ravel().tolist() == [0x3FFFF, 0x1FFFF, 0x20000, 5]
    wide = Made(pixel(), mean("p"), config=Config(width=64))
    got = wide.constants.numbers(np.array([[-2]]), 32)
    assert got.tolist() == [[[254, 255, 255, 255, 0, 0, 0, 0]]]


def test_parameters(made):
    """Of each column tile: the bias, then the factors."""
    bias = np.arange(32).reshape(2, 16) - 5
    factors = 100 * np.arange(96).reshape(2, 3, 16) - 900
    assert made.constants.parameters(bias, factors) == 0
    assert made.constants.size == 8
    for tile in range(2):
        for lane in range(16):
            assert number(made, lane, 4 * tile, 32) == bias[tile, lane]
            for n in range(3):
                assert number(made, lane, 4 * tile + 1 + n, 18) == factors[tile, n, lane]


def test_slots(made):
    """20 channels in two column tiles; -1 where there is none."""
    got = made.constants.slots(20)
    assert got.tolist() == [list(range(16)), [16, 17, 18, 19, *12 * [-1]]]
    assert made.constants.tile_channels(20, None).tolist() == [got.tolist()]
    values = np.arange(20) * 3 - 7
    wanted = [[3 * n - 7 for n in range(16)], [41, 44, 47, 50, *12 * [0]]]
    assert made.constants.lanes_of(values, got).tolist() == wanted


def test_heads_have_column_tiles_of_their_own(made):
    made.constants.place.heads["q.s"] = 3
    got = made.constants.tile_channels(15, "q.s")
    assert got.tolist() == [[[5 * h + n for n in range(5)] + 11 * [-1]] for h in range(3)]
    assert made.constants.tile_channels(15, "other").shape == (1, 1, 16)


def test_lane_weights(made):
    words = np.arange(20 * 3).reshape(20, 3) - 30
    base = made.constants.lane_weights(words, made.constants.slots(20))
    assert (base, made.constants.size) == (0, 6)
    for tile in range(2):
        for lane in range(16):
            got = [number(made, lane, 3 * tile + n, 18) for n in range(3)]
            channel = 16 * tile + lane
            assert got == (words[channel].tolist() if channel < 20 else [0, 0, 0])


def weights(outputs, inputs, size):
    return np.random.default_rng(1).random((outputs, inputs, size, size)) < 0.5


def unpacked(made, lane, words):
    return np.array([bits(made, lane, word) for word in words], bool)


@pytest.mark.parametrize("size", [1, 3])
def test_binary_weights(size):
    """40 channels in two words; the words of a tile: dy, dx, word."""
    made = Made(pixel(out=40), conv("a", "p", 40, 20, size=size), conv("b", "a.s", 20), mean("b.s"))
    weight = weights(20, 40, size)
    base = made.constants.binary_weights(weight, "p", made.constants.slots(20))
    each = 2 * size * size
    assert (base, made.constants.size) == (0, 2 * each)
    for tile in range(2):
        for lane in range(16):
            got = unpacked(made, lane, range(tile * each, (tile + 1) * each))
            channel = 16 * tile + lane
            if channel >= 20:
                assert not got.any()
                continue
            got = got.reshape(size, size, 64)
            np.testing.assert_array_equal(got[..., :40], weight[channel].transpose(1, 2, 0))
            assert not got[..., 40:].any()


def test_weights_of_three_taps_in_a_word():
    """8 channels take a byte: taps x - 1, x, x + 1 in the bytes 0, 1, 2."""
    made = Made(pixel(), conv("a", "p"), mean("a.s"))
    weight = weights(16, 8, 3)
    made.constants.binary_weights(weight, "p", made.constants.slots(16))
    for lane in range(16):
        got = unpacked(made, lane, range(3)).reshape(3, 4, 8)
        np.testing.assert_array_equal(got[:, :3], weight[lane].transpose(1, 2, 0))
        assert not got[:, 3].any()


def test_weights_of_two_taps_in_a_word():
    """16 channels take two bytes: x - 1 and x in one word, x + 1 in the high half of the next."""
    made = Made(pixel(out=16), conv("a", "p", 16, 16), mean("a.s"), inputs=16)
    weight = weights(16, 16, 3)
    made.constants.binary_weights(weight, "p", made.constants.slots(16))
    for lane in range(16):
        got = unpacked(made, lane, range(6)).reshape(3, 2, 2, 16)
        taps = weight[lane].transpose(2, 1, 0)  # kx, ky, channel
        np.testing.assert_array_equal(got[:, 0, 0], taps[0])
        np.testing.assert_array_equal(got[:, 0, 1], taps[1])
        np.testing.assert_array_equal(got[:, 1, 1], taps[2])
        assert not got[:, 1, 0].any()


def test_bias_only(made):
    layer = made.constants.place.net.layers[0]
    layer.bias[:] = np.arange(8) - 3
    made.constants.bias_only(layer, made.constants.slots(8))
    assert made.constants.params == {"pixel": 0}
    assert [number(made, lane, 0, 32) for lane in range(16)] == [*range(-3, 5), *8 * [0]]
    assert not made.constants.image[:, 1].any()
