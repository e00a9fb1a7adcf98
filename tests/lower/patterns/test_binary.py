"""Binary convolutions, what is added to them, and averages that they read."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.patterns import binary
from sw.lower.quantise import DoesNotFitError
from sw.network import Residual, Shortcut
from tests.lower.small import context, conv, identity, neuron, single


def test_the_quarter_of_an_average_lies_in_the_factor(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import POOLED, qsnn

    net = qsnn(tmp_path, **POOLED)
    layer = net.lower().layers[1]
    a, _ = next(n for n in net.nodes if n.name == "features.2.fwd.module.1").folded()
    scale = next(n for n in net.nodes if n.name == "features.2.fwd.module.0").scale
    unit = 4064 * 2.0**layer.affine.shift
    np.testing.assert_allclose(layer.affine.factor, a * scale / 4 * unit, atol=0.5)


AVERAGE = g.AveragePool(name="p", source="s")


def test_strided_reader_of_averages_is_refused():
    weight = np.array([1, -1], dtype=np.float32).reshape(1, 1, 2, 1).repeat(3, axis=3)
    weight = np.concatenate([weight, weight[:, :, :1]], axis=2)
    conv = g.Conv(name="d", source="p", weight=weight, binary=True, padding=1, stride=2)
    middle = (AVERAGE, conv, identity("e", "d"), neuron("t", "e"))
    with pytest.raises(SpikeloomError, match="strides over the averages"):
        single(1.0, side=4, middle=middle).lower()


def spikes(*nodes, **changes):
    """A context of these nodes and of spikes p, q of two channels."""
    tensors = [("p", 2, (4, 6)), ("q", 2, (4, 6))]
    return context(neuron("p", "x"), neuron("q", "x"), *nodes, tensors=tensors, **changes)


@pytest.mark.parametrize(("stride", "space"), [(1, (4, 6)), (2, (2, 3))])
def test_a_convolution_and_its_neuron(stride, space):
    node = conv("c", "p", 3, 2, 3, stride=stride)
    made = spikes(node, identity("b", "c", 3, weight=0.5, bias=0.25), neuron("s", "b"))
    assert binary.convolution(made, node)
    (layer,) = made.layers
    assert (layer.name, layer.source, layer.neuron.name) == ("c", "p", "s")
    assert (layer.stride, layer.pool, layer.residual, layer.shortcut) == (stride, 1, None, None)
    assert layer.weight.tolist() == (g.binarise(node.weight) > 0).tolist()
    assert (made.space["s"], made.widths["s"]) == (space, 3)
    assert {"c", "b", "s"} <= made.done
    for total in (-18, -1, 0, 1, 18):
        x = (layer.affine.factor * total + layer.affine.bias) >> layer.affine.shift
        assert np.abs(x - 4064 * (0.5 * total + 0.25)).max() <= 1  # rounded up


def test_a_sum_of_spikes_is_a_shortcut():
    node, add = conv("c", "p", 2, 2), g.Add(name="a", branch="b", stream="q")
    made = spikes(node, identity("b", "c", 2), add, neuron("s", "a"))
    assert binary.convolution(made, node)
    assert made.layers == []  # computed where the sum is
    assert binary.addition(made, add)
    (layer,) = made.layers
    assert layer.shortcut == Shortcut(source="q", value=4064)
    assert layer.residual is None
    assert {"c", "b", "a", "s"} <= made.done


def test_a_sum_that_is_read_again_is_stored():
    node, add = conv("c", "p", 2, 2), g.Add(name="a", branch="q", stream="b")
    mean = g.MeanTokens(name="m", source="a")
    made = spikes(node, identity("b", "c", 2), add, neuron("s", "a"), mean)
    binary.addition(made, add)
    (layer,) = made.layers
    assert layer.residual == Residual(output="a")
    assert layer.shortcut == Shortcut(source="q", value=4064)


def test_a_sum_of_norms_is_a_residual():
    nodes = [conv("c", "p", 2, 2), identity("b", "c", 2)]
    nodes += [conv("d", "q", 2, 2), identity("e", "d", 2)]
    add = g.Add(name="a", branch="e", stream="b")
    made = spikes(*nodes, add, neuron("s", "a"), neuron("t", "b"))
    binary.convolution(made, nodes[0])
    assert binary.convolution(made, nodes[2])
    binary.addition(made, add)
    first, second = made.layers
    assert (first.residual, first.neuron.name) == (Residual(output="b"), "t")
    assert (second.name, second.residual) == ("d", Residual(output="a", inputs=("b",)))


def test_a_sum_of_an_average_has_the_older_first():
    average = g.Average(name="h", older="x2", newer="x3")
    node, add = conv("c", "p", 2, 2), g.Add(name="a", branch="b", stream="h")
    stored = [identity("x2", "z"), identity("x3", "z")]
    made = spikes(*stored, average, node, identity("b", "c", 2), add, neuron("s", "a"))
    binary.addition(made, add)
    (layer,) = made.layers
    assert layer.residual == Residual(output="a", inputs=("x2", "x3"))
    assert "h" in made.done


def test_averages_are_counts_of_four():
    """Quarters lie in the scale; the largest sum is four times that of a convolution."""
    node = conv("c", "h", 2, 2, 3)
    average = g.AveragePool(name="h", source="p")
    made = spikes(average, node, identity("b", "c", 2), neuron("s", "b"))
    made.put("h", 2, (2, 3))
    binary.convolution(made, node)
    (layer,) = made.layers
    assert (layer.source, layer.pool) == ("p", 2)
    assert layer.affine.factor.tolist() == [(4064 << layer.affine.shift) // 4] * 2
    assert made.space["s"] == (2, 3)


def test_a_channel_that_one_count_decides_may_be_clamped():
    """Only where nothing is stored or added: its neuron fires, or not, all the same."""
    node = conv("c", "p", 2, 2)
    norm = identity("b", "c", 2)
    norm = dataclasses.replace(norm, weight=np.array([1, 40], np.float32))
    made = spikes(node, norm, neuron("s", "b"))
    binary.convolution(made, node)
    factor = made.layers[0].affine.factor
    assert factor[0] == 4064 << made.layers[0].affine.shift
    assert factor[1] < 40 * factor[0]
    made = spikes(node, norm, neuron("s", "b"), g.MeanTokens(name="m", source="b"))
    with pytest.raises(DoesNotFitError) as caught:
        binary.convolution(made, node)
    assert caught.value.group == "b"


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [dataclasses.replace(conv("c", "p"), binary=False)],
            "only the first convolution may",
        ),
        (
            [conv("c", "z"), identity("b", "c"), neuron("s", "b"), identity("z", "p")],
            "it reads z, which",
        ),
        ([conv("c", "z"), identity("b", "c"), neuron("s", "b")], "it reads z, which"),
        ([conv("c", "p"), identity("b", "c")], "b must feed one neuron, not 0"),
        (
            [conv("c", "p"), identity("b", "c"), neuron("s", "b"), neuron("t", "b")],
            "b must feed one neuron, not 2",
        ),
    ],
)
def test_convolutions_that_no_layer_is(nodes, message):
    with pytest.raises(SpikeloomError, match=f"c cannot be lowered: {message}"):
        binary.convolution(spikes(*nodes), nodes[0])


def test_a_sum_of_spikes_alone_is_refused_with_the_network():
    middle = (g.Add(name="p", branch="s", stream="s"), neuron("t", "p"))
    with pytest.raises(SpikeloomError, match="alone"):
        single(1.0, side=4, middle=middle).lower()


def test_what_a_sum_cannot_add():
    node, add = conv("c", "p", 2, 2), g.Add(name="a", branch="b", stream="z")
    flat = g.Flatten(name="z", source="p")
    made = spikes(node, identity("b", "c", 2), flat, add, neuron("s", "a"))
    with pytest.raises(SpikeloomError, match="a cannot be lowered: z is neither spikes nor a sum"):
        binary.addition(made, add)
