"""What a board says of itself, and what is refused before anything is made."""

import dataclasses

import pytest

import boards
from hw.arch import SpikeloomError
from hw.build import build


def changed(**fields):
    return dataclasses.replace(boards.get("ulx3s"), **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"core_clock": 47_000_001}, "board ulx3s: .* PLL makes .*but core_clock is 47.000001 MHz"),
        (
            {"part": "LFE5U-45F-6BG381C"},
            "board ulx3s: its part is 'LFE5U-45F-6BG381C', but its platform ULX3S_85F_Platform has "
            "a LFE5U-85F in BG381, speed 6; correct part or platform",
        ),
        ({"part": "LFE5U-85F-7BG381C"}, "board ulx3s: its part is .* speed 6"),
        ({"part": "LFE5U-85F-6BG256C"}, "board ulx3s: its part is .* in BG381"),
        (
            {"platform": "amaranth_boards.ulx3s:ULX3S"},
            "board ulx3s: platform is .*, but amaranth_boards.ulx3s has no class 'ULX3S'; give",
        ),
        (
            {"platform": "amaranth_boards.no:X"},
            "board ulx3s: amaranth_boards.no cannot be",
        ),
        (
            {
                "platform": "amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_85FPlatform",
                "part": "LFE5U-85F-8MG285C",
            },
            "board ulx3s: its platform OrangeCrabR0_2_85FPlatform has no resource 'uart' 0",
        ),
        (
            {
                "platform": "amaranth_boards.microzed_z010:MicroZedZ010Platform",
                "part": "xc7z010clg400-1",
            },
            "board ulx3s: its platform MicroZedZ010Platform names no default clock",
        ),
    ],
)
def test_board_that_cannot_be_is_refused_before_anything_is_made(fields, message, tmp_path):
    with pytest.raises(SpikeloomError, match=message):
        build(changed(**fields), output=tmp_path / "o")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("clock", [0, -1])
def test_clock_that_is_none(clock):
    with pytest.raises(SpikeloomError, match=f"board ulx3s: core_clock = {clock}, but"):
        changed(core_clock=clock)
