"""The two families: names of parts, cells counted as resources, PLL parameters in RTL."""

import dataclasses

import pytest

import boards
from hw import targets
from hw.arch import SpikeloomError
from hw.build import board_top
from tests.synth.designs import Echo
from tests.targets.parts import with_part


@pytest.mark.parametrize(("name", "part"), [("ulx3s", "LFE5U-85F"), ("arty_a7", "xc7a35t")])
def test_part_that_does_not_tell_its_package(name, part):
    with pytest.raises(SpikeloomError, match=f"board {name}: part '{part}' does not tell"):
        targets.of(with_part(name, part))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ulx3s", {"CLKI_DIV": 1, "CLKFB_DIV": 2, "CLKOP_DIV": 12, "CLKOP_CPHASE": 11}),
        ("arty_a7", {"DIVCLK_DIVIDE": 1, "CLKFBOUT_MULT": 8, "CLKOUT0_DIVIDE": 16}),
    ],
)
def test_ratio_reaches_the_pll(name, parameters):
    board = dataclasses.replace(boards.get(name), core_clock=50_000_000)
    text = board_top.elaborate(board, Echo([1])).rtlil
    for parameter, value in parameters.items():
        assert f"    parameter \\{parameter} {value}\n" in text


def test_a_clock_too_slow_for_a_pll_takes_an_mmcm():
    """Its factors are reals."""
    text = board_top.elaborate(boards.get("cmod_a7"), Echo([1])).rtlil
    assert "cell \\MMCME2_ADV" in text
    assert "PLLE2_ADV" not in text
    assert "    parameter \\DIVCLK_DIVIDE 1\n" in text
    assert '    parameter real \\CLKFBOUT_MULT_F "60.0"\n' in text
    assert '    parameter real \\CLKOUT0_DIVIDE_F "9.0"\n' in text
