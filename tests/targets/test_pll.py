"""Ratios of PLLs: exact, or refused with what can be had."""

import dataclasses

import pytest

import boards
from boards.platform import Facts
from hw.arch import SpikeloomError
from hw.targets import ecp5, xc7
from hw.targets.pll import ratio, ratios


def at(family, clock, core_clock):
    """A board of a family with another oscillator."""
    board = dataclasses.replace(boards.get(family), core_clock=core_clock)
    board.__dict__["facts"] = Facts("clk", clock, None)
    return board


@pytest.mark.parametrize(
    ("board", "limits", "clock", "core_clock", "wanted"),
    [
        ("ulx3s", ecp5.PLL, 25, 50, (1, 2, 12, 600)),
        ("ulx3s", ecp5.PLL, 12, 48, (1, 4, 12, 576)),
        ("ulx3s", ecp5.PLL, 100, 50, (2, 1, 12, 600)),
        ("ulx3s", ecp5.PLL, 48, 50, None),
        ("arty_a7", xc7.PLL, 100, 50, (1, 8, 16, 800)),
        ("arty_a7", xc7.PLL, 125, 50, (1, 8, 20, 1000)),
        ("arty_a7", xc7.PLL, 200, 60, (1, 6, 20, 1200)),
        ("arty_a7", xc7.MMCM, 12, 80, (1, 60, 9, 720)),
    ],
)
def test_ratio(board, limits, clock, core_clock, wanted):
    board = at(board, clock * 10**6, core_clock * 10**6)
    if wanted is None:
        with pytest.raises(SpikeloomError, match="core_clock is 50 MHz"):
            ratio(board, limits)
        return
    found = ratio(board, limits)
    assert (found.divide, found.multiply, found.share, found.oscillator / 10**6) == wanted
    assert found.output == board.core_clock


def test_what_cannot_be_made_is_told_with_what_can():
    with pytest.raises(SpikeloomError) as e:
        ratio(at("ulx3s", 12_000_000, 50_000_000), ecp5.PLL)
    assert str(e.value) == (
        "board ulx3s: from the 12 MHz of its clock the PLL makes 48 MHz or 52 MHz, but core_clock "
        "is 50 MHz; give what it makes to the board's core_clock or to --clock"
    )
    for made in (48_000_000, 52_000_000):
        assert ratio(at("ulx3s", 12_000_000, made), ecp5.PLL).output == made


def test_only_slower_clocks_can_be_had():
    with pytest.raises(SpikeloomError, match=r"the PLL makes 400 MHz, but core_clock is 500 MHz"):
        ratio(at("ulx3s", 25_000_000, 500_000_000), ecp5.PLL)


def test_clock_that_the_pll_does_not_take():
    with pytest.raises(SpikeloomError, match=r"has 12 MHz, but .* takes 19 MHz to 800 MHz"):
        ratio(at("arty_a7", 12_000_000, 50_000_000), xc7.PLL)


@pytest.mark.parametrize("limits", [ecp5.PLL, xc7.PLL, xc7.MMCM], ids=["ecp5", "xc7", "mmcm"])
def test_every_ratio_keeps_the_limits(limits):
    for found in ratios(27_000_000, limits):
        assert found.output == found.oscillator / found.share
        through = found.share if limits.behind else 1
        assert found.oscillator * found.divide == 27_000_000 * found.multiply * through
        assert limits.oscillator[0] <= found.oscillator <= limits.oscillator[1]
        assert limits.output[0] <= found.output <= limits.output[1]
        assert limits.detector[0] <= 27_000_000 / found.divide <= limits.detector[1]
        assert found.divide <= limits.divide
        assert found.share <= limits.share
        assert limits.multiply[0] <= found.multiply <= limits.multiply[1]
