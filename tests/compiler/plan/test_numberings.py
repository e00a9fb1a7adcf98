"""Numberings of tokens that layers agree on, or not."""

from hw.arch.config import Config
from sw.compiler import compile_network
from sw.compiler.emit import emissions
from sw.compiler.plan.numbering import Numbering
from sw.compiler.plan.numberings import Numberings
from sw.compiler.plan.tensors import Uses
from sw.network import Residual, Shortcut, SpikePool
from tests.compiler.nets import conv, mean, network, pixel, refused


def test_mixed_readers_of_a_split_layout():
    for other in (conv("b", "p"), SpikePool(name="b", source="p"), conv("b", "p", size=1)):
        net = network(pixel(), conv("a", "p", stride=2), other, mean("a.s"))
        refused(net, r"reads 'p' column by column, but layer 'a' reads it with stride 2 or pool 2")


def test_shortcut_of_a_split_layout():
    net = network(
        pixel(),
        conv("a", "p", pool=2),
        conv("b", "p"),
        conv("c", "b.s", shortcut=Shortcut(source="p", value=3)),
        mean("c.s"),
    )
    refused(net, "reads 'p' column by column")


def test_residual_numbered_in_two_ways():
    """Spikes of one layer go to a 3x3 layer, of the other to one of stride 2."""
    layers = [
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        conv("b", "a.s", residual=Residual(output="s", inputs=("r",))),
        conv("c", "b.s", stride=2),
        mean("c.s"),
    ]
    net = network(*layers, side=(6, 9))
    refused(net, r"layer 'b': numbers 'r' with 16 tokens per image row, layer 'a' with 12")
    compile_network(network(*layers, side=(6, 16)))  # all numberings are one


FLAT, GRID, PAIR = Numbering


def numbered(*layers, config=None, **options):
    net = network(*layers, **options)
    return Numberings(Uses(net, emissions()), config or Config())


def test_readers_choose():
    """1x1 layers, 3x3 layers and layers of stride 2, of images 9 columns wide."""
    found = numbered(
        pixel(),
        conv("a", "p", size=1),
        conv("b", "a.s"),
        conv("c", "b.s", stride=2),
        mean("c.s"),
        side=(6, 9),
    )
    assert found.tensor == {"p": GRID, "a.s": GRID, "b.s": PAIR, "c.s": FLAT}
    assert found.layer == {
        "pixel": GRID,
        "a": GRID,
        "b": PAIR,
        "c": FLAT,
        "mean": FLAT,
        "logits": FLAT,
    }


def test_padded_output_asks_for_padded_input():
    """A 1x1 layer that writes padded rows reads padded rows."""
    found = numbered(pixel(), conv("a", "p", size=1), conv("b", "a.s"), mean("b.s"), side=(6, 9))
    assert (found.tensor["p"], found.tensor["a.s"]) == (GRID, GRID)


def test_spikes_of_which_a_mean_reads_are_flat():
    found = numbered(pixel(), conv("a", "p"), mean("a.s"), side=(6, 9))
    assert (found.tensor["a.s"], found.layer["a"]) == (FLAT, FLAT)
    assert found.groups == {"a.s": 14}  # 54 tokens, 4 in a group


def test_layers_of_one_residual_are_numbered_alike():
    """Layer b writes padded rows for c, so a, whose sum it adds, pads them too."""
    layers = (
        pixel(),
        conv("a", "p", neuron=False, residual=Residual(output="r")),
        conv("b", "p", residual=Residual(output="s", inputs=("r",))),
        conv("c", "b.s"),
        mean("c.s"),
    )
    found = numbered(*layers, side=(6, 9))
    assert [found.layer[name] for name in "abc"] == [GRID, GRID, FLAT]
    # 6 rows of 3 groups; c's 54 tokens in 14
    assert found.groups == {"r": 18, "c.s": 14}
    wide = numbered(*layers, side=(6, 9), config=Config(rows=8))
    assert wide.groups == {"r": 12, "c.s": 7}


def test_residuals_are_linked_through_others():
    """r and t are never touched by one layer, but s is touched with both."""
    found = numbered(
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        conv("b", "a.s", residual=Residual(output="s", inputs=("r",))),
        conv("c", "b.s", residual=Residual(output="t", inputs=("s",))),
        conv("d", "c.s", size=1),
        mean("t"),
        side=(6, 9),
    )
    assert [found.layer[name] for name in "abc"] == [GRID] * 3
    assert [found.groups[name] for name in "rst"] == [18] * 3
