"""Walks over images: which word each step of the inner loops reads, worked out from pixels."""

import itertools

import pytest

from hw.arch.config import Config
from hw.arch.isa import Pack, Taps
from sw.compiler.addresses import offset
from sw.compiler.emit.walks import choose_walk
from sw.compiler.plan.layout import channel_packed

CONFIG = Config()  # 4 rows, 32 bits


def source(width, channels=40, **options):
    options = {"flat": False} | options
    return channel_packed(CONFIG, 2, channels=channels, height=6, width=width, **options)


def address(walk, level, index):
    stride = walk.row.get(level, 0)
    return offset(stride if isinstance(stride, tuple) else (stride, stride), index)


def test_three_by_three():
    """Two words a pixel, an image row of 3 groups of 2 x 2 words."""
    walk = choose_walk(source(9), 9, 3, stride=1, rows=4)
    assert (walk.row, walk.base) == ({"dy": 12, "y": 12}, -12)
    assert (walk.dx, walk.dy, walk.words) == (2, 6, 18)
    assert walk.fields == {
        "n_dx": 3,
        "n_dy": 3,
        "pack": Pack.NONE,
        "pad_y": 1,
        "slot_bytes_log2": 0,
        "shift_left": 1,
    }


def test_one_by_one():
    walk = choose_walk(source(9), 9, 1, stride=1, rows=4)
    assert (walk.row, walk.base) == ({"dy": 12, "y": 12}, 0)
    assert (walk.dx, walk.dy, walk.words) == (2, 2, 2)
    assert walk.fields == {
        "n_dx": 1,
        "n_dy": 1,
        "pack": Pack.NONE,
        "pad_y": 0,
        "slot_bytes_log2": 0,
        "shift_left": 0,
    }


def test_flat_tokens_are_one_image_row():
    """54 tokens in 14 groups of 4 words."""
    walk = choose_walk(source(9, flat=True), 54, 1, stride=1, rows=4)
    assert walk.row == {"dy": 56, "y": 56}


@pytest.mark.parametrize(
    ("pack", "slot", "n_dx", "log"), [(Pack.TRIPLE, 1, 1, 0), (Pack.PAIR, 2, 2, 1)]
)
def test_packed_taps(pack, slot, n_dx, log):
    walk = choose_walk(source(9, 8, pack=pack, slot=slot), 9, 3, stride=1, rows=4)
    assert (walk.dx, walk.dy, walk.words) == (1, n_dx, 3 * n_dx)
    assert walk.fields == {
        "n_dx": n_dx,
        "n_dy": 3,
        "pack": pack,
        "pad_y": 1,
        "slot_bytes_log2": log,
        "shift_left": 0,
    }


@pytest.mark.parametrize("width", [8, 9])
def test_stride_two_walks_the_planes(width):
    """Output column x meets 2x - 1, 2x, 2x + 1: odd, even, odd plane; rows 2y - 1 to 2y + 1."""
    image = source(width, split=True)
    walk = choose_walk(image, width, 3, stride=2, rows=4)
    for dy, dx in itertools.product(range(3), range(3)):
        got = walk.base + address(walk, "dy", dy) + address(walk, "dx", dx)
        assert got == (dy - 1) * image.line + (0 if dx == 1 else image.half)
    assert walk.row["y"] == 2 * image.line
    assert (walk.dx, walk.dy, walk.words) == (2, 6, 18)
    assert walk.fields == {
        "n_dx": 3,
        "n_dy": 3,
        "y_twice": 1,
        "pad_y": 1,
        "shift_left": 1,
        "taps": Taps.STRIDE,
        "odd_w": width % 2,
    }


def test_stride_two_of_one_by_one_reads_the_even_plane():
    image = source(9, split=True)
    walk = choose_walk(image, 9, 1, stride=2, rows=4)
    assert (walk.base, walk.row["y"], walk.words) == (0, 2 * image.line, 2)
    assert walk.fields == {
        "n_dx": 1,
        "n_dy": 1,
        "y_twice": 1,
        "pad_y": 0,
        "shift_left": 0,
        "taps": Taps.SIDE,
        "odd_w": 0,
    }


@pytest.mark.parametrize("size", [1, 3])
def test_pool_meets_four_words_with_every_weight(size):
    """Weight (ky, kx) meets rows 2 (y + ky - pad) and the next, both planes of column x + kx."""
    image, pad = source(9, split=True), size // 2
    walk = choose_walk(image, 9, size, stride=1, rows=4)
    for dy, dx in itertools.product(range(2 * size), range(2 * size)):
        got = walk.base + address(walk, "dy", dy) + address(walk, "dx", dx)
        assert got == (dy - 2 * pad) * image.line + (dx % 2) * image.half
        weight = offset(walk.dx, dx) + offset(walk.dy, dy)
        assert weight == 2 * (dy // 2 * size + dx // 2)
    assert walk.words == 2 * size * size
    assert walk.fields == {
        "n_dx": 2 * size,
        "n_dy": 2 * size,
        "y_twice": 1,
        "pad_y": 2 * pad,
        "shift_left": pad,
        "taps": Taps.POOL,
    }
