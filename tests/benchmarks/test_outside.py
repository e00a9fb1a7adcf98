"""benchmarks.outside: its cases are on boards, and what it prints is what was compiled."""

import math

import pytest

from benchmarks import outside
from hw.common.errors import SpikeloomError


@pytest.fixture(scope="module")
def told():
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda text="": lines.extend(str(text).splitlines()))
        fits = [outside.show(case) for case in outside.CASES]
    return fits, lines


def test_resnet19_fits_its_boards_in_time(told):
    """The ULX3S within its floor; 4-384 wants its residuals outside, which is not built."""
    fits, lines = told
    assert fits == [True, True, False]
    (bound,) = (line for line in lines if "at most 40.0" in line)
    assert bound.endswith("PASS")
    (missed,) = (line for line in lines if "at most 50.0" in line)
    assert missed.endswith("no such core fits  MISS")


def test_block_rams_by_memory_add_up(told):
    _, lines = told
    for title in ("DP16KD", "RAMB36"):
        blocks = 0.0
        for line in lines:
            if f"{title} in all" in line:
                assert int(line.split("in all")[1].split(" of ")[0]) == math.ceil(blocks)
                blocks = 0.0
            elif line.endswith(f" {title}"):
                blocks += float(line.split()[-2])


def test_boards_without_such_a_memory_are_told():
    case = outside.Case(
        title="x", network=outside.resnet19, board="cmod_a7", memory="sdram", settings=""
    )
    with pytest.raises(SpikeloomError, match="no memory outside is a 'sdram'"):
        outside.show(case)
