"""Fetch: words in order, late ones after the drain."""

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.isa import LATE_WORD, NI
from hw.core.fetch import Fetch
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=32)
INPUTS = ["restart", "begin", "drain", "run", "skip", "data"]


@pytest.fixture(scope="module")
def bench():
    return Bench(Fetch(CONFIG), INPUTS, ["addr", "whole", "insn"])


def memory(program):
    return lambda _, out: {"data": program[out["addr"] % len(program)]}


def value(insn):
    return insn.as_bits() if hasattr(insn, "as_bits") else int(insn)


@pytest.mark.parametrize("drain", [0, 1, LATE_WORD - 1, LATE_WORD, LATE_WORD + 1, LATE_WORD + 9])
def test_an_instruction_is_whole_when_its_words_are_there(bench, drain):
    program = np.random.default_rng(drain).integers(1 << 32, size=2 * NI).tolist()
    rows = timeline(2 * NI + 30)
    rows[0] |= {"restart": 1, "begin": 1, "drain": drain}
    for r in rows[1:]:
        r["run"] = 1
    seen = bench.play(rows, memory(program))
    whole = next(n for n, s in enumerate(seen) if s["whole"])
    waits = max(0, drain - LATE_WORD)
    assert whole == Fetch.latency + waits
    assert value(seen[whole + 1]["insn"]) == sum(w << 32 * n for n, w in enumerate(program[:NI]))
    early = value(seen[LATE_WORD + 2]["insn"]) & (1 << 32 * LATE_WORD) - 1
    assert early == sum(w << 32 * n for n, w in enumerate(program[:LATE_WORD]))


def test_skipped_words_come_a_cycle_after_they_are_wanted(bench):
    """The words after an instruction, which a TABLE takes one by one."""
    program = [100 + n for n in range(NI + 8)]
    rows = timeline(NI + 10)
    rows[0] |= {"restart": 1, "begin": 1}
    for r in rows[1 : NI + 2]:
        r["run"] = 1
    for r in rows[NI + 3 : NI + 6]:
        r["skip"] = 1
    seen = bench.play(rows, memory(program))
    assert [s["addr"] for s in seen[NI + 2 : NI + 8]] == [
        NI,
        NI + 1,
        NI + 2,
        NI + 3,
        NI + 3,
        NI + 3,
    ]
