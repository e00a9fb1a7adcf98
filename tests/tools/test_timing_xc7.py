"""The longest path of a netlist."""

import pytest

from hw.tools.timing_xc7 import FF_OUT, FF_SETUP, LUT, NET, longest_path
from tests.synth.designs import Counter
from tests.tools.netlists import cell, netlist, synthesise


def test_longest_path_of_two_luts():
    ff = {"C": [1], "CE": ["1"], "R": ["0"]}
    found = longest_path(
        netlist(
            cell("FDRE", "a", {**ff, "D": [12], "Q": [10]}),
            cell("LUT1", "x", {"I0": [10], "O": [11]}),
            cell("LUT2", "y", {"I0": [11], "I1": [10], "O": [12]}),
            netnames={"state": [10], "$tool": [11], "next": [12]},
        )
    )
    assert found.delay == pytest.approx(FF_OUT + 2 * LUT + 3 * NET + FF_SETUP, abs=1e-3)
    assert found.nets == ("state", "next", "state")


def test_longest_path_grows_with_the_carry_chain(tmp_path):
    short = longest_path(synthesise(Counter(8), tmp_path / "8"))
    long = longest_path(synthesise(Counter(32), tmp_path / "32"))
    assert 1 < short.delay < long.delay < 10
    assert long.mhz == pytest.approx(1000 / long.delay)


def test_longest_path_of_nothing():
    assert longest_path(netlist()).mhz == float("inf")
