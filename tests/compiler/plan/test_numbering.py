"""Gaps between image rows, one numbering at a time."""

import pytest

from hw.arch.isa import Mod
from sw.compiler.plan.numbering import Numbering


def test_order():
    """The wider of two numberings is the larger."""
    assert Numbering.FLAT < Numbering.GRID < Numbering.PAIR
    assert [Numbering(False), Numbering(True)] == [Numbering.FLAT, Numbering.GRID]


@pytest.mark.parametrize(
    ("width", "rows", "flat", "grid", "pair"),
    [(9, 4, 9, 12, 16), (8, 4, 8, 8, 8), (1, 8, 1, 8, 16), (33, 16, 33, 48, 64)],
)
def test_pitch(width, rows, flat, grid, pair):
    assert [n.pitch(width, rows) for n in Numbering] == [flat, grid, pair]


@pytest.mark.parametrize(
    ("shape", "rows", "flat", "grid", "pair"),
    [((5, 3, 9), 4, 7, 9, 12), ((5, 1, 9), 4, 3, 3, 4), ((99, 7, 1), 8, 1, 7, 14)],
)
def test_groups(shape, rows, flat, grid, pair):
    """Tokens, gaps counted, over R; the last group may be short where rows are not padded."""
    assert [n.groups(shape, rows) for n in Numbering] == [flat, grid, pair]


def test_fields():
    assert Numbering.FLAT.fields() == {"flat": 1, "w_mod": Mod.ROWS}
    assert Numbering.GRID.fields() == {"flat": 0, "w_mod": Mod.ROWS}
    assert Numbering.PAIR.fields() == {"flat": 0, "w_mod": Mod.PAIR}
