"""The board's default core, synthesised: budget, cells, and its memories' contents."""

import numpy as np
import pytest

import sw
from hw.arch import SpikeloomError, parts
from hw.build import board_top, build
from hw.tools.bram import block_memories
from hw.tools.check_xc7 import check
from hw.tools.contents import images, refuse_other_contents
from hw.tools.netlist import Netlist
from sw.compiler import Program


@pytest.fixture(scope="module")
def arty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arty")
    report = build("arty_a7", output=folder)
    return report, Netlist.load(folder / "top.json"), Program.load(folder / "program.npz")


def test_budget(arty):
    items = arty[0]["resources"]["items"]
    assert items["lut"]["share"] <= 0.72
    assert items["bram36"]["used"] <= 46
    dsps = parts.dsps(arty[2].config, "xc7")
    assert items["dsp"]["used"] == sum(dsps.values()) <= 88


def test_cycles(arty):
    cycles = arty[0]["cycles"]
    assert cycles["total"] <= 25_200  # of an MNIST image; one of the digits takes
    assert cycles["operations"]["share_of_peak"] >= 0.25
    digits = sw.load("digits").lower().compile(arty[2].config)
    assert digits.cycles <= 15_700
    assert digits.share >= 0.25


def test_no_offence(arty):
    assert check(arty[1], {board_top.IN_RESET: 1}) == []


def test_block_ram_holds_the_images(arty):
    _, netlist, program = arty
    found, words = block_memories(netlist), 0
    for image in images(program):
        got = found[image.path].words(
            width=image.width, depth=image.depth, granularity=image.granularity
        )
        assert got[: len(image.words)] == image.words
        assert not any(got[len(image.words) :])
        words += len(got)
    config = program.config
    assert words == config.prog_depth + config.cols * config.col_depth
    assert program.columns.any()


def test_other_contents_are_told(arty):
    import dataclasses

    _, netlist, program = arty
    columns = np.array(program.columns)
    columns[3, 5, 0] ^= 1
    other = dataclasses.replace(program, columns=columns)
    wrong = r"core\.col\.bank_3\.mem holds 0x.* at word 5, but the program"
    with pytest.raises(SpikeloomError, match=wrong):
        refuse_other_contents(netlist, other)
