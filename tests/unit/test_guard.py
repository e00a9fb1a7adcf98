"""What stops a run: the guard alone, and the whole core in all of a program's states."""

import numpy as np
import pytest

from hw.arch import timing
from hw.arch.memmap import Mem, Stopped, load_addr
from hw.core.guard import Guard
from tests.unit.bench import Bench, timeline
from tests.unit.cores import (
    CONFIG,
    C,
    expected,
    lengths_of,
    load_small,
    peeks,
    put,
    small_data,
    small_program,
    values_of,
    writes_of,
)


def guard_of(stimulus, config=CONFIG):
    """Outputs of the guard of a sequencer that runs for the cycles said, unless it is cleared."""
    bench = Bench(
        Guard(config),
        ["start", "runs", "abort", "limit", "silent"],
        ["begin", "clear", "busy", "stopped", "cycles"],
    )
    left = 0

    def react(cycle, out):
        nonlocal left
        left = 0 if out["clear"] else stimulus[cycle].get("runs", 0) if out["begin"] else left - 1
        return {"runs": left > 0}

    rows = [{n: v for n, v in row.items() if n != "runs"} for row in stimulus]
    return bench.play(rows, react)


def with_start(length, rows, **every):
    """Stimulus: a start of a run of ``length`` cycles, then ``rows`` more cycles."""
    return [{"start": 1, "runs": length, **every}, *({**every} for _ in range(rows))]


STOP = timing.stop_cycles(CONFIG)


def test_a_run_that_is_not_stopped():
    seen = guard_of(with_start(9, 14))
    assert [s["busy"] for s in seen] == [0] + [1] * 9 + [0] * 5
    assert [s["cycles"] for s in seen] == [0, *range(10), *[9] * 4]
    assert [s["begin"] for s in seen] == [1] + [0] * 14
    assert not any(s["clear"] or s["stopped"] for s in seen)


def test_a_memory_outside_that_gives_nothing():
    """Stops a run as an abort does, with a reason of its own; a pulse in a core at rest nothing."""
    rows = with_start(10_000, 7 + STOP + 9)
    rows[8]["silent"] = 1
    seen = guard_of(rows)
    assert [s["busy"] for s in seen] == [0] + [1] * (7 + STOP) + [0] * 9
    assert [s["stopped"] for s in seen] == [0] * 10 + [Stopped.OUTSIDE] * (STOP + 7)
    rows = [{"silent": n == 1} for n in range(4)] + with_start(9, 14)
    assert not any(s["clear"] or s["stopped"] for s in guard_of(rows))


@pytest.mark.parametrize("at", [0, 1, 5, 40])
def test_an_abort(at):
    """Of busy cycle ``at``: busy for STOP cycles from it, all but three of them cleared."""
    rows = with_start(10_000, at + STOP + 9)
    rows[1 + at]["abort"] = 1
    seen = guard_of(rows)
    assert [s["busy"] for s in seen] == [0] + [1] * (at + STOP) + [0] * 9
    assert [s["clear"] for s in seen] == [0] * (at + 3) + [1] * (STOP - 2) + [0] * 9
    assert [s["stopped"] for s in seen] == [0] * (at + 3) + [Stopped.ABORTED] * (STOP + 7)
    assert seen[-1]["cycles"] == at + 2


def test_an_abort_of_nothing():
    """Of an idle core, and in the run's last cycle; it does not wait for the next run either."""
    rows = [{"abort": 1}, *with_start(5, 5), *with_start(5, 9)]
    rows[1]["abort"] = rows[6]["abort"] = rows[7]["abort"] = 1
    seen = guard_of(rows)
    assert [s["busy"] for s in seen] == [0, 0, *[1] * 5, 0, *[1] * 5, *[0] * 4]
    assert not any(s["clear"] or s["stopped"] for s in seen)


def test_an_abort_in_the_last_cycle_but_one():
    """The run is at its end when the abort comes to it, and is stopped all the same."""
    rows = with_start(5, STOP + 9)
    rows[4]["abort"] = 1
    seen = guard_of(rows)
    assert [s["busy"] for s in seen] == [0] + [1] * (3 + STOP) + [0] * 6
    assert seen[-1]["stopped"] == Stopped.ABORTED


def test_more_aborts_than_one():
    rows = with_start(10_000, STOP + 9)
    for row in rows[3 : STOP + 3]:
        row["abort"] = 1
    seen = guard_of(rows)
    assert [s["busy"] for s in seen] == [0] + [1] * (2 + STOP) + [0] * 7


