"""The instruction of a pool of spikes."""

import dataclasses

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Dest, Op, Step
from sim.interpreter.addresses import offsets
from sw.network import SpikePool
from sw.testing import random_images
from tests.compiler.emit.made import code, fields, mapped
from tests.compiler.nets import conv, mean, network, pixel, refused


@pytest.mark.parametrize("how", [{"stride": 2}, {"pool": 2}])
def test_pool_before_halving(how):
    net = network(
        pixel(), SpikePool(name="pool", source="p"), conv("a", "pool", **how), mean("a.s")
    )
    refused(net, "a pool cannot feed layers of stride 2 or with pool 2")


def test_instruction():
    """Windows of 3 rows and columns; 40 channels are 2 words, 9 columns 3 groups of 4."""
    net = network(
        pixel(out=40),
        SpikePool(name="pool", source="p"),
        conv("a", "pool", 40),
        mean("a.s"),
        side=(7, 9),
        steps=3,
    )
    mapper = mapped(net)
    label, i = code(mapper)["pool"]
    source, target = (mapper.place.layouts[name] for name in ("p", "pool"))
    assert (source.words, source.group, source.line) == (2, 6, 18)
    assert (label.tensor, label.shape) == ("pool", (40, 4, 5))
    assert (i.op, i.n_step) == (Op.POOL, Step.HALF)
    assert [i.count(level) for level in ("k", "dx", "dy", "t", "x", "y", "j", "h")] == [
        *(1, 2, 3),
        *(3, 3, 4, 2, 1),
    ]
    assert i.row_base == mapper.place.base["p"]  # of dy = 1
    walk = offsets(i, "row")
    assert {level: walk[level][-1] for level in ("dx", "dy", "t", "x", "y", "j")} == {
        "dx": 0,
        "dy": 2 * 18,
        "t": 2 * 2,
        "x": 2 * 6,
        "y": 3 * 2 * 18 - 18,
        "j": 1,
    }
    assert fields(i, "img_w", "img_h", "shift_left", "pad_y", "y_twice", "row_gs", "tile_min") == {
        "img_w": 9,
        "img_h": 7,
        "shift_left": 1,
        "pad_y": 1,
        "y_twice": 1,
        "row_gs": 6,
        "tile_min": 6,
    }
    assert fields(i, "dest", "w_base", "w_gs", "w_t", "w_j", "slots", "flat") == {
        "dest": Dest.ROW,
        "w_base": mapper.place.base["pool"],
        "w_gs": target.group,
        "w_t": 2,
        "w_j": 1,
        "slots": 1,
        "flat": 0,
    }


@pytest.mark.parametrize("side", [(7, 9), (8, 8), (5, 3)])
@pytest.mark.parametrize("rows", [4, 8])
def test_spikes_equal_golden(side, rows, check):
    first = pixel(out=40)
    rng = np.random.default_rng(5)
    first = dataclasses.replace(first, weight=rng.integers(-9, 9, first.weight.shape))
    net = network(
        first,
        SpikePool(name="pool", source="p"),
        conv("a", "pool", 40),
        mean("a.s"),
        side=side,
    )
    check(net, Config(rows=rows), random_images(net, 2))


def test_pool_between_flat_tokens():
    """What 1x1 layers alone read is numbered without gaps: no image that a pool could write."""
    net = network(
        pixel(), SpikePool(name="pool", source="p"), conv("a", "pool", size=1), mean("a.s")
    )
    refused(net, "layer 'pool': a pool can stand between image layouts only")
