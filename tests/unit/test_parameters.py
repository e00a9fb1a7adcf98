"""Parameter words: numbered, addressed by column tile, held back for the first tile."""

import pytest

from hw.arch import isa, timing
from hw.arch.isa import Op
from hw.core.parameters import Parameters
from hw.core.words import MEAN_BIAS, MEAN_FACTOR
from tests.unit.bench import Bench, timeline

INSN = sum(
    w << 32 * n for n, w in enumerate(isa.encode(Op.GEMM, n_par=3, par_base=40, par_j=7, par_h=100))
)


def bench():
    inputs = ["insn", "setup", "run", "first_done", "column_end", "last"]
    return Bench(Parameters(), inputs, ["issue", "index", "addr", "half", "done"])


def issued(seen):
    return [
        (n, s["index"], s["addr"], s["half"], s["done"]) for n, s in enumerate(seen) if s["issue"]
    ]


def test_words_of_column_tiles_follow_each_other():
    rows = [{**r, "insn": INSN} for r in timeline(20)]
    rows[0]["setup"] = 1
    for n in (1, 2, 3, 6, 7, 8, 11, 12, 13):
        rows[n]["run"] = 1
    rows[5]["column_end"] = rows[10]["column_end"] = rows[10]["last"] = 1
    assert issued(bench().play(rows)) == [
        *((1 + n, n, 40 + n, 0, int(n == 2)) for n in range(3)),
        *((6 + n, n, 47 + n, 1, int(n == 2)) for n in range(3)),
        *((11 + n, n, 147 + n, 0, int(n == 2)) for n in range(3)),
    ]


def test_they_wait_until_the_first_tile_has_left_the_pipeline_behind_it():
    for ends in (1, 3, timing.SWAP, timing.SWAP + 2):
        rows = [{**r, "insn": INSN} for r in timeline(timing.SWAP + 10)]
        rows[0] |= {"setup": 1}
        rows[1] |= {"first_done": 1}  # tau
        rows[1 + ends]["column_end"] = 1
        for r in rows[2 + ends :]:
            r["run"] = 1
        assert issued(bench().play(rows))[0][0] == 1 + max(timing.SWAP, ends + 1)


def test_those_of_a_mean_come_first():
    insn = isa.encode(Op.GEMM, n_par=4, par_base=40, par_j=4, mean=1)
    insn = sum(w << 32 * n for n, w in enumerate(insn))
    rows = [{**r, "insn": insn, "run": 1} for r in timeline(5)]
    rows[0] = {"insn": insn, "setup": 1}
    got = issued(bench().play(rows))
    assert [(index, addr, done) for _, index, addr, _, done in got] == [
        (MEAN_BIAS, 40, 0),
        (MEAN_FACTOR, 41, 0),
        (0, 42, 0),
        (1, 43, 1),
    ]


@pytest.mark.parametrize("gap", [0, 1, 7, 31])
def test_they_wait_for_a_gap_behind_a_column_tile(gap):
    insn = isa.encode(Op.GEMM, n_par=2, gap=gap)
    insn = sum(w << 32 * n for n, w in enumerate(insn))
    rows = [{**r, "insn": insn} for r in timeline(gap + 8)]
    rows[0]["setup"] = rows[2]["column_end"] = 1
    for r in rows[3:]:
        r["run"] = 1
    assert [n for n, *_ in issued(bench().play(rows))][:2] == [3 + gap, 4 + gap]
