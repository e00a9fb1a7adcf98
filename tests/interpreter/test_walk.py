"""Loops of an instruction: tiles, their token counters and cycles, column tiles."""

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Mod, Step
from sim.interpreter.walk import ColumnTile, Tiles, column_tiles, group_size, word_indices, word_sum
from tests.interpreter.made import instruction


def test_group_sizes():
    sizes = {mod: group_size(Config(rows=8), instruction(w_mod=mod)) for mod in Mod}
    assert sizes == {Mod.ROWS: 8, Mod.COLS: 16, Mod.WORD: 32, Mod.PAIR: 16}


def test_tiles_in_order_of_issue():
    """Steps innermost; a tile of 5 words takes 5 cycles, or waits before its last word."""
    tiles = Tiles(instruction(n_k=5, n_t=2, n_x=2, n_y=2, img_w=6, flat=1), 4)
    assert tiles.count == 8
    assert tiles.t.tolist() == [0, 1] * 4
    assert tiles.x.tolist() == [0, 0, 1, 1] * 2
    assert tiles.y.tolist() == [0] * 4 + [1] * 4
    assert tiles.tau.tolist() == [0, 5, 10, 15, 20, 25, 30, 35]
    rows = {"n_dy": 3, "pad_y": 1, "img_h": 3, "clip": 1}  # two rows of taps, three, two
    clipped = Tiles(instruction(n_k=5, n_t=2, n_y=3, img_w=4, **rows), 4)
    assert clipped.tau.tolist() == [0, 10, 25, 40, 50, 60]
    slow = Tiles(instruction(n_k=5, n_t=2, tile_min=7, img_w=4), 4)
    assert slow.tau.tolist() == [0, 7]


@pytest.mark.parametrize(
    ("fields", "counters"),
    [
        # rows of 6 tokens in tiles of 4
        ({"flat": 1}, [0, 4, 6, 10]),
        ({"flat": 0}, [0, 4, 8, 12]),
        ({"flat": 0, "w_mod": Mod.PAIR}, [0, 4, 8, 12]),
        ({"flat": 0, "w_mod": Mod.PAIR, "img_w": 9, "n_x": 3}, [0, 4, 8, 16, 20, 24]),
        ({"flat": 1, "n_step": Step.HALF}, [0, 2, 3, 5]),
        ({"flat": 0, "n_step": Step.HALF}, [0, 2, 4, 6]),
        ({"flat": 0, "n_step": Step.HALF, "img_w": 9, "n_x": 3}, [0, 2, 4, 8, 10, 12]),
        ({"flat": 1, "n_step": Step.ONE, "n_x": 3, "img_w": 3}, [0, 1, 2, 3, 4, 5]),
        ({"flat": 0, "n_step": Step.ONE, "n_x": 3, "img_w": 3}, [0, 1, 2, 4, 5, 6]),
    ],
)
def test_token_counters(fields, counters):
    fields = {"n_x": 2, "n_y": 2, "img_w": 6} | fields
    tiles = Tiles(instruction(n_t=3, **fields), 4)
    assert tiles.nb.tolist() == [n for n in counters for _ in range(3)]


@pytest.mark.parametrize(
    ("n_y", "width", "counters"),
    [
        (3, 6, [0, 0, 0, 2, 4, 6]),
        (4, 9, [0, 0, 0, 0, 2, 4, 8, 8, 8, 8, 10, 12]),
        (1, 3, [0]),
    ],
)
def test_token_counters_of_a_pooled_image(n_y, width, counters):
    """They advance with the image rows that end a window; residuals have a group a tile."""
    n_x = -(-width // 4)
    i = instruction(n_x=n_x, n_y=n_y, n_t=2, img_w=width, n_step=Step.HALF, pool=1)
    tiles = Tiles(i, 4)
    assert tiles.nb.tolist() == [n for n in counters for _ in range(2)]
    assert tiles.grid.tolist() == [4 * n for n in range(n_x * n_y) for _ in range(2)]
    plain = Tiles(instruction(n_x=2, n_y=2, img_w=6, flat=1), 4)
    assert plain.grid.tolist() == plain.nb.tolist()


def test_addresses_of_tiles_and_words():
    offsets = {
        "k": np.array([0, 1]),
        "dx": np.array([0, 10, 30]),
        "dy": np.array([0, 500]),
        "t": np.array([0, 2]),
        "x": np.array([0, 7]),
        "y": np.array([0, 900]),
    }
    i = instruction(n_k=2, n_dx=3, n_dy=2, n_t=2, n_x=2, n_y=2, img_w=8)
    assert Tiles(i, 4).sum(offsets).tolist() == [0, 2, 7, 9, 900, 902, 907, 909]
    assert word_sum(offsets).tolist() == [n + m for m in (0, 500) for n in (0, 1, 10, 11, 30, 31)]
    dy, dx, k = word_indices(i)
    assert dy.tolist() == [0] * 6 + [1] * 6
    assert dx.tolist() == [0, 0, 1, 1, 2, 2] * 2
    assert k.tolist() == [0, 1] * 6


def test_column_tiles():
    """Two heads of three tiles: parameters, destination words of two slots, first taus."""
    i = instruction(
        n_k=20, n_j=3, n_h=2, n_par=2, par_base=100, par_j=2, par_h=5, w_base=50, w_j=7, slots=2
    )
    assert list(column_tiles(i, 1000)) == [
        ColumnTile(0, 0, 0, False, 1000 + 21, 100, 50, 0),
        ColumnTile(0, 1, 1, False, 1000 + 21 + 29, 102, 50, 1),
        ColumnTile(0, 2, 2, True, 1000 + 21 + 58, 104, 57, 0),
        ColumnTile(1, 0, 3, False, 1000 + 21 + 87, 109, 57, 1),
        ColumnTile(1, 1, 4, False, 1000 + 21 + 116, 111, 64, 0),
        ColumnTile(1, 2, 5, True, 1000 + 21 + 145, 113, 64, 1),
    ]


def test_heads_that_begin_a_word():
    i = instruction(n_j=3, n_h=2, w_base=50, w_j=7, slots=2, head_align=1)
    assert [(c.base, c.slot) for c in column_tiles(i, 0)] == [
        *((50, 0), (50, 1), (57, 0)),
        *((64, 0), (64, 1), (71, 0)),
    ]
