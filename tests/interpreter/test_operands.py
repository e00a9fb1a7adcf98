"""Row operands, pixel by pixel: which word of which bank, and what of it counts."""

import itertools

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Op, Pack, Taps
from sim.interpreter.operands import pixels, row_words, shifts, shortcut_bits
from sim.interpreter.walk import ColumnTile, Tiles, column_tiles
from sw.compiler.addresses import stream
from tests.interpreter.made import instruction, memories

ROWS = 4


def filled(config=None):
    m = memories(config)
    m.row[:] = np.random.default_rng(0).integers(1, 256, m.row.shape)
    return m


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"shift_left": 1}, [-1, 0, 1, 2]),
        ({}, [0, 1, 2, 3]),
        ({"taps": Taps.STRIDE, "shift_left": 1}, [-1, 0, 0, 0]),
        ({"taps": Taps.STRIDE}, [0, 0, 0, 0]),
        ({"taps": Taps.POOL, "shift_left": 1}, [-1, -1, 0, 0]),
    ],
)
def test_shifts(fields, wanted):
    assert shifts(instruction(**fields), np.arange(4)).tolist() == wanted


def image(width, height, words, steps, base, **fields):
    """Instruction that walks an image of padded rows, and the address of a pixel's word."""
    across = -(-width // ROWS)
    group = steps * words
    line = across * group
    counts = {
        "n_k": words,
        "n_dx": 3,
        "n_dy": 3,
        "n_t": steps,
        "n_x": across,
        "n_y": height,
    }
    strides = {"k": 1, "dy": line, "t": words, "x": group, "y": line}
    walk = stream("row", counts, strides, base - line)
    i = instruction(
        **counts, **walk, img_w=width, img_h=height, shift_left=1, pad_y=1, row_gs=group, **fields
    )

    def address(x, y, t, k):
        return x % ROWS, base + y * line + x // ROWS * group + t * words + k

    return i, address


@pytest.mark.parametrize(("width", "height"), [(6, 3), (8, 2), (3, 4)])
def test_windows_of_an_image(width, height):
    """Every word of every 3x3 window; 0 outside the image."""
    m = filled()
    i, address = image(width, height, 2, 2, 40)
    tiles = Tiles(i, ROWS)
    words, mask = row_words(m, i, tiles, 0)
    assert words.shape == (tiles.count, ROWS, 18, 4)
    for n, r, (at, (dy, dx, k)) in itertools.product(
        range(tiles.count),
        range(ROWS),
        enumerate(itertools.product(range(3), range(3), range(2))),
    ):
        centre = tiles.x[n] * ROWS + r
        x, y = centre + dx - 1, tiles.y[n] + dy - 1
        if centre < width and 0 <= x < width and 0 <= y < height:
            bank, word = address(x, y, tiles.t[n], k)
            wanted, there = m.row[bank, word].tolist(), [255] * 4
        else:
            wanted = there = [0] * 4
        assert words[n, r, at].tolist() == wanted, (n, r, dy, dx, k)
        assert mask[n, r, at].tolist() == there


def test_offset_of_a_column_tile():
    m = filled()
    i, _ = image(4, 1, 1, 1, 40)
    there, _ = row_words(m, i, Tiles(i, ROWS), 5)
    assert there[0, 2, 4].tolist() == m.row[2, 45].tolist()


@pytest.mark.parametrize(
    ("dx", "pack", "wanted"),
    [
        # byte n holds the tap x - 1 + n; columns 0 to 2 are an image
        (0, Pack.TRIPLE, [[0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0], [0] * 4]),
        (0, Pack.PAIR, [[0, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0] * 4]),
        # of the next word the second half alone: x + 1
        (1, Pack.PAIR, [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0] * 4]),
    ],
)
def test_taps_in_a_word(dx, pack, wanted):
    m = filled()
    i = instruction(n_dx=2, img_w=3, img_h=1, pack=pack, row_base=7, row_gs=1)
    words, mask = row_words(m, i, Tiles(i, ROWS), 0)
    assert (mask[0, :, dx] // 255).tolist() == wanted
    np.testing.assert_array_equal(mask[0, :3, dx] & m.row[dx : dx + 3, 7], words[0, :3, dx])


def test_wider_slots():
    """Slots of 2 bytes in a word of 8: three taps, the last two bytes are none."""
    m = filled(Config(width=64))
    i = instruction(img_w=1, img_h=1, pack=Pack.TRIPLE, slot_bytes_log2=1)
    _, mask = row_words(m, i, Tiles(i, ROWS), 0)
    assert (mask[0, 0, 0] // 255).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    i = instruction(n_x=1, img_w=3, img_h=1, pack=Pack.TRIPLE, slot_bytes_log2=1)
    _, mask = row_words(m, i, Tiles(i, ROWS), 0)
    assert (mask[0, 1, 0] // 255).tolist() == [1, 1, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(("odd_w", "wanted"), [(0, [1, 1, 1]), (1, [1, 1, 0])])
def test_last_odd_column_of_a_split_image(odd_w, wanted):
    """Of an image 5 wide, output 3 wide, the odd plane has 2 columns: the third tap is outside."""
    i = instruction(n_dx=3, img_w=3, img_h=1, taps=Taps.STRIDE, shift_left=1, odd_w=odd_w, row_gs=1)
    _, mask = row_words(filled(), i, Tiles(i, ROWS), 0)
    assert mask[0, :3, 2, 0].tolist() == [255 * n for n in wanted]
    assert mask[0, :3, 0, 0].tolist() == [0, 255, 255]
    assert mask[0, :3, 1, 0].tolist() == [255] * 3


def test_rows_by_twice():
    m = filled()
    walk = stream("row", {"n_dy": 3, "n_y": 2}, {"dy": 1, "y": 2}, 10)
    i = instruction(n_dy=3, n_y=2, img_w=4, img_h=4, y_twice=1, pad_y=1, **walk)
    _, mask = row_words(m, i, Tiles(i, ROWS), 0)
    # rows -1, 0, 1 and 1, 2, 3
    assert mask[:, 0, :, 0].tolist() == [[0, 255, 255], [255, 255, 255]]
    i = instruction(n_dy=3, n_y=2, img_w=4, img_h=3, y_twice=1, pad_y=1, **walk)
    _, mask = row_words(m, i, Tiles(i, ROWS), 0)
    assert mask[:, 0, :, 0].tolist() == [[0, 255, 255], [255, 255, 0]]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("rows", [4, 8])
def test_pixels_of_row_memory(rows, stride):
    """Three channels of 5 x 11 pixels, a kernel of 2 x 5 with its padding, tiles of two."""
    m = filled(Config(rows=rows))
    line = -(-11 // rows)
    i = instruction(
        op=Op.MAC,
        image=1,
        n_pix=1,
        **{"n_k": 3, "n_dx": 5, "n_dy": 2, "n_x": 3, "n_y": 2, "img_w": 11, "img_h": 5},
        **{"x_twice": stride - 1, "y_twice": stride - 1, "shift_left": 2, "pad_y": 1},
        **{"pix_shift": 2, "centre0": 7, "centre1": -50, "centre2": 300},
        **stream(
            "row",
            {"n_k": 3, "n_dx": 5, "n_dy": 2, "n_x": 3, "n_y": 2},
            {"dy": line, "y": stride * line},
            40 - line,
        ),
    )
    tiles = Tiles(i, rows)
    xpos = tiles.x[:, None] * 2 + np.arange(2)
    got = pixels(m, i, tiles, xpos, i.row_base)
    assert got.shape == (6, 2, 2 * 5 * 3)
    for n, r in np.ndindex(6, 2):
        for word, (dy, dx, k) in enumerate(np.ndindex(2, 5, 3)):
            x, y = stride * int(xpos[n, r]) + dx - 2, stride * int(tiles.y[n]) + dy - 1
            want = 0
            if 0 <= x < 11 and 0 <= y < 5:
                byte = int(m.row[x % rows, 40 + y * line + x // rows, k])
                want = (byte << 2) - (7, -50, 300)[k]
            assert got[n, r, word] == want


def test_shortcut():
    """16 bits a column tile, from byte 1 of words of 4 on; past a word's end there is nothing."""
    m = filled()
    i = instruction(
        shortcut=1, sc_byte=1, sc_base=30, sc_gs=10, sc_t=4, n_t=2, n_x=2, n_y=2, n_j=4, img_w=8
    )
    tiles = Tiles(i, ROWS)
    columns = list(column_tiles(i, 0))
    for column, word, first in ((columns[0], 0, 1), (columns[1], 0, 3), (columns[2], 1, 1)):
        got = shortcut_bits(m, i, tiles, column)
        assert got.shape == (8, ROWS, 16)
        for n, r in itertools.product(range(8), range(ROWS)):
            group = int(tiles.y[n] * 2 + tiles.x[n])
            data = m.row[r, 30 + word + 10 * group + 4 * tiles.t[n]]
            bits = np.unpackbits(data[first : first + 2], bitorder="little").tolist()
            assert got[n, r].tolist() == bits + [0] * (16 - len(bits))


def test_no_shortcut():
    i = instruction(img_w=4)
    column = ColumnTile(0, 0, 0, True, 0, 0, 0, 0)
    assert shortcut_bits(filled(), i, Tiles(i, ROWS), column) is None
