"""Which layers run some column tiles at a time, and how many."""

import pytest

from hw.arch.config import Config
from sw.compiler.emit import emissions
from sw.compiler.plan.numberings import Numberings
from sw.compiler.plan.spill import find_pieces, tile_words
from sw.compiler.plan.tensors import Uses
from sw.network import Residual
from tests.compiler.nets import STATE, conv, mean, network, pixel


def pieces(net, **changes):
    config = Config(**{"res_depth": 64} | changes)
    uses = Uses(net, emissions())
    numbers = Numberings(uses, config)
    return uses, numbers, config, find_pieces(uses, numbers, config)


def told(found):
    """By the last layer: names of the layers, tensors, column tiles, index of the last."""
    return {
        name: ([layer.name for layer in p.layers], list(p.names), p.tiles, p.ends)
        for name, p in found.items()
    }


def sums(out=8, side=(3, 6), **options):
    """A layer and the mean of its spikes, over ``out`` channels."""
    layers = pixel(), conv("a", "p", out=out), mean("a.s")
    return network(*layers, inputs=out, side=side, **options)


def test_words_of_a_column_tile():
    """Steps x groups x R: 18 tokens in 5 groups of 4, or 3 of 8; 3 steps."""
    for rows, words in ((4, 60), (8, 72)):
        uses, numbers, config, _ = pieces(sums(steps=3), rows=rows)
        assert tile_words(uses, numbers, config, "a.s") == words


def test_a_layer_and_the_mean_of_its_spikes():
    """40 words a tile, of 2 steps; a word of spikes has 2 tiles, and none is cut."""
    assert told(pieces(sums(out=16))[-1]) == {}  # one tile
    assert told(pieces(sums(out=32))[-1]) == {}  # a word of spikes: two tiles
    found = pieces(sums(out=48))[-1]
    assert told(found) == {"mean": (["a", "mean"], ["a.s"], 2, 2)}
    (piece,) = found.values()
    assert [piece.include(layer) for layer in sums(out=48).layers] == [False] * 4  # other objects
    assert told(pieces(sums(out=80), res_depth=160)[-1])["mean"][2] == 4
    assert told(pieces(sums(out=80), res_depth=159)[-1])["mean"][2] == 2
    assert told(pieces(sums(out=80), res_depth=200)[-1]) == {}  # just the 5 tiles
    assert told(pieces(sums(out=80), res_depth=199)[-1])["mean"][2] == 4


def test_pieces_know_their_layers():
    net = sums(out=48)
    *_, found = pieces(net)
    assert [found["mean"].include(layer) for layer in net.layers] == [False, True, True, False]


def projection(*more, **options):
    """A layer without neuron, whose sums the next adds."""
    return network(
        pixel(),
        conv("a", "p", out=48, size=1, neuron=False, residual=Residual(output="r")),
        conv("b", "p", out=48, size=1, residual=Residual(output="s", inputs=("r",))),
        *more,
        **{"side": (3, 6), "inputs": 48} | options,
    )


def test_a_projection_and_the_layer_that_adds_it():
    net = projection(conv("c", "b.s", 48, 8), mean("c.s"), inputs=8)
    assert told(pieces(net)[-1]) == {"b": (["a", "b"], ["r"], 2, 2)}


def test_a_projection_the_layer_and_the_mean():
    net = projection(mean("b.s"))
    assert told(pieces(net)[-1]) == {"mean": (["a", "b", "mean"], ["r", "b.s"], 2, 3)}


@pytest.mark.parametrize(
    "more",
    [
        (mean("s"),),  # the sum is read once more
        (mean("b.s"), mean("b.s", name="other")),  # two means
        (conv("c", "b.s", 48, 48), mean("b.s"), mean("c.s", name="other")),  # not the next layer
    ],
)
def test_what_must_run_as_a_whole(more):
    names = tuple(layer.name for layer in more if layer.name in ("mean", "other"))
    net = projection(*more, sources=names, inputs=48 * len(names))
    assert "mean" not in pieces(net)[-1]


def test_sums_that_two_layers_read():
    layers = (
        pixel(),
        conv("a", "p", out=48, size=1, neuron=False, residual=Residual(output="r")),
        conv("b", "p", out=48, size=1, residual=Residual(output="s", inputs=("r",))),
        conv("c", "p", out=48, size=1, residual=Residual(output="t", inputs=("r",))),
        conv("d", "b.s", 48, 8),
        mean("d.s"),
    )
    assert told(pieces(network(*layers, side=(3, 6)))[-1]) == {}


def test_means_of_a_stream_run_as_a_whole():
    layers = pixel(state=STATE), conv("a", "p", out=48, state=STATE), mean("a.s")
    net = network(*layers, inputs=48, side=(9, 9), steps=1, stream=True)
    assert told(pieces(net)[-1]) == {}
