"""Rows of tiles that are kept free: which, how many, and by what cells."""

import re

import pytest

from hw.tools.room_ecp5 import DIES, FULL, LITTLE, free_rows, leave_room

#: LUTs of the parts, as their data sheet has them.
LUTS = {"12k": 24288, "25k": 24288, "45k": 43848, "85k": 83640}


@pytest.mark.parametrize("name", DIES)
def test_luts_of_a_die(name):
    assert DIES[name].luts == LUTS[name]


@pytest.mark.parametrize("name", DIES)
@pytest.mark.parametrize("share", [0.01, 0.2, 0.299, 0.35, 0.42, 0.5, 0.61, 0.99])
def test_what_is_left_is_never_fuller_than_wanted(name, share):
    die = DIES[name]
    rows = free_rows(die, round(share * die.luts))
    assert set(rows) <= set(die.logic)
    left = die.luts * (1 - len(rows) / len(die.logic))
    assert share * die.luts <= FULL * left or not rows
    assert bool(rows) == (LITTLE <= share < FULL * 0.74)
    if LITTLE <= share < FULL / 2:
        assert len(rows) == len(die.logic) // 2


def test_cells_lock_every_place_of_a_free_row():
    die = DIES["25k"]
    rows = free_rows(die, round(0.3 * die.luts))
    module = {"cells": {"mine": {}}}
    count = leave_room(module, die, rows)
    assert count == len(rows) * len(die.columns) * 8
    places = {c["attributes"]["BEL"]: c["type"] for n, c in module["cells"].items() if n != "mine"}
    assert len(places) == len(module["cells"]) - 1 == 2 * count
    for place, kind in places.items():
        x, y, bel = re.fullmatch(r"X(\d+)/Y(\d+)/SLICE[A-D]\.(K|FF)[01]", place).groups()
        assert int(y) in rows
        assert int(x) in die.columns
        assert kind == {"K": "TRELLIS_COMB", "FF": "TRELLIS_FF"}[bel]
