"""What patterns ask of a graph while it is lowered: readers, folded norms, dead channels."""

import dataclasses

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower.context import CURE, DEAD
from sw.lower.quantise import DoesNotFitError
from tests.lower.small import context, conv, identity, neuron

LIF = g.LIF(name="s", source="b")


def test_the_image_has_its_size():
    made = context()
    assert made.space == {g.IMAGE: (4, 6)}
    assert (made.steps, context(stream=True).steps) == (2, 1)


def test_what_is_put_is_done():
    made = context(tensors=[("p", 3, (2, 5))])
    assert (made.widths, made.space["p"], made.done) == ({"p": 3}, (2, 5), {"p"})


def test_refusals_name_network_node_and_cure():
    with pytest.raises(SpikeloomError, match=rf"^small: s cannot be lowered: odd; {CURE}$"):
        context().fail(LIF, "odd")
    with pytest.raises(SpikeloomError, match=r"^small: s cannot be lowered: odd; paint it$"):
        context().fail(LIF, "odd", "paint it")


def test_the_only_reader_is_of_the_kind():
    made = context(identity("b", "c"), LIF, identity("x", "b"), g.LIF(name="t", source="x"))
    assert made.only("x", g.LIF) is made.nodes["t"]
    assert made.only("x", g.BatchNorm) is None
    assert made.only("b", g.LIF) is None  # one of two
    assert made.only("s", g.LIF) is None


def test_norm_scale_and_bias_are_one_line():
    """y = norm * (scale * S + bias) + rest."""
    node = conv("c", "image", 2, scale=np.array([4.0, 8.0], np.float32), bias=np.array([3.0, 5.0]))
    norm = identity("b", "c", 2, weight=2.0, bias=7.0)
    made = context(node, norm)
    bn, a, b = made.folded(node)
    assert bn is norm
    assert (a.tolist(), b.tolist()) == ([8.0, 16.0], [13.0, 17.0])
    assert made.done == {"c", "b"}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (conv("c", "image", size=3, stride=3), "only stride 1 or 2 with 'same' padding exists"),
        (dataclasses.replace(conv("c", "image", size=3), padding=0), "only stride 1 or 2 with"),
        (conv("c", "image", size=9), "its kernel is 9x9, at most 7x7 fits"),
        (conv("c", "p", size=5), "its kernel is 5x5, at most 3x3 fits"),
        (conv("other", "image"), "a BatchNorm must follow, alone"),
    ],
)
def test_convolutions_that_no_layer_is(node, message):
    with pytest.raises(SpikeloomError, match=f"cannot be lowered: {message}"):
        context(node, identity("b", "c")).folded(node)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_the_image_may_have_wide_kernels(size):
    node = conv("c", "image", size=size, stride=2)
    context(node, identity("b", "c")).folded(node)


def test_channels_are_dead_below_a_share_of_a_count():
    """Deviations of the norm against DEAD times the magnitude of one count."""
    node = conv("c", "p", 4)
    var = np.array([1.0, 0.0, 0.99, 1.01], np.float32) * np.float32(DEAD * 2) ** 2
    bias = np.array([1, 0.5, 1e9, -1e9], np.float32)
    norm = dataclasses.replace(identity("b", "c", 4), var=var, bias=bias)
    made = context(node, norm)
    rest = made.dead_channels(node, norm, -2.0, 4096.0)
    assert rest is not None
    assert rest.mask[1:].tolist() == [True, True, False]
    assert made.dead["c"] == np.flatnonzero(rest.mask).tolist()
    most = 2 * MEMBRANE_MAX / 4096
    assert rest.level.tolist() == [1, 0.5, most, -most]
    each = np.array([1.0, 2.0, 1.0, 10.0])
    rest = made.dead_channels(node, norm, each, 4096.0)
    assert rest is not None
    assert rest.mask.tolist() == [False, True, False, True]


def test_no_dead_channel_is_no_note():
    node, norm = conv("c", "p"), identity("b", "c")
    made = context(node, norm)
    assert made.dead_channels(node, norm, 1.0, 4096.0) is None
    assert made.dead == {}


def test_scales_that_do_not_fit_name_the_group_of_a_state():
    """By its key, the first tensor's; the fraction bits are for the others."""
    for node, group in ((neuron("s", "e"), "b"), (g.LIF(name="s", source="e"), None)):
        add = g.Add(name="e", branch="b", stream="d")
        made = context(identity("b", "c"), identity("d", "c"), add, node)
        with pytest.raises(DoesNotFitError) as caught, made.in_group("e"):
            raise DoesNotFitError("x")
        assert caught.value.group == group


def test_neurons_of_a_stream_keep_a_state():
    made = context(identity("b", "c"), LIF, stream=True)
    with pytest.raises(SpikeloomError, match="s cannot be lowered: a stream needs neurons whose"):
        made.neuron(LIF)
    kept = neuron("s", "b")
    made = context(identity("b", "c"), kept, stream=True)
    assert made.neuron(kept).state is not None
    assert made.done == {"s"}
