"""Where a network that does not fit has room."""

import dataclasses
import re

import pytest

import boards
from boards.dies import DP16KD, RAMB36
from hw.arch import Config, SpikeloomError
from sw.compiler.__main__ import main
from sw.room import block_rams, compile_told, room
from sw.testing import random_network
from tests.networks import MNIST


def test_block_rams_are_those_of_synthesis():
    """The figures that the builds of both boards report."""
    assert block_rams(boards.get("arty_a7").config, RAMB36) == 46
    assert block_rams(boards.get("ulx3s").config, DP16KD) == 176


@pytest.fixture(scope="module")
def large():
    """Too large for the Arty's core, not for the ULX3S's."""
    return random_network(1, **MNIST | {"height": 36, "width": 36, "channels": 3})


def test_boards_cores_and_block_rams_are_named(large, tmp_path, capsys):
    with pytest.raises(SpikeloomError) as e:
        compile_told(large, Config())
    text = str(e.value)
    assert "would make it fit" in text
    holds = "the core of ecpix5 and of nexys_video and of ulx3s holds it"
    assert f"{holds} (--board ecpix5)" in text
    assert re.search(r"arty_a7_100 with --fit: \d+ of 135 RAMB36, room for it", text)
    assert re.search(r"with --fit too many: .*colorlight_i5, .* \d+ of 56 DP16KD", text)
    assert "--fit makes this core's memories deep enough: " in text
    assert len(text.splitlines()) <= 20
    large.save(tmp_path / "net.npz")
    assert main([str(tmp_path / "net.npz"), "--board", "arty_a7"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert holds in said
    assert main([str(tmp_path / "net.npz"), "--board", "ulx3s"]) == 0
    assert main([str(tmp_path / "net.npz"), "--board", "arty_a7_100", "--fit"]) == 0


def test_advice_works(large):
    told = next(line for line in room(large, Config()) if line.startswith("--fit makes"))
    core = Config().changed(told.partition(": ")[2])
    assert compile_told(large, core).config == core


def test_no_board_holds_it():
    sizes = {"height": 64, "width": 64, "channels": 3, "dim": 128}
    net = random_network(1, **MNIST | sizes)
    lines = room(net, dataclasses.replace(Config(), rows=8))
    assert any(re.search(r"^with --fit too many: arty_a7, .* \d+ of 50 RAMB36,", v) for v in lines)
    assert "no board's core holds it as it stands" in lines
    assert len(lines) <= 5
