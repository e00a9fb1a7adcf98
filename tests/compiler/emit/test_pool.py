"""The instruction of a pool of spikes."""

import dataclasses

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Dest, Op, Step
from sim.interpreter import interpret
from sim.interpreter.addresses import offsets
from sw.compiler import compile_network, fit_config, required
from sw.network import SpikePool
from sw.testing import random_images
from tests.compiler.emit.made import code, fields, mapped
from tests.compiler.nets import conv, mean, network, pixel, refused
from tests.pooled import KINDS, pooled_network


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
    assert (i.clip, i.row_base) == (1, mapper.place.base["p"])  # no word of the row above it
    walk = offsets(i, "row")
    assert {level: walk[level][-1] for level in ("dx", "dy", "t", "x", "y", "j")} == {
        "dx": 0,
        "dy": 2 * 18,
        "t": 2 * 2,
        "x": 2 * 6,
        "y": 3 * 2 * 18 - 18,  # from the first tile's row, which is its second
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


FUSED = (pixel(), conv("a", "p", out=40), SpikePool(name="pool", source="a.s"))
TAPS = (pixel(), conv("a", "p"), SpikePool(name="pool", source="a.s"))


def test_a_pool_without_instruction():
    """The layer before it writes its windows: to the pool's place, in the pool's numbers."""
    net = network(*FUSED, conv("b", "pool", 40), mean("b.s"), side=(7, 9), steps=3)
    mapper = mapped(net)
    found = code(mapper)
    assert "pool" not in found
    label, i = found["a"]
    target = mapper.place.layouts["pool"]
    assert "a.s" not in mapper.place.layouts
    assert not any(region.name == "a.s" for region in mapper.regions)
    assert (label.tensor, label.pooled, label.shape) == ("a.s", "pool", (40, 7, 9))
    assert fields(i, "pool", "n_step", "flat", "dest", "w_base", "w_gs", "w_t", "slots") == {
        "pool": 1,
        "n_step": Step.HALF,
        "flat": 0,
        "dest": Dest.ROW,
        "w_base": mapper.place.base["pool"],
        "w_gs": target.group,
        "w_t": 2,
        "slots": 2,
    }
    assert mapper.needs["pool_depth"] == 3 * 3 * 2  # three tiles of four columns, three steps
    own = code(mapped(net, Config(pool_depth=17)))
    assert own["pool"][1].op == Op.POOL
    assert (own["a"][1].pool, own["a"][1].n_step, own["a"][0].pooled) == (0, Step.ROWS, "")


def test_windows_packed_by_taps_have_the_width_of_the_pooled_image():
    _, i = code(mapped(network(*TAPS, conv("b", "pool"), mean("b.s"), side=(7, 9))))["a"]
    assert (i.dest, i.w_img_w, i.pool) == (Dest.ROW_TAPS, 5, 1)


@pytest.mark.parametrize("how", [{"stride": 2}, {"pool": 2}])
def test_a_pool_in_a_layer_is_refused_what_it_is_alone(how):
    net = network(*TAPS, conv("b", "pool", **how), mean("b.s"))
    for depth in (0, 128):
        config = Config(pool_depth=depth)
        refused(net, "layer 'pool': a pool cannot feed layers of stride 2", config)


def test_spikes_that_wait_for_their_pool_live_from_the_layer_before():
    """Another layer stands between a layer and its pool: nothing may lie where windows go."""
    late = SpikePool(name="pool", source="a.s")
    other = conv("c", "p", out=40)
    net = network(
        *FUSED[:2], other, conv("d", "c.s", 40), late, conv("b", "pool", 40), mean("b.s"), steps=1
    )
    place = mapped(net).place
    pool = range(place.base["pool"], place.base["pool"] + place.layouts["pool"].size)
    for name in ("p", "c.s"):
        other = range(place.base[name], place.base[name] + place.layouts[name].size)
        assert not set(pool) & set(other)


CORES = {
    "r4": Config(),
    "r4c8": Config(cols=8),
    "r8": Config(rows=8),
    "r16": Config(rows=16, width=64),
    "short": Config(pool_depth=1),
    "none": Config(pool_depth=0),
}


@pytest.mark.parametrize("side", [(9, 13), (16, 16), (5, 3), (8, 6), (1, 5)])
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", KINDS)
def test_pools_equal_golden(kind, core, side, check):
    net = pooled_network(3, side=side, **KINDS[kind])
    program = check(net, CORES[core], random_images(net, 2))
    fused = [label.pooled for label in program.labels if label.pooled]
    wanted = ["a.pool", "b.pool", "c.pool", "d.pool"][kind == "another reader" :]
    assert fused == (wanted if CORES[core].pool_depth else [])


def test_a_line_too_short_for_the_widest_pool_serves_the_others():
    net = pooled_network(3, side=(16, 16))
    narrow = fit_config(net, Config(pool_depth=0))
    for depth, fused in ((15, "bcd"), (7, "d"), (3, "")):
        config = dataclasses.replace(narrow, pool_depth=depth)
        program = compile_network(net, config)
        assert [label.pooled for label in program.labels if label.pooled] == [
            f"{name}.pool" for name in fused
        ]
        got = [run.logits.tolist() for run in interpret(program, random_images(net, 2), False)]
        assert got == net.run(random_images(net, 2)).logits.tolist()


def test_a_fit_makes_the_line_as_long_as_the_widest_pool_needs():
    net = pooled_network(3, side=(8, 16), steps=3)
    assert required(net, Config())["pool_depth"] == 24
    assert fit_config(net, Config(pool_depth=2)).pool_depth == 24
    assert fit_config(net, Config(pool_depth=99)).pool_depth == 99
    assert fit_config(net, Config(pool_depth=0)).pool_depth == 0
    fitted = fit_config(net, Config(pool_depth=2, row_depth=64))
    assert fitted.row_depth == fit_config(net, Config(row_depth=64)).row_depth
    assert fitted.row_depth < fit_config(net, Config(pool_depth=0, row_depth=64)).row_depth
