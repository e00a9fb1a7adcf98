"""The testbench, its files and the simulator cache, on a stand-in core."""

import dataclasses

import numpy as np
import pytest

from hw.arch.memmap import Stopped
from sim import cocotb_run, verilator
from sim.testbench import NOT_BUSY, WRITE, Commands, SimulationError, run_free
from tests.sim.standin import SOURCE

LENGTH, LOST, PIXEL = 0, 1, (3 << 27) + 2


def commands(folder, budget=64, lost=0):
    c = Commands()
    c.load(np.array([[LENGTH, 9], [LOST, lost], [PIXEL, 8]]))
    c.start(7, budget)
    c.peek([3, 2])
    c.load(np.array([[PIXEL, 0x15], [LENGTH, 12]]))
    c.start(8, budget)
    c.peek([3])
    c.write(folder)


def expected(run, pixel):
    ones = [
        (run, 3, 0, 1, 0x1234, 0b0101, 0x00AD00EF, 0),
        (run, 4, 1, 15, 0x42, 0xF, 0xCAFEF00D, 0),
        (run, 5, 2, 2, 7, 1, 0x3FFFF, 0),
        (run, 5, 3, 3, 9, 1, 5, 0),
        (run, 6, 4, 0, 3, 1, pixel & 0x3FFFF, 0),
        (run, 7, 5, 2, 7, 2, 0x2500, 0),
        (run, 7, 5, 3, 9, 1, 0x81, 0),
    ]
    return np.array(ones, WRITE)


@pytest.mark.parametrize("how", [run_free, cocotb_run.run_cocotb])
def test_results_and_log(simulator, tmp_path, how):
    commands(tmp_path)
    outcome = how(simulator, tmp_path)
    first, second = outcome.runs
    assert (first.run, first.counted, first.cycles, first.words) == (7, 9, 9, [-8, 8])
    assert (second.run, second.counted, second.cycles, second.words) == (8, 12, 12, [5])
    writes = outcome.writes()
    assert writes.tolist() == np.concatenate([expected(7, -8), expected(8, 5)]).tolist()
    assert not (writes["cycle"] == NOT_BUSY).any()


@pytest.mark.parametrize("how", [run_free, cocotb_run.run_cocotb])
def test_watchdog(simulator, tmp_path, how):
    commands(tmp_path, budget=10)
    with pytest.raises(SimulationError, match="run 8: still busy after 10 cycles"):
        how(simulator, tmp_path)


def test_runs_that_are_stopped(simulator, tmp_path):
    """Aborted in its busy cycle 5, then stopped by a limit of 7, then neither."""
    c = Commands()
    c.load(np.array([[LENGTH, 20], [PIXEL, 8]]))
    c.start(0, 64, abort=5)
    c.limit(7)
    c.start(1, 64)
    c.log(3)
    c.limit(0)
    c.start(2, 64)
    c.look([PIXEL], 4)
    c.write(tmp_path)
    first, second, third = run_free(simulator, tmp_path).runs
    assert (first.counted, first.stopped) == (6, Stopped.ABORTED)
    assert (second.counted, second.stopped) == (8, Stopped.WATCHDOG)
    assert second.log == [8, 9, 10]
    assert (third.counted, third.stopped, third.words) == (20, Stopped.NO, [8])
    assert [(r.pc, r.taken) for r in (first, second, third)] == [(0x123, 2)] * 3


def test_end_without_done(simulator, tmp_path):
    commands(tmp_path, lost=1)
    with pytest.raises(SimulationError, match="run 7: neither busy nor done after start"):
        run_free(simulator, tmp_path)


def test_a_log_that_is_cut_off(simulator, tmp_path):
    commands(tmp_path)
    outcome = run_free(simulator, tmp_path)
    log = tmp_path / "log.row"
    log.write_bytes(log.read_bytes()[:-2])
    with pytest.raises(SimulationError, match=r"log\.row: the log of memory writes is cut off"):
        outcome.writes()


def test_a_simulator_that_is_gone_or_fails(simulator, tmp_path):
    commands(tmp_path)
    gone = dataclasses.replace(simulator, folder=tmp_path / "none")
    with pytest.raises(SimulationError, match=r"free: cannot be started .No such file.*remove the"):
        run_free(gone, tmp_path)
    (tmp_path / "commands").write_text("? 0 0\n", encoding="utf-8")
    with pytest.raises(SimulationError, match=r"ended with \S+ \(is there space") as caught:
        run_free(simulator, tmp_path)
    assert "unknown command ?" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 14


def test_vcd(tmp_path):
    simulator = verilator.compile_verilog(SOURCE, 4, 16, 32, "vcd")
    commands(tmp_path)
    run_free(simulator, tmp_path, wave=tmp_path / "x.vcd")
    text = (tmp_path / "x.vcd").read_text(encoding="utf-8")
    assert "peek_data" in text
    assert text.count("#") > 40
