"""Load port addresses hold what they should."""

import dataclasses

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.memmap import Mem, extent, load_addr, out_addr, split_addr


def test_load_addr_fields_do_not_overlap():
    assert load_addr(Mem.PROG, 0) == 0
    assert load_addr(Mem.PROG, 0xFFFF) == 0xFFFF
    assert load_addr(Mem.PROG, 0, part=15) == 0xF << 16
    assert load_addr(Mem.PROG, 0, bank=127) == 0x7F << 20
    assert [load_addr(m, 0) >> 27 for m in Mem] == [0, 1, 2, 3, 4, 5, 6]
    assert load_addr(Mem.PIX, 0xFFFF, bank=127, part=15) == 3 << 27 | (1 << 27) - 1


@pytest.mark.parametrize(
    "bad",
    [
        {"word": -1},
        {"word": 1 << 16},
        {"word": 0, "part": 16},
        {"word": 0, "part": -1},
        {"word": 0, "bank": 128},
        {"word": 0, "bank": -1},
    ],
)
def test_load_addr_refuses(bad):
    """A defect of the caller, not of the user: an assertion."""
    with pytest.raises(AssertionError):
        load_addr(Mem.ROW, **bad)


def test_addresses_of_arrays_come_apart_again():
    rng = np.random.default_rng(0)
    word, bank, part = (rng.integers(n, size=500) for n in (1 << 16, 128, 16))
    for mem in Mem:
        addr = load_addr(mem, word, bank, part)
        each = zip(word.tolist(), bank.tolist(), part.tolist(), strict=True)
        assert addr.tolist() == [load_addr(mem, *place) for place in each]
        assert set(split_addr(addr)[0].tolist()) == {mem}
        for got, given in zip(split_addr(addr)[1:], (word, bank, part), strict=True):
            assert (got == given).all()
    for bad in ((-1, 0, 0), (1 << 16, 0, 0), (0, 128, 0), (0, 0, 16)):
        for kind in (int, np.array):
            with pytest.raises(AssertionError):
                load_addr(Mem.ROW, *map(kind, bad))


def test_words_outside_are_numbered_through():
    """Word, part and bank of a load port address are one number."""
    assert out_addr(0) == load_addr(Mem.OUT, 0)
    assert out_addr(0x7FF_FFFF) == load_addr(Mem.OUT, 0xFFFF, 0x7F, 0xF)
    assert out_addr(np.array([1 << 20])).tolist() == [load_addr(Mem.OUT, 0, 1)]
    for bad in (-1, 1 << 27):
        with pytest.raises(AssertionError):
            out_addr(bad)


def test_extent_is_that_of_the_configuration():
    """Banks, parts of a word, words."""
    c = Config(
        rows=8, cols=16, width=64, row_depth=100, col_depth=200, pix_depth=300, prog_depth=400
    )
    assert extent(c, Mem.PROG) == (1, 1, 400)
    assert extent(c, Mem.COL) == (16, 2, 200)
    assert extent(c, Mem.ROW) == (8, 2, 100)
    assert extent(c, Mem.PIX) == (1, 1, 300)
    assert extent(c, Mem.CTRL) == (1, 1, 1)
    assert extent(c, Mem.OUT)[0] == 0  # nothing is outside
    c = dataclasses.replace(c, block_depth=64, outside=3)
    assert extent(c, Mem.OUT) == (3, 16, 1 << 16)
    for mem in Mem:
        banks, parts, depth = extent(c, mem)
        load_addr(mem, depth - 1, banks - 1, parts - 1)  # has an address
