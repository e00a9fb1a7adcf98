"""Load port addresses hold what they should."""

import pytest

from hw.arch.memmap import Mem, load_addr


def test_load_addr_fields_do_not_overlap():
    assert load_addr(Mem.PROG, 0) == 0
    assert load_addr(Mem.PROG, 0xFFFF) == 0xFFFF
    assert load_addr(Mem.PROG, 0, part=15) == 0xF << 16
    assert load_addr(Mem.PROG, 0, bank=127) == 0x7F << 20
    assert [load_addr(m, 0) >> 27 for m in Mem] == [0, 1, 2, 3, 4]
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
