"""Which pools write-back makes of another layer's spikes."""

import pytest

from hw.arch.config import Config
from sw.compiler.emit import emissions
from sw.compiler.plan.fusions import Fusions
from sw.compiler.plan.tensors import Uses
from sw.network import SpikePool
from tests.compiler.nets import conv, mean, network, pixel

POOL = SpikePool(name="pool", source="a.s")


def fusions(*layers, config=None, **options):
    net = network(*layers, **options)
    return net, Fusions(Uses(net, emissions()), config or Config())


def test_a_pool_goes_into_the_layer_before_it():
    net, found = fusions(pixel(), conv("a", "p"), POOL, conv("b", "pool"), mean("b.s"))
    a = net.layers[1]
    assert found.pools == {"a": POOL}
    assert [found.include(layer) for layer in net.layers] == [0, 0, 1, 0, 0, 0]
    assert [found.writes(layer) for layer in net.layers[:4]] == ["p", "pool", "pool", "b.s"]
    assert (found.maker("p"), found.maker("pool"), found.maker("b.s")) == (0, 1, 3)
    assert found.writes(a) == "pool"


@pytest.mark.parametrize(
    ("rows", "side", "steps", "words"),
    [(4, (8, 8), 2, 8), (4, (8, 9), 3, 18), (8, (3, 9), 1, 8), (16, (3, 3), 4, 32)],
)
def test_a_line_has_a_place_for_each_window_of_an_image_row(rows, side, steps, words):
    layers = (pixel(), conv("a", "p"), POOL, conv("b", "pool"), mean("b.s"))
    for depth in (0, words - 1, words, words + 1):
        config = Config(rows=rows, pool_depth=depth)
        _, found = fusions(*layers, config=config, side=side, steps=steps)
        assert (set(found.pools), found.line) == (({"a"}, words) if depth >= words else (set(), 0))


@pytest.mark.parametrize(
    "layers",
    [
        (SpikePool(name="pool", source="p"), conv("b", "pool")),
        (
            conv("a", "p"),
            POOL,
            conv("c", "a.s"),
            conv("b", "pool", shortcut=None),
            mean("c.s", "m"),
        ),
        (conv("a", "p"), POOL, SpikePool(name="pool2", source="a.s"), conv("b", "pool")),
        (conv("a", "p"), POOL, conv("b", "pool"), mean("a.s", "m")),
    ],
    ids=["behind-pixels", "another-reader", "two-pools", "a-mean"],
)
def test_a_pool_with_an_instruction_of_its_own(layers):
    _, found = fusions(pixel(), *layers, mean("b.s"))
    assert (found.pools, found.line) == ({}, 0)


def test_a_pool_behind_a_pool():
    second = SpikePool(name="pool2", source="pool")
    _, found = fusions(pixel(), conv("a", "p"), POOL, second, conv("b", "pool2"), mean("b.s"))
    assert found.pools == {"a": POOL}
    assert not found.include(second)
