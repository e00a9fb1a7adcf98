"""Convolutions on the array as instructions."""

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Dest, Op, Pack, Step
from sim.interpreter.addresses import offsets
from sw.compiler.emit.gemm import taps_inside
from sw.network import Residual, Shortcut
from tests.compiler.emit.made import code, fields, mapped
from tests.compiler.nets import STATE, attention, conv, mean, network, pixel, refused

LEVELS = ("k", "dx", "dy", "t", "x", "y", "j", "h")


def test_instruction():
    """40 channels of 6 x 9 to 20: two words and two column tiles; 3 steps."""
    net = network(
        pixel(out=40),
        conv("a", "p", 40, 20),
        conv("b", "a.s", 20),
        mean("b.s"),
        side=(6, 9),
        steps=3,
    )
    mapper = mapped(net)
    label, i = code(mapper)["a"]
    assert (label.tensor, label.residual, label.kind, label.shape) == (
        *("a.s", "", "spikes"),
        (20, 6, 9),
    )
    assert (label.head_width, label.first, i.op, i.n_step) == (0, 0, Op.GEMM, Step.ROWS)
    assert [i.count(level) for level in LEVELS] == [2, 3, 3, 3, 3, 6, 2, 1]
    row, col = offsets(i, "row"), offsets(i, "col")
    assert {level: int(row[level][-1]) for level in LEVELS} == {
        "k": 1,
        "dx": 0,
        "dy": 2 * 18,  # three groups of 3 x 2 words
        "t": 2 * 2,
        "x": 2 * 6,
        "y": 5 * 18 - 18,  # the first word is that of dy = 1
        "j": 0,
        "h": 0,
    }
    assert {level: int(col[level][-1]) for level in LEVELS} == {
        "k": 1,
        "dx": 2 * 2,
        "dy": 2 * 6,
        "t": 0,
        "x": 0,
        "y": -6,
        "j": 18,
        "h": 0,
    }
    assert (i.clip, i.row_up, i.col_up) == (1, -18, -6)
    assert i.row_base == mapper.place.base["p"]
    assert i.col_base == mapper.constants.weights["a"] + 6
    assert fields(i, "par_base", "n_par", "par_j", "par_h", "tile_min", "row_gs") == {
        "par_base": mapper.constants.params["a"],
        "n_par": 2,
        "par_j": 2,
        "par_h": 2,
        "tile_min": 4,
        "row_gs": 6,
    }
    assert fields(i, "img_w", "img_h", "double", "rowpop", "lanes", "theta", "shift") == {
        "img_w": 9,
        "img_h": 6,
        "double": 1,
        "rowpop": 1,
        "lanes": 4,
        "theta": 3,
        "shift": 0,
    }
    assert mapper.needs["acc_bits"] == 10  # 360 at most
    inside = (6 * 3 - 2) * (9 * 3 - 2)  # taps: all but those beyond the four edges
    assert mapper.ops == [("a", 40 * 20 * inside * 3), ("b", 20 * 8 * inside * 3)]


