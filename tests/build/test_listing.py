"""``--list-boards``: figures of boards, computed where they are printed."""

import dataclasses

import pytest

import boards
import sw
from hw.arch import Config
from hw.build import __main__, listing
from hw.targets.xc7 import Xc7
from hw.tools import find


@pytest.mark.parametrize("name", ["arty_a7", "ulx3s_25f"])
def test_latency_is_the_forecast_at_the_boards_clock(name):
    board = boards.get(name)
    found = listing.listed(board)
    assert found.network is not None
    cycles = sw.load(found.network).lower().compile(board.config).cycles
    assert found.latency_ms == pytest.approx(1e3 * cycles / board.core_clock)
    assert found.row()[-1] == f"{found.latency_ms:.3f} ms"


def test_the_largest_that_fits_is_named():
    """In binary operations of an image; of a core without room for it, the next."""
    board = boards.get("arty_a7")
    assert listing.listed(board).network == "mnist-bestformer"
    small = dataclasses.replace(board, config=Config(col_depth=512))
    assert listing.listed(small).network == "mnist-qsnn"
    least = dataclasses.replace(board, config=Config(cols=8, col_depth=64, row_depth=64))
    assert listing.listed(least).row()[-2:] == ("none", "")


def test_where_a_build_ends_here(monkeypatch):
    monkeypatch.setattr(find, "have", lambda name: True)
    assert listing.listed(boards.get("ulx3s")).goes_to == "bitstream"
    monkeypatch.setattr(find, "have", lambda name: name != "ecppack")
    found = listing.listed(boards.get("ulx3s"))
    assert (found.goes_to, found.lacking) == ("netlist", "ecppack is not installed")


def test_the_command_tells_all_boards(capsys, monkeypatch):
    monkeypatch.setattr(Xc7, "lacking", lambda self: "no such router")
    assert __main__.main(["--list-boards"]) == 0
    head, *lines, why = capsys.readouterr().out.splitlines()
    assert head.split() == " ".join(listing.HEAD).split()
    assert [line.split()[0] for line in lines] == list(boards.NAMES)
    assert why.startswith("no bitstream here for arty_a7, arty_a7_100, ")
    assert why.endswith(": no such router")
    arty = next(line for line in lines if line.startswith("arty_a7 "))
    for figure in ("xc7a35ticsg324-1L", " 80 ", "20800", "50 RAMB36", " 90 ", "0.309 ms"):
        assert figure in arty
