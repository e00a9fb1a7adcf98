"""The instruction of a run of means."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError, isa
from hw.arch.config import Config
from hw.arch.isa import Dest, Keep, Op
from sw.compiler import fit_config
from sw.network import BinaryLayer, Residual
from sw.testing import random_images
from tests.compiler.emit.made import code, fields, mapped, number
from tests.compiler.nets import conv, mean, network, pixel
from tests.meaned import MEANED

OWN = Config(means=0)  # means have instructions of their own
LAYERS = [
    pixel(),
    conv("a", "p", out=20, size=1, residual=Residual(output="r")),
    conv("b", "a.s", 20, 20, size=1, residual=Residual(output="s")),
    conv("c", "b.s", 20, size=1),
]


def test_sum_over_tokens():
    """30 tokens are 7 groups of 4 and 2 more, two steps; buffer A, in two column tiles."""
    net = network(pixel(), conv("a", "p", out=20), mean("a.s"), inputs=20, side=(5, 6))
    mapper = mapped(net, OWN)
    label, i = code(mapper)["mean"]
    assert (label.tensor, label.shape, label.head_width, label.pitch) == ("mean", (20,), 20, 0)
    assert i.op == Op.MEAN
    assert [i.count(level) for level in ("k", "dx", "dy", "t", "x", "y", "j", "h")] == [
        *(4, 2, 8),
        *(1, 1, 1, 2, 1),
    ]
    assert (i.row_k, i.row_dx, i.row_dy) == (1, 4 - 3, 8 - (3 + 4))
    assert i.row_j == 2 * 8 * 4
    assert fields(i, "mean_mask", "dest", "w_base", "w_j", "slots", "lanes", "n_par", "shift") == {
        "mean_mask": 2,
        "dest": Dest.PIX,
        "w_base": 0,
        "w_j": 16,
        "slots": 1,
        "lanes": 4,
        "n_par": 2,
        "shift": 0,
    }
    assert (i.par_j, i.par_h, i.tile_min) == (0, 2, 16)


def test_parameters():
    layer = dataclasses.replace(mean("a.s"), bias=-77, factor=1234)
    mapper = mapped(network(pixel(), conv("a", "p"), layer), OWN)
    base = mapper.constants.params["mean"]
    assert {number(mapper, lane, base, 32) for lane in range(16)} == {-77}
    assert {number(mapper, lane, base + 1, 18) for lane in range(16)} == {1234}


def test_two_sums_in_one_instruction():
    """A's numbers first; the label names both in the order of the buffers."""
    first = dataclasses.replace(mean("r", name="m"), bias=5, factor=6)
    second = dataclasses.replace(mean("s", name="n"), bias=7, factor=8)
    net = network(*LAYERS, first, second, sources=("m", "n"), inputs=40)
    mapper = mapped(net, OWN)
    label, i = code(mapper)["n + m"]
    assert label.tensor == "n,m"  # s lies in A
    assert i.n_h == 2
    base = mapper.constants.params["m"]
    assert i.par_base == base
    words = [number(mapper, 0, base + n, width) for n, width in enumerate((32, 18, 32, 18))]
    assert words == [7, 8, 5, 6]


def test_buffer_b_alone():
    """What A gives is written before the features, to no purpose, with zeros for parameters."""
    mapper = mapped(network(*LAYERS[:2], mean("r"), inputs=20, side=(5, 6)), OWN)
    label, i = code(mapper)["mean"]
    assert (label.tensor, i.n_h, i.w_base) == (",mean", 2, 0)
    assert mapper.place.feature_base == 32
    base = mapper.constants.params["mean"]
    assert [number(mapper, 0, base + n, 18) for n in range(4)] == [0, 0, 0, 1]


def test_means_of_single_tokens():
    """One sum a token: two steps of one word each; a group of R, then the next."""
    mapper = mapped(
        network(pixel(), conv("a", "p"), mean("a.s", over_tokens=False), inputs=240, side=(5, 6))
    )
    label, i = code(mapper)["mean"]
    assert (label.shape, label.pitch) == ((8, 5, 6), 6)
    assert [i.count(level) for level in ("k", "dx", "dy", "t", "x", "y", "j", "h")] == [
        *(1, 2, 1),
        *(4, 1, 8, 1, 1),
    ]
    assert (i.row_dx, i.row_t, i.row_y) == (4, 1, 8 - 3)
    assert (i.w_t, i.w_gs, i.mean_mask) == (16, 64, 0)


def test_more_groups_than_a_count_holds():
    """2304 tokens are 576 groups of 4: words one after the other, whatever the steps."""
    net = network(pixel(), conv("a", "p", size=1), mean("a.s"), side=(48, 48))
    _, i = code(mapped(net, OWN))["mean"]
    assert (i.n_k, i.n_dx, i.n_dy, i.mean_mask) == (2304 * 2, 1, 1, 0)