@pytest.mark.parametrize("taps", [1, 2, 3, 6])
@pytest.mark.parametrize("step", [1, 2])
def test_taps_inside(taps, step):
    for side in range(1, 9):
        outs, pad = -(-side // step), taps // 2
        by_hand = sum(
            0 <= step * out + tap - pad < side for out in range(outs) for tap in range(taps)
        )
        assert taps_inside(side, outs, taps, step, pad) == by_hand


def test_flat_tokens_are_one_row():
    """54 tokens are 14 tiles of 4."""
    net = network(
        pixel(), conv("a", "p", size=1), conv("b", "a.s", size=1), mean("b.s"), side=(6, 9)
    )
    label, i = code(mapped(net))["a"]
    assert label.shape == (8, 6, 9)
    assert (i.n_x, i.n_y, i.img_w, i.img_h, i.flat) == (14, 1, 54, 1, 1)


@pytest.mark.parametrize(("side", "read"), [((6, 8), (6, 4, 3)), ((7, 9), (6, 4, 3))])
def test_pool_reads_whole_windows(side, read):
    """Of 7 rows 6 are read; three output rows of at most 4 pixels."""
    net = network(pixel(), conv("a", "p", pool=2), mean("a.s"), side=side)
    mapper = mapped(net)
    _, i = code(mapper)["a"]
    assert (i.img_h, i.img_w, i.n_y) == read
    assert mapper.needs["acc_bits"] == 10  # 8 x 9 x 4 = 288
    taps = (4 + 6 + 4) * (4 + 6 + 6 + 4)  # of 6 x 6, two beyond each edge
    assert mapper.ops == [("a", 8 * 8 * taps * 2)]


def test_stride_reads_the_last_row():
    net = network(pixel(), conv("a", "p", stride=2), mean("a.s"), side=(7, 9))
    _, i = code(mapped(net))["a"]
    assert (i.img_h, i.img_w, i.n_y, i.n_x) == (7, 5, 4, 2)


def test_pieces_begin_at_their_column_tile():
    """80 channels in pieces of two tiles, a word of spikes; 18 tokens in 5 groups, 2 steps."""
    net = network(pixel(), conv("a", "p", out=80), mean("a.s"), inputs=80, side=(3, 6))
    mapper = mapped(net, Config(res_depth=100, means=0))
    _, i = code(mapper)["a"]  # the last: tile 4
    constants = mapper.constants
    assert (i.n_j, i.lanes) == (1, 16)
    assert i.par_base == constants.params["a"] + 4 * 2
    assert i.clip  # three rows of taps packed in a word each; the first lies above the image
    assert i.col_base == constants.weights["a"] + 4 * 3 + 1
    assert [op for op in mapper.ops if op[0] == "a"] == [("a", 8 * 80 * 7 * 16 * 2)]


def test_destination_of_pieces():
    """Spikes that go to row memory too: a piece's word of them, and its codes."""
    net = network(
        pixel(),
        conv("a", "p", out=48, size=1, neuron=False, residual=Residual(output="r")),
        conv("b", "p", out=48, size=1, residual=Residual(output="s", inputs=("r",))),
        conv("c", "b.s", 48, 8),
        mean("c.s"),
        side=(3, 6),
    )
    mapper = mapped(net, Config(res_depth=100))
    label, i = code(mapper)["b"]
    assert label.first == 32
    assert i.w_base == mapper.place.base["b.s"] + 1


def test_membranes_and_their_cycles():
    layers = pixel(state=STATE), conv("a", "p", size=1, state=STATE), mean("a.s")
    net = network(*layers, steps=1, stream=True)
    mapper = mapped(net)
    _, i = code(mapper)["a"]
    assert fields(i, "leak", "persist", "st_base", "tile_min", "res_gs", "res_j") == {
        "leak": 1,
        "persist": 1,
        "st_base": mapper.place.residuals.codes["a"],
        "tile_min": 5,
        "res_gs": 1,
        "res_j": 16,
    }
    assert i.st_base == 16


def test_shortcut():
    """From row memory, above the residual; 8 channels of taps begin in byte 1 of 4."""
    net = network(
        pixel(),
        conv("a", "p"),
        conv("b", "a.s", shortcut=Shortcut(source="p", value=-3)),
        mean("b.s"),
        side=(6, 9),
    )
    mapper = mapped(net)
    _, i = code(mapper)["b"]
    layout = mapper.place.layouts["p"]
    assert (layout.pack, layout.slot) == (Pack.TRIPLE, 1)
    assert fields(i, "shortcut", "sc_base", "sc_gs", "sc_t", "sc_byte", "sc_value") == {
        "shortcut": 1,
        "sc_base": mapper.place.base["p"],
        "sc_gs": 2,
        "sc_t": 1,
        "sc_byte": 1,
        "sc_value": -3,
    }
    assert code(mapper)["a"][1].shortcut == 0


def test_heads_have_tiles_of_their_own():
    """Two heads of 4 channels each: a column tile each, 4 lanes of it valid."""
    mapper = mapped(network(*attention(), side=(4, 5)))
    label, i = code(mapper)["q"]
    assert (label.head_width, i.n_h, i.n_j, i.lanes, i.dest) == (4, 2, 1, 4, Dest.ROW)
    col = offsets(i, "col")
    assert col["h"].tolist() == [0, 1]
    assert np.array_equal(col["j"], [0])


def test_what_convolutions_cannot_read():
    layers = attention()
    net = network(
        *layers[:-1],
        conv("y", "q.s", size=1),
        mean("z.s"),
        mean("y.s", name="other"),
        sources=("mean", "other"),
        inputs=16,
    )
    refused(net, "layer 'q.s': is read in several ways that need different memory layouts")
