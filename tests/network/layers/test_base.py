"""What layer kinds have without stating it: writes, and lanes' bounds and golden function."""

from dataclasses import dataclass

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.network import Affine, Neuron, Residual, Shortcut
from sw.network.checks import MAX_COUNT, PRODUCT_MAX
from sw.network.layers.base import (
    LaneLayer,
    Layer,
    by_heads,
    neuron_of,
    residual_of,
    shortcut_of,
)
from tests.network.handmade import affine, ranges, shapes


@dataclass(frozen=True, kw_only=True)
class Lanes(LaneLayer):
    """Sums that are given."""

    affine: Affine
    largest: int = 1
    neuron: Neuron | None = None
    residual: Residual | None = None
    shortcut: Shortcut | None = None

    def shapes(self, ask):
        ask.put(self.name, (1, 1, 1))

    def largest_sum(self, ask):
        return self.largest

    def sums(self, run, tensors):
        return tensors["sums"]


class Recorder:
    """Keeps what a golden function asks of the lanes."""

    def lane(self, *positional, **named):
        self.asked = positional, named
        return {"written": np.zeros(1)}


def test_a_layer_states_its_parts():
    layer = Layer(name="a")
    assert (layer.last, layer.spikes(), layer.writes(), layer.tokens()) == (False, None, ("a",), ())
    for call in (
        layer.reads,
        lambda: layer.shapes(shapes({})),
        lambda: layer.bounds(None),  # pyright: ignore[reportArgumentType]
        lambda: layer.golden(None, {}),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises(NotImplementedError):
            call()


def test_spikes_are_called_after_the_neuron():
    neuron = Neuron(name="s", theta=1)
    layer = Lanes(name="a", affine=affine(1), neuron=neuron)
    assert (layer.spikes(), layer.writes()) == ("s", ("s",))
    silent = Lanes(name="a", affine=affine(1))
    assert (silent.spikes(), silent.writes()) == (None, ("a",))


def test_parts_are_found_where_there_are_any():
    neuron, residual = Neuron(name="s", theta=1), Residual(output="r")
    shortcut = Shortcut(source="p", value=3)
    layer = Lanes(name="a", affine=affine(1), neuron=neuron, residual=residual, shortcut=shortcut)
    assert neuron_of(layer) is neuron
    assert residual_of(layer) is residual
    assert shortcut_of(layer) is shortcut
    plain = Layer(name="a")
    assert (neuron_of(plain), residual_of(plain), shortcut_of(plain)) == (None, None, None)


@pytest.mark.parametrize(("factor", "bias"), [(3, 5), (-3, -5), (3, -5)])
def test_the_accumulator_holds_the_worst_channel(factor, bias):
    """|factor| * largest + |bias| of one of two channels, to the last unit."""
    room = PRODUCT_MAX - 3 * 7
    most = room if bias > 0 else -room
    two = Affine(factor=np.array([1, factor]), bias=np.array([0, most]), shift=4)
    layer = Lanes(name="a", affine=two, largest=7)
    layer.bounds(ranges(layer, {}))
    over = Affine(factor=two.factor, bias=two.bias + np.sign(most), shift=4)
    layer = Lanes(name="a", affine=over, largest=7)
    with pytest.raises(SpikeloomError, match=f"sums reach {PRODUCT_MAX + 1}, the accumulator"):
        layer.bounds(ranges(layer, {}))


def test_an_array_element_holds_the_largest_count():
    layer = Lanes(name="a", affine=affine(1), largest=MAX_COUNT)
    layer.bounds(ranges(layer, {}))
    layer = Lanes(name="a", affine=affine(1), largest=MAX_COUNT + 1)
    with pytest.raises(SpikeloomError, match=f"counts reach {MAX_COUNT + 1}, an array element"):
        layer.bounds(ranges(layer, {}))


def test_lanes_get_sums_and_every_part():
    layer = Lanes(
        name="a",
        affine=affine(1),
        neuron=Neuron(name="s", theta=1),
        residual=Residual(output="r"),
        shortcut=Shortcut(source="p", value=3),
    )
    tensors, run = {"sums": np.arange(3)}, Recorder()
    assert list(layer.golden(run, tensors)) == ["written"]  # pyright: ignore[reportArgumentType]
    (sums, scale, given), named = run.asked
    assert sums is tensors["sums"]
    assert scale is layer.affine
    assert given is tensors
    assert named == {"neuron": layer.neuron, "residual": layer.residual, "shortcut": layer.shortcut}


def test_channels_are_split_head_by_head():
    """Channel c = head * d + i, tokens row by row."""
    spikes = np.arange(2 * 3 * 6 * 2 * 5).reshape(2, 3, 6, 2, 5)
    got = by_heads(spikes, 3)
    assert got.shape == (2, 3, 3, 2, 10)
    for (t, b, h, i, n), value in np.ndenumerate(got):
        assert value == spikes[t, b, h * 2 + i, n // 5, n % 5]
