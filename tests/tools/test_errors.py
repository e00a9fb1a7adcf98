"""Failures of tools: who failed, how, where its log is, and the lines of it that tell why."""

from pathlib import Path

import pytest

from hw.common.errors import SpikeloomError
from hw.tools.errors import ToolchainNotFound, ToolFailed, telling


def test_not_found_names_tool_and_cure():
    error = ToolchainNotFound("nextpnr", "install it")
    assert isinstance(error, SpikeloomError)
    assert error.tool == "nextpnr"
    assert str(error) == "nextpnr was not found; install it"


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (1, "failed with exit status 1"),
        (0, "failed with exit status 0"),
        (255, "failed with exit status 255"),
        (-1, "was ended by signal 1"),
        (-9, "was ended by signal 9"),
    ],
)
def test_how_it_ended(status, how):
    error = ToolFailed("yosys", status, Path("a/b.log"), ["one", "ERROR: two", "three"])
    assert isinstance(error, SpikeloomError)
    assert (error.tool, error.status, error.log) == ("yosys", status, Path("a/b.log"))
    assert str(error) == f"yosys {how} (log: {Path('a/b.log')})\n  ERROR: two"


def test_the_place_of_the_log_may_change():
    """A build keeps the log elsewhere, and says so."""
    error = ToolFailed("yosys", 2, Path("work/b.log"), [])
    error.log = Path("kept/b.log")
    assert str(error) == f"yosys failed with exit status 2 (log: {Path('kept/b.log')})"


LINES = [f"line {n}" for n in range(12)]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], []),
        (["", "  \t"], []),
        (LINES, LINES[4:]),
        ([*LINES, "", " "], LINES[4:]),
        (["  kept  ", "cut \n"], ["  kept", "cut"]),
        (["Error: a", *LINES, "b ERROR"], ["Error: a", "b ERROR"]),
        (["error", "an error, not at the start", "ERRORS 0"], ["error", "ERRORS 0"]),
        (["no Errors: here"], ["no Errors: here"]),
        ([f"ERROR {n}" for n in range(9)], [f"ERROR {n}" for n in range(1, 9)]),
    ],
)
def test_lines_that_tell(lines, told):
    assert telling(lines) == told


def test_how_many_lines():
    assert telling(LINES, 3) == LINES[-3:]
    assert telling(LINES, 12) == LINES