@pytest.mark.parametrize(("pixels", "base"), [(0, 0), (1, 30)], ids=["row", "pix"])
def test_a_mean_without_instruction(pixels, base):
    """The layer before it sums: two parameters more, the mean's; no residual memory.

    It lies at the start of pixel memory, or behind the image there.
    """
    layer = dataclasses.replace(mean("r"), bias=-77, factor=1234, shift=10)
    net = network(*LAYERS[:2], layer, inputs=20, side=(5, 6))
    mapper = mapped(net, Config(pixels=pixels))
    found = code(mapper)
    assert "mean" not in found
    label, i = found["a"]
    assert (label.mean, label.residual, label.tensor) == ("mean", "", "a.s")
    par = mapper.constants.params["a"]
    names = ("mean", "mean_shift", "mean_base", "keep", "n_par", "par_base", "par_j", "gap")
    assert fields(i, *names) == {
        "mean": Keep.Y,
        "mean_shift": 2,
        "mean_base": base,
        "keep": Keep.NONE,
        "n_par": 4,
        "par_base": par,
        "par_j": 4,
        "gap": 6,  # x is free 11 cycles after tau; 4 parameters, and a word
    }
    for tile in range(2):
        words = [number(mapper, 5, par + 4 * tile + n, b) for n, b in ((0, 32), (1, 18), (3, 18))]
        assert words == [-77, 1234, int(16 * tile + 5 < 20)]
    assert mapper.needs["res_depth"] == 0
    assert mapper.needs["res_bits"] == 1
    place = mapper.place
    assert (place.feature_base, place.residuals.features) == (base, {"mean": (0, 20)})


@pytest.mark.parametrize(("pixels", "base"), [(0, 0), (1, 16)], ids=["row", "pix"])
def test_a_mean_of_spikes_beside_one_with_an_instruction(pixels, base):
    """One sum a lane: the first mean of the spikes; the other reads what is kept for it."""
    net = network(
        *LAYERS[:1],
        conv("a", "p"),
        mean("a.s", name="m"),
        mean("a.s", name="n"),
        sources=("m", "n"),
        inputs=16,
        side=(4, 4),
    )
    found = code(mapped(net, Config(pixels=pixels)))
    _, i = found["a"]
    assert fields(i, "mean", "keep", "mean_base") == {
        "mean": Keep.SPIKE,
        "keep": Keep.SPIKE,
        "mean_base": base + 16,
    }
    assert found["n"][1].w_base == base
    assert "m" not in found


@pytest.mark.parametrize(("pixels", "base"), [(0, 0), (1, 18)], ids=["row", "pix"])
def test_means_of_pieces_follow_each_other(pixels, base):
    """A projection and the layer that adds it, in pieces of two column tiles, a word of spikes."""
    projection = conv("q", "p", out=80, neuron=False, residual=Residual(output="r"))
    layer = conv("a", "p", out=80, residual=Residual(output="s", inputs=("r",)))
    net = network(pixel(), projection, layer, mean("s"), inputs=80, side=(3, 6))
    mapper = mapped(net, Config(res_depth=100, pixels=pixels))
    decoded = isa.instructions(mapper.words)
    mine = [i for label, i in zip(mapper.labels, decoded, strict=True) if label.layer == "a"]
    assert [i.mean_base for i in mine] == [base, base + 32, base + 64]
    assert [i.par_base - mine[0].par_base for i in mine] == [0, 8, 16]


@pytest.mark.parametrize("side", [(5, 6), (4, 4), (1, 3)])
@pytest.mark.parametrize("over_tokens", [True, False])
@pytest.mark.parametrize("rows", [4, 8])
@pytest.mark.parametrize("lanes", [0, 1])
def test_numbers_equal_golden(side, over_tokens, rows, lanes, check):
    rng = np.random.default_rng(4)
    layers = [
        dataclasses.replace(layer, weight=rng.random(layer.weight.shape) < 0.5)
        if isinstance(layer, BinaryLayer)
        else dataclasses.replace(layer, weight=rng.integers(-9, 9, layer.weight.shape))
        for layer in LAYERS
    ]
    count = 20 * (1 if over_tokens else side[0] * side[1])
    means = [
        dataclasses.replace(mean(source, name=source * 2, over_tokens=over_tokens), factor=7)
        for source in "rs"
    ]
    net = network(*layers, *means, sources=("rr", "ss"), inputs=2 * count, side=side)
    program = check(net, Config(rows=rows, means=lanes), random_images(net, 2))
    tokens = -(-side[0] * side[1] // rows) * rows
    summed = bool(lanes) and over_tokens and 2 * tokens >= 16  # else they end before C words do
    assert [bool(label.mean) for label in program.labels[1:3]] == [summed] * 2


@pytest.mark.parametrize("rows", [4, 8, 16])
@pytest.mark.parametrize("name", MEANED)
def test_networks_of_means_equal_golden(name, rows, check):
    net, fused = MEANED[name]()
    if name == "one token" and rows == 16:
        fused = ["m"]  # a tile of 16 rows is as long as C words take
    images = random_images(net, 2)
    for means in (0, 1):
        try:
            config = fit_config(net, Config(rows=rows, cols=16, width=64, means=means))
        except SpikeloomError:
            assert not means  # without: gaps between image rows, or kept twice
            continue
        program = check(net, config, images)
        assert [label.mean for label in program.labels if label.mean] == fused * means
