"""Every board can be, and every file is one."""

from pathlib import Path

import pytest

import boards
from hw import targets
from hw.arch import Config, SpikeloomError
from hw.arch.parts import dsps
from sw.room import block_rams

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", boards.NAMES)
def test_boards(name):
    """Each can be: its platform is of its part, and the PLL makes its clock."""
    board = boards.get(name)
    assert board.name == name
    assert isinstance(board.config, Config)
    targets.of(board).check_board()
    assert board.clock == board.make_platform().default_clk_frequency


def test_every_file_is_a_board():
    found = {p.stem for p in (ROOT / "boards").glob("*.py")} - {"__init__", *boards.HELPERS}
    assert found == set(boards.NAMES)
    assert {"arty_a7", "arty_a7_100", "ulx3s"} <= found


@pytest.mark.parametrize("name", boards.NAMES)
def test_block_rams_and_multipliers_are_there(name):
    """By the forecast from widths and depths; LUTs are counted by synthesis."""
    board = boards.get(name)
    block, target = board.die.block, targets.of(board)
    assert block_rams(board.config, block) <= board.resources[block.resource]
    assert sum(dsps(board.config, target.primitives).values()) <= board.resources["dsp"]


@pytest.mark.parametrize("name", ["x", "arty", "ULX3S", "", "__init__"])
def test_unknown_board(name):
    with pytest.raises(SpikeloomError) as e:
        boards.get(name)
    assert str(e.value) == (f"unknown board {name!r}; known boards: {', '.join(boards.NAMES)}")
