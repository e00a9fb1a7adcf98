"""Random layers one by one: what each appends, and that its neurons have something to do."""

import numpy as np
import pytest

from hw.arch import isa
from hw.arch.formats import BIAS_MAX, FACTOR_MAX, MEMBRANE_MAX, SHIFTS
from sw.network import AttentionApply, AttentionMap, BinaryLayer, Head, Mean, PixelConv, Residual
from sw.testing import random_images, random_network
from sw.testing.maker import SAMPLES, Maker
from tests.networks import SMALL


def maker(seed=0, side=8, **options):
    """A maker with a first layer of 16 channels, whose spikes are "p"."""
    made = Maker(seed, 2, 12, **options)
    shape = (1, SAMPLES, 2, side, side)
    made.env["image"] = made.rng.integers(0, 256, shape, dtype=np.uint8)
    assert made.pixel("first", 2, 16, "p") == "p"
    return made


def test_images_have_corners_of_black_and_white():
    network = random_network(1, **SMALL | {"channels": 3})
    images = random_images(network, 200, seed=4)
    assert (images.dtype, images.shape) == (np.uint8, (200, 3, 8, 8))
    assert abs((images == 0).mean() - 0.2) < 0.02
    assert abs((images == 255).mean() - 0.08) < 0.02
    assert images.tobytes() == random_images(network, 200, seed=4).tobytes()
    assert images.tobytes() != random_images(network, 200, seed=5).tobytes()
    moving = random_network(1, **SMALL | {"per_step_input": True})
    assert random_images(moving, 3).shape == (3, 2, 1, 8, 8)


@pytest.mark.parametrize("seed", range(4))
def test_the_first_layer(seed):
    made = maker(seed)
    (layer,) = made.layers
    assert isinstance(layer, PixelConv)
    assert (layer.name, layer.padding, layer.stride) == ("first", 1, 1)
    assert layer.weight.shape == (16, 2, 3, 3)
    assert made.env["p"].shape == (2, SAMPLES, 16, 8, 8)
    assert 0.02 < made.env["p"].mean() < 0.98
    assert made.pixel("again", 2, 4, "q", side=5, stride=2) == "q"
    assert made.env["q"].shape == (2, SAMPLES, 4, 4, 4)


@pytest.mark.parametrize("seed", range(6))
def test_wide_pixels_are_drawn_from_whole_fields(seed):
    made = Maker(seed, 1, 12, wide=True)
    field = isa.BY_NAME["centre0"]
    shifts, bits, ends = set(), set(), set()
    for _ in range(300):
        shift, centre, width, room = made._wide_pixels(10, 90)
        assert centre[8:] == centre[:2]
        assert all(field.least <= c <= field.most for c in centre)
        assert 2 <= width <= width + room <= 18
        shifts.add(shift)
        bits.add(width)
        ends |= set(centre) & {field.least, field.most}
    assert shifts == set(range(isa.BY_NAME["pix_shift"].most + 1))
    assert min(bits) == 2
    assert ends == {field.least, field.most}


def test_scales_are_of_both_signs_and_within_their_fields():
    made = maker()
    sums = made.rng.integers(-40, 40, (2, 3, 500, 4, 4))
    sums[:, :, 0] = 0
    got = made.affine(sums, (500,), 2)
    assert got.factor.shape == got.bias.shape == (500,)
    assert got.shift in SHIFTS
    assert np.abs(got.factor).max() <= FACTOR_MAX
    assert np.abs(got.bias).max() <= BIAS_MAX
    for there in (got.factor > 0, got.factor < 0, got.factor == 0):
        assert there.any()
    x = (
        got.factor[:, None] * sums.swapaxes(0, 2).reshape(500, -1) + got.bias[:, None]
    ) >> got.shift
    share = (x >= made.one).mean()
    assert 0.1 < share < 0.6


def test_binary_layers():
    made = maker()
    assert made.binary("a", "p", 8, 3, "s", stride=2) == "s"
    assert made.binary("b", "p", 4, 1, None, Residual(output="r")) == ""
    assert made.binary("c", "p", 16, 1, "t", shortcut="p") == "t"
    assert made.binary("d", "p", 6, 3, "u", pool=2) == "u"
    strided, stored, short, pooled = made.layers[1:]
    assert all(isinstance(layer, BinaryLayer) for layer in made.layers[1:])
    assert (strided.stride, strided.source, strided.weight.shape) == (2, "p", (8, 16, 3, 3))
    assert (stored.neuron, stored.residual.output) == (None, "r")
    assert short.shortcut.source == "p"
    assert (pooled.pool, pooled.stride) == (2, 1)
    shapes = {name: made.env[name].shape[2:] for name in "srtu"}
    assert shapes == {"s": (8, 4, 4), "r": (4, 8, 8), "t": (16, 8, 8), "u": (6, 4, 4)}


def test_values_of_shortcuts_reach_their_ends():
    made = maker()
    values = [made._value() for _ in range(400)]
    assert {0, MEMBRANE_MAX, -MEMBRANE_MAX} <= set(values)
    usual = [abs(v) for v in values if v not in (0, MEMBRANE_MAX, -MEMBRANE_MAX)]
    assert 0.3 * made.one <= min(usual) + 1
    assert max(usual) <= 1.5 * made.one
    assert any(v < 0 for v in values)


@pytest.mark.parametrize(("order", "similarity"), [("qk", "and"), ("qk", "xnor"), ("kv", "and")])
@pytest.mark.parametrize("seed", range(3))
def test_attention(seed, order, similarity):
    made = maker(seed)
    for name in "qkv":
        made.binary(f"{name}_conv", "p", 16, 1, name)
    made.map("at", "q", "k", 2, order, similarity)
    assert made.apply("at", "v", 2, order) == "at.attn_lif"
    first, second = made.layers[-2:]
    assert isinstance(first, AttentionMap)
    assert isinstance(second, AttentionApply)
    assert (first.name, first.neuron.name, first.neuron.soft) == ("at.map", "at.attn_lif0", True)
    assert (second.map, second.source) == ("at.attn_lif0", "v")
    side = 64 if order == "qk" else 8
    assert made.env["at.attn_lif0"].shape == (2, SAMPLES, 2, side, side)
    assert 0 < made.env["at.attn_lif0"].mean() < 1
    assert made.env["at.attn_lif"].shape == made.env["v"].shape


def test_heads_read_means_of_both_residuals():
    made = maker()
    for name in ("old", "new"):
        made.binary(f"{name}_conv", "p", 16, 1, None, Residual(output=name))
    made.heads("old", "new", 5)
    *means, head = made.layers[-3:]
    assert all(isinstance(layer, Mean) for layer in means)
    assert [layer.source for layer in means] == ["old", "new"]
    assert isinstance(head, Head)
    assert head.sources == tuple(layer.name for layer in means)
    assert head.weight.shape == (5, 32)
    assert np.abs(made.env["logits"]).max() < MEMBRANE_MAX
