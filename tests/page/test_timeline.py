"""The timeline against forecast and interpreter."""

import numpy as np
import pytest

from hw.arch import timing
from sim.interpreter import interpret
from sw.host.samples import noise
from sw.page.timeline import begins, timeline


@pytest.mark.parametrize("which", ["digits", "qsnn", "stream"])
def test_is_the_forecast(which, request):
    _, program, page = request.getfixturevalue(which)
    line = timeline(program)
    assert line.total == program.cycles == page.timeline.total
    spent = {}
    for f in program.forecast:
        spent[f.layer] = spent.get(f.layer, 0) + f.cycles
    told = {}
    for s in line.spans:
        told[s.layer] = told.get(s.layer, 0) + s.cycles
    assert told == {layer: n for layer, n in spent.items() if layer != "(end)"}
    assert {s.layer: s.ops for s in line.spans if s.ops} == dict(program.ops)
    assert all(s.bound * line.peak >= s.ops > (s.bound - 1) * line.peak for s in line.spans)


@pytest.mark.parametrize("which", ["digits", "qsnn", "stream"])
def test_no_cycle_is_counted_twice(which, request):
    line = request.getfixturevalue(which)[2].timeline
    for levels, name in ((line.array, "array"), (line.lanes, "lanes")):
        assert len(levels) == line.total
        assert levels.max() == 1
        assert levels.sum() == sum(getattr(s, name) for s in line.spans)
    for before, after in zip(line.spans, line.spans[1:], strict=False):
        assert before.begin + before.cycles == after.begin


def test_lanes_work_when_residuals_are_written(digits):
    """The interpreter's residual writes of lane 0 fall into cycles in which it is at work."""
    _, program, page = digits
    (*_, run) = interpret(program, noise(2, program.input_shape).pixels)
    of_lane = run.events.res[run.events.res["lane"] == 0]
    assert len(of_lane)
    cycles = np.unique(of_lane["cycle"]) - timing.RES_WRITE + timing.S_READY
    assert page.timeline.lanes[cycles].all()


def test_begins():
    assert begins([3, 0, 4]) == [0, 3, 3]
