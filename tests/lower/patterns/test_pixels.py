"""The first convolution, which reads the image."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.patterns import pixels
from tests.lower.small import context, conv, identity, neuron, single


def first(size=3, **changes):
    return conv("c", g.IMAGE, 2, 1, size, binary=False, **changes)


def nodes(node):
    return node, identity("b", "c", 2, weight=0.5, bias=0.25), neuron("s", "b")


@pytest.mark.parametrize(("stride", "space"), [(1, (4, 6)), (2, (2, 3))])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_layer(size, stride, space):
    node = first(size, stride=stride)
    made = context(*nodes(node))
    assert pixels.first_convolution(made, node)
    (layer,) = made.layers
    assert (layer.name, layer.neuron.name) == ("c", "s")
    assert (layer.padding, layer.stride) == (size // 2, stride)
    assert (made.space["s"], made.widths["s"], made.done) == (space, 2, {"c", "b", "s"})


@pytest.mark.parametrize("bits", [None, 4])
def test_integers_stand_for_weights_norm_and_pixels(bits):
    """x / 4064 of a full-scale image is the real drive, to half a unit and a weight's rounding."""
    node = first(1, weight_bits=bits)
    node = dataclasses.replace(node, weight=np.array([0.7, -0.3], np.float32).reshape(2, 1, 1, 1))
    made = context(*nodes(node), mean=(0.25,), std=(0.5,))
    pixels.first_convolution(made, node)
    (layer,) = made.layers
    used = node.weight.ravel() if bits is None else np.array([0.7, -3 * 0.7 / 7])
    for pixel in (0, 100, 255):
        p = (pixel << layer.pixel_shift) - layer.centre[0]
        x = (layer.weight[:, 0, 0, 0] * p + layer.bias) >> layer.shift
        real = used * (pixel / 255 - 0.25) / 0.5 * 0.5 + 0.25
        assert np.abs(x - 4064 * real).max() < 2


def test_convolutions_of_spikes_are_left_to_others():
    node = conv("c", "p", binary=False)
    made = context(*nodes(node))
    assert not pixels.first_convolution(made, node)
    assert (made.layers, made.done) == ([], set())


@pytest.mark.parametrize(
    "graph",
    [
        (dataclasses.replace(first(), binary=True), *nodes(first())[1:]),
        (*nodes(first())[:2], g.MeanTokens(name="m", source="b")),
        (*nodes(first()), neuron("t", "b")),
    ],
    ids=["binary", "no neuron", "two"],
)
def test_it_is_real_and_feeds_one_neuron(graph):
    made = context(*graph)
    with pytest.raises(SpikeloomError, match="c cannot be lowered: the first convolution must be"):
        pixels.first_convolution(made, graph[0])


def test_no_neuron_reads_the_image():
    made = context()
    assert not pixels.no_neuron(made, neuron("s", "b"))
    with pytest.raises(SpikeloomError, match="s cannot be lowered: a neuron reads the image"):
        pixels.no_neuron(made, neuron("s", g.IMAGE))


def test_a_neuron_on_the_image_is_refused_with_the_network():
    message = "t cannot be lowered: a neuron reads the image"
    with pytest.raises(SpikeloomError, match=message):
        single(1.0, side=4, middle=(neuron("t", g.IMAGE),)).lower()
