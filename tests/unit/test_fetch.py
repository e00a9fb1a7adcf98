"""Fetch: words in order, early ones during the drain, late ones before or after it."""

import numpy as np
import pytest

from hw.arch import Config, isa, timing
from hw.arch.isa import LATE_WORD, NI, Op
from hw.core.fetch import ENDED, LATE, Fetch
from tests.unit.bench import Bench, timeline

INPUTS = ["begin", "drain", "restart", "keep", "forget", "setup", "skip", "data"]
OUTPUTS = ["addr", "whole", "kept", "insn"]


class Fetching:
    """A fetch, and the configuration it is of."""

    def __init__(self, prefetch):
        self.config = Config(rows=4, cols=8, width=32, prefetch=prefetch)
        self.bench = Bench(Fetch(self.config), INPUTS, OUTPUTS)

    def play(self, rows, program):
        return self.bench.play(rows, lambda _, out: {"data": program[out["addr"] % len(program)]})


@pytest.fixture(scope="module", params=[1, 0], ids=["prefetch", "late"])
def fetching(request):
    return Fetching(request.param)


def value(insn):
    return insn.as_bits() if hasattr(insn, "as_bits") else int(insn)


def number(words):
    return sum(w << 32 * n for n, w in enumerate(words))


def instruction(n):
    """Words of a GEMM that differ from those of another."""
    rng = np.random.default_rng(n)
    return [int(Op.GEMM) | 8 * n, *rng.integers(1 << 32, size=NI - 1).tolist()]


def first(rows, seen, after):
    return next(n for n, s in enumerate(seen) if n > after and s["whole"])


@pytest.mark.parametrize("issue", [1, 2, LATE - 1, LATE, LATE + 1, 40])
@pytest.mark.parametrize(
    "drain", [0, 1, LATE_WORD, LATE_WORD + 1, LATE_WORD + 2, LATE_WORD + 3, LATE_WORD + 30]
)
def test_words_of_the_first_and_of_the_second(fetching, drain, issue):
    """The second is whole as `timing.overhead` says; its late words come after the drain only."""
    one, two = instruction(1), instruction(2)
    rows = timeline(2 * NI + issue + drain + 90)
    rows[0] |= {"restart": 1, "begin": 1}
    whole = Fetch.latency
    rows[whole + 1] |= {"setup": 1}
    counts = dict.fromkeys((f"n_{level}" for level in isa.LEVELS), 1)
    i = isa.Instruction(op=Op.GEMM, **counts | {"n_k": issue}, tile_min=1, drain=drain)
    last = whole + 1 + timing.issue_cycles(i)  # its last cycle of issue
    rows[last + ENDED] |= {"begin": 1, "drain": drain}
    setup = last + timing.overhead(fetching.config, i)
    rows[setup] |= {"setup": 1}
    seen = fetching.play(rows, [*one, *two, *[0] * NI])
    assert first(rows, seen, 0) == whole
    assert all(value(s["insn"]) == number(one) for s in seen[whole + 2 : last + ENDED + 2])
    assert first(rows, seen, last) == setup - 1
    late = 32 * LATE_WORD
    landed = seen[whole + 2 : last + 1 + max(drain, 1)]
    assert all(value(s["insn"]) >> late == number(one) >> late for s in landed)
    early = value(seen[setup]["insn"]) & (1 << late) - 1
    assert early == number(two) & (1 << late) - 1
    assert value(seen[setup + 1]["insn"]) == number(two)


def table_words(count, once):
    return [*isa.encode(Op.TABLE, n_k=count, once=once), *range(900, 900 + count)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_words_of_a_table_and_what_stands_behind_it(fetching, count):
    """A word is in hand until the next is wanted; then comes a whole instruction."""
    two = instruction(2)
    rows = timeline(3 * NI + 60)
    rows[0] |= {"restart": 1, "begin": 1}
    setup = Fetch.latency + 1
    rows[setup] |= {"setup": 1}
    for n in range(count):
        rows[setup + 2 + 3 * n] |= {"skip": 1}
    end = setup + 3 * count + 5
    rows[end] |= {"begin": 1}
    seen = fetching.play(rows, [*table_words(count, 0), *two, *[0] * NI])
    for n in range(count):  # asked for in the cycle before
        assert [s["addr"] for s in seen[setup + 3 * n - (n > 0) : setup + 3 * n + 1]][-1] == NI + n
    assert seen[end]["addr"] == NI + count
    assert first(rows, seen, end) == end + Fetch.latency
    rows[end + Fetch.latency + 1] |= {"setup": 1}
    seen = fetching.play(rows, [*table_words(count, 0), *two, *[0] * NI])
    assert value(seen[end + Fetch.latency + 2]["insn"]) == number(two)


END = isa.encode(Op.HALT, img_w=77, theta=5)


def runs(fetching, forget, once=1, keep=1):
    """``kept``, and the first instruction, in a second run after one of a table and HALT."""
    program = [*table_words(2, once), *END, *[0] * NI]
    rows = timeline(5 * NI)
    rows[0] |= {"restart": 1, "begin": 1}
    rows[Fetch.latency + 1] |= {"setup": 1}
    rows[Fetch.latency + 3] |= {"skip": 1}
    rows[Fetch.latency + 4] |= {"skip": 1}
    rows[Fetch.latency + 5] |= {"begin": 1, "keep": keep}
    at = 2 * Fetch.latency + 6
    rows[at] |= {"setup": 1}
    rows[at + NI] |= {"forget": forget}
    again = at + NI + 3
    rows[again] |= {"restart": 1, "begin": 1}
    rows[again + Fetch.latency + 1] |= {"setup": 1}
    seen = fetching.play(rows, program)
    return seen[again]["kept"], value(seen[again + Fetch.latency + 2]["insn"])


def test_a_run_starts_behind_a_table_that_is_kept(fetching):
    table, behind = number(table_words(2, 1)[:NI]), number(END)
    assert runs(fetching, forget=0) == (1, behind)
    assert runs(fetching, forget=1) == (0, table)
    assert runs(fetching, forget=0, keep=0) == (0, table)
