"""Loads over lines with faults: a few of them, and what a failed one looks like."""

import pytest

import sw
from benchmarks import linkfaults
from hw.arch import Config


@pytest.fixture(scope="module")
def program():
    return sw.load("digits-qsnn").lower().compile(Config(rows=8))


@pytest.mark.parametrize("rate", [1e-3, 1e-2])
def test_loads_over_a_line_with_faults_are_right(program, rate):
    count = linkfaults.measure(rate, 3, program)
    assert count.found == {"right": 3}
    assert count.failed == 0
    assert 0.8 * rate < count.faults / count.bytes < 1.2 * rate


def test_what_does_not_arrive_is_counted(program, monkeypatch, capsys):
    count = linkfaults.measure(0.5, 1, program)
    assert count.found == {"given up": 1}
    assert "load 0: no reply from the device" in capsys.readouterr().err
    taken = linkfaults.Computing.load
    monkeypatch.setattr(
        linkfaults.Computing, "load", lambda self, addr, word: taken(self, addr, word ^ (addr == 7))
    )
    count = linkfaults.measure(0, 1, program)
    assert count.found == {"wrong memory": 1}
    assert count.failed == 1
