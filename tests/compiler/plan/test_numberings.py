"""Numberings of tokens that layers agree on, or not."""

from sw.compiler import compile_network
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