@pytest.mark.parametrize("limit", [1, 2, 30])
def test_a_limit(limit):
    """A run of as many cycles ends by itself, one of two more is stopped as an abort would."""
    seen = guard_of(with_start(limit, limit + 9, limit=limit))
    assert [s["busy"] for s in seen] == [0] + [1] * limit + [0] * 9
    assert not any(s["stopped"] for s in seen)
    seen = guard_of(with_start(limit + 2, limit + STOP + 9, limit=limit))
    assert [s["busy"] for s in seen] == [0] + [1] * (limit + STOP) + [0] * 9
    assert seen[-1]["stopped"] == Stopped.WATCHDOG
    assert seen[-1]["cycles"] == limit + 2


def test_a_limit_that_was_just_not_reached():
    """Cycles stand at it while the core is idle; the next run is not stopped for that."""
    seen = guard_of([*with_start(6, 9, limit=6), *with_start(6, 9, limit=6)])
    assert [s["busy"] for s in seen] == [*[0] + [1] * 6 + [0] * 3] * 2
    assert not any(s["stopped"] for s in seen)


def test_an_abort_and_a_limit_in_one_cycle():
    rows = with_start(10_000, STOP + 29, limit=20)
    rows[21]["abort"] = 1
    assert guard_of(rows)[-1]["stopped"] == Stopped.ABORTED


def test_after_a_stop():
    """The next start is taken in the first idle cycle, not before; it forgets what was."""
    rows = with_start(10_000, 2 * STOP + 9)
    rows[1]["abort"] = 1
    for row in rows[2 : STOP + 3]:
        row["start"] = 1
        row["runs"] = 20
    seen = guard_of(rows)
    assert [s["begin"] for s in seen[1:]] == [0] * STOP + [1] + [0] * (STOP + 8)
    assert [s["busy"] for s in seen[1:]] == [1] * STOP + [0] + [1] * 20 + [0] * (STOP - 12)
    assert [s["stopped"] for s in seen[STOP : STOP + 4]] == [Stopped.ABORTED] * 2 + [0, 0]
    assert [s["cycles"] for s in seen[STOP + 1 :]] == [2, *range(21), *[20] * (STOP - 13)]


# ---- the whole core


@pytest.mark.parametrize("how", [Stopped.ABORTED, Stopped.WATCHDOG])
def test_a_stopped_run(machine, how):
    """In any state: idle in the stated cycles, no write after, and the next run as the first."""
    d = small_data(np.random.default_rng(8))
    logits = expected(d)[2].tolist()
    total = sum(lengths_of(small_program()))
    load = load_small(d)
    begin = len(load) + 1
    plain = machine.play([*load, {"start": 1}, *timeline(total)])
    want = sorted(w[1:] for w in writes_of(plain))
    for at in [1, timing.START - 1, timing.START + 4, total - 25, total - 2]:
        limit = {"limit": at if how == Stopped.WATCHDOG else 0}
        rows = [*load, {**limit, "start": 1}, *(limit for _ in range(at + STOP + 60))]
        rows[begin + at] = {**limit, "abort": how == Stopped.ABORTED}
        for k in range(begin + at + 3, begin + at + STOP):  # it is busy: none of these is taken
            rows[k] = {**limit, **put(load_addr(Mem.PIX, 60), 5), "start": 1, "peek": 1}
        again = len(rows) + len(load) + 1
        rest = [{"start": 1}, *timeline(total + 2), *peeks([60, *range(50, 50 + C)])]
        seen = machine.play([*rows, *load, *rest])
        busy = [s["busy"] for s in seen[begin : len(rows)]]
        assert busy == [1] * (at + STOP) + [0] * 60, at
        assert {s["stopped"] for s in seen[begin + at + 2 : again]} == {how}
        assert not any(s["done"] for s in seen[begin:again])
        assert not any(s["peek_data"] for s in seen[:again])
        assert all(w[0] < begin + at + STOP for w in writes_of(seen[:again]))
        assert (seen[again]["stopped"], seen[again]["log_count"]) == (Stopped.NO, 0)
        assert [s["busy"] for s in seen[again:]].count(1) == total
        assert values_of(seen, C + 1) == [0, *logits]
        assert sorted(w[1:] for w in writes_of(seen[again:])) == want, at
