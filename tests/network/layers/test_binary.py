"""Binary convolutions: names, shapes, bounds, sums, and the places of 2x2 windows."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.network import BinaryLayer, Neuron, Residual, Shortcut
from sw.network.layers.binary import quarters
from tests.network.handmade import Naive, affine, ranges, shapes, written

RNG = np.random.default_rng(6)
NEURON = Neuron(name="s", theta=3)
READ = {"p": (2, 5, 7)}


def layer(size=3, out=4, inputs=2, **changes):
    weight = RNG.random((out, inputs, size, size)) < 0.5
    fields = {"weight": weight, "affine": affine(out), "neuron": NEURON}
    return BinaryLayer(name="conv", source="p", **fields | changes)


def test_names():
    plain = layer()
    assert (plain.reads(), plain.writes()) == (("p",), ("s",))
    added = layer(residual=Residual(output="r", inputs=("a", "b")))
    assert (added.reads(), added.writes()) == (("p", "a", "b"), ("r", "s"))
    short = layer(
        neuron=None, residual=Residual(output="r"), shortcut=Shortcut(source="x", value=1)
    )
    assert (short.reads(), short.writes(), short.spikes()) == (("p", "x"), ("r",), None)


@pytest.mark.parametrize(
    ("options", "sides"),
    [({}, (5, 7)), ({"stride": 2}, (3, 4)), ({"pool": 2}, (2, 3)), ({"size": 1}, (5, 7))],
)
def test_sides(options, sides):
    """Strides round up, pools down."""
    assert written(layer(**options), READ) == {"s": (4, *sides)}
    both = layer(residual=Residual(output="r"), **options)
    assert written(both, READ) == {"r": (4, *sides), "s": (4, *sides)}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (layer(inputs=3), r"weight has shape \(4, 3, 3, 3\), wanted \(4, 2, 3, 3\)"),
        (layer(size=5), "weight must be bool and 1x1 or 3x3, not bool 5x5"),
        (layer(weight=np.ones((4, 2, 3, 3), int)), ".*1x1 or 3x3, not int64 3x3"),
        (layer(weight=np.ones((4, 2, 1, 3), bool)), ".*1x1 or 3x3, not bool 1x3"),
        (layer(affine=affine(3)), r"factor has shape \(3,\), wanted \(4,\)"),
        (
            layer(affine=dataclasses.replace(affine(4), bias=np.zeros(5, int))),
            r"bias has shape \(5,\), wanted \(4,\)",
        ),
        (layer(stride=3), "stride must be 1 or 2, not 3"),
        (layer(pool=0), "pool must be 1 or 2, not 0"),
        (layer(pool=2, stride=2), "pools and strides at once"),
        (layer(neuron=None), "has neither neuron nor residual"),
        (
            layer(
                residual=Residual(output="r", inputs=("x",)), shortcut=Shortcut(source="x", value=1)
            ),
            "adds a shortcut and a residual",
        ),
        (layer(stride=2, shortcut=Shortcut(source="x", value=1)), r"x has shape \(4, 5, 7\), w"),
        (layer(stride=2, residual=Residual(output="r", inputs=("x",))), r"x has shape \(4, 5, 7"),
        (
            layer(residual=Residual(output="r", inputs=("x", "x", "x"))),
            "adds 3 residuals, at most 2",
        ),
        (layer(residual=Residual(output="x")), "writes 'x' a second time"),
    ],
)
def test_wrong_shapes(made, message):
    with pytest.raises(SpikeloomError, match=f"layer here: {message}"):
        made.shapes(shapes({**READ, "x": (4, 5, 7)}))


def test_a_pool_of_one_row_leaves_nothing():
    with pytest.raises(SpikeloomError, match="pools 1x7 spikes to nothing"):
        layer(pool=2).shapes(shapes({"p": (2, 1, 7)}))


@pytest.mark.parametrize(("options", "largest"), [({}, 18), ({"size": 1}, 2), ({"pool": 2}, 72)])
def test_largest_sum(options, largest):
    """Taps times channels, four times that of counts; met by weights and spikes of all ones."""
    made = layer(**options)
    assert made.largest_sum(shapes(READ)) == largest
    made.bounds(ranges(made, READ))
    every = dataclasses.replace(made, weight=np.ones_like(made.weight))
    sums = every.sums(Naive(1), {"p": np.ones((1, 1, 2, 6, 6), int)})
    assert sums.max() == largest


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"pool": 2}, {"size": 1, "stride": 2}])
def test_sums(options):
    made = layer(**options)
    spikes = RNG.integers(0, 2, (2, 2, 2, 5, 7))
    got = made.sums(Naive(), {"p": spikes})
    size, pool, stride = made.weight.shape[2], made.pool, made.stride
    height, width = 5 // pool, 7 // pool
    for (t, b, o, y, x), total in np.ndenumerate(got):
        want = 0
        for c, i, j in np.ndindex(made.weight.shape[1:]):
            row, column = y * stride + i - size // 2, x * stride + j - size // 2
            if 0 <= row < height and 0 <= column < width:
                row, column = row * pool, column * pool
                count = spikes[t, b, c, row : row + pool, column : column + pool].sum()
                want += count if made.weight[o, c, i, j] else -count
        assert total == want
    assert got.shape == (2, 2, 4, *written(made, READ)["s"][1:])


def test_quarters_drop_what_is_left_over():
    places = quarters(np.arange(35).reshape(1, 5, 7))
    assert [p.tolist() for p in places] == [
        [[[0, 2, 4], [14, 16, 18]]],
        [[[1, 3, 5], [15, 17, 19]]],
        [[[7, 9, 11], [21, 23, 25]]],
        [[[8, 10, 12], [22, 24, 26]]],
    ]
