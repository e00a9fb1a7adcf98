"""The log of a run against a list of its cycles."""

import numpy as np

from hw.arch import timing
from hw.arch.memmap import LOG_DEPTH
from hw.core.log import Log
from tests.unit.bench import Bench, timeline
from tests.unit.cores import (
    lengths_of,
    load_small,
    small_data,
    small_program,
)


def test_the_log_has_the_cycle_of_each_instruction(machine):
    """A run's own, counted from its first busy cycle; the HALT's is the last but one."""
    d = small_data(np.random.default_rng(7))
    lengths = lengths_of(small_program())
    total = sum(lengths)
    rows = [*load_small(d), {"start": 1}, *timeline(total + 2)]
    rows += [{"start": 1}, *timeline(total + 2), *({"log_addr": n} for n in range(3)), {}]
    seen = machine.play(rows)
    assert [s["log_data"] for s in seen[-3:]] == [
        timing.START - 1,
        lengths[0] - 1,
        lengths[0] + lengths[1] - 1,
    ]
    assert total - 2 == seen[-1]["log_data"]
    assert seen[-1]["log_count"] == 3
    begin = len(load_small(d)) + 1
    counts = [s["log_count"] for s in seen[begin : begin + total]]
    assert counts == sorted(counts)
    assert [counts.count(n) for n in range(4)] == [
        timing.START,
        lengths[0] - timing.START,
        lengths[1],
        1,
    ]


def test_of_more_instructions_the_first_ones_are_logged():
    """And those of the run before are gone with the next one's begin."""
    bench = Bench(Log(), ["begin", "take", "cycles", "addr"], ["count", "data"])
    rows = [{"begin": 1}]
    for n in range(LOG_DEPTH + 9):
        rows += [{"cycles": 1000 + n, "take": 1}, {"cycles": 5}]
    rows += [*({"addr": n} for n in range(LOG_DEPTH)), {"begin": 1}]
    rows += [{"take": 1, "cycles": 77}, {}, {"addr": 0}, {"addr": 1}, {}]
    seen = bench.play(rows)
    assert [s["count"] for s in seen[: 2 * LOG_DEPTH : 2]] == list(range(LOG_DEPTH))
    assert {s["count"] for s in seen[2 * LOG_DEPTH : -5]} == {LOG_DEPTH}
    entries = [s["data"] for s in seen[-5 - LOG_DEPTH : -5]]
    assert entries == [1000 + n for n in range(LOG_DEPTH)]
    assert [s["count"] for s in seen[-5:]] == [0, 1, 1, 1, 1]
    assert [s["data"] for s in seen[-2:]] == [77, 1001]
