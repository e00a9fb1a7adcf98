"""The compiled simulator of a board."""

import pytest

import sim.board.compiled
from hw.arch import SpikeloomError
from sim.board.compiled import compile_board


def test_it_is_compiled_once(board, monkeypatch):
    found = compile_board(board)
    assert found.is_file()

    def elaborate(*arguments, **options):
        raise AssertionError("it is in the cache")

    monkeypatch.setattr("hw.tools.looped.looped", elaborate)
    assert compile_board(board) == found


@pytest.mark.parametrize("what", ["verilator", "make", "C++ compiler"])
def test_a_missing_tool_is_told_before_the_work_begins(what, board, monkeypatch):
    def missing():
        raise SpikeloomError(f"{what} not found")

    monkeypatch.setattr(sim.board.compiled.verilator, "tools", missing)
    monkeypatch.setattr(sim.board.compiled.verilator, "sources_digest", None)
    with pytest.raises(SpikeloomError, match="not found"):
        compile_board(board)
