"""Times of a run: computing alone, and with waits for blocks from outside."""

import pytest

from hw.arch import Config, isa, schedule, timing
from hw.arch.isa import Dest, Op
from hw.arch.outside import Contract

CONFIG = Config(cols=16, block_depth=128)
HALT = isa.decode(isa.encode(Op.HALT))


def gemm(outside, **fields):
    plain = {"n_k": 20, "n_dx": 1, "n_dy": 1, "n_t": 2, "n_x": 3, "n_y": 1, "n_j": 4, "n_h": 1}
    plain |= {"tile_min": 4, "n_par": 2, "img_w": 12, "img_h": 1, "slots": 1, "lanes": 16}
    return isa.decode(timing.encode(CONFIG, Op.GEMM, **plain | fields, outside=outside))


def move(words=22, blocks=4, addr=0):
    place = {"out_low": addr % 65536, "out_high": addr >> 16}
    return isa.decode(isa.encode(Op.MOVE, n_k=words, n_j=blocks, **place))


def test_a_program_that_moves_nothing_takes_what_its_instructions_take():
    code = [gemm(0), gemm(0, n_j=2), HALT]
    times = schedule.schedule(CONFIG, code)
    assert not schedule.moves(code)
    assert [t.taus for t in times[:2]] == [tuple(timing.column_taus(i)) for i in code[:2]]
    for t, i in zip(times[:2], code[:2], strict=True):
        lead = timing.START * (t is times[0])
        assert t.cycles == lead + timing.issue_cycles(i) + timing.overhead(CONFIG, i)
        assert not t.stalls
    assert times[1].begin == times[0].cycles
    assert times[2].cycles == 1


def test_without_a_contract_blocks_are_there_and_moves_are_taken():
    code = [move(), gemm(1), HALT]
    alone = schedule.program_cycles(CONFIG, code, contract=None)
    assert alone[1:] == schedule.program_cycles(CONFIG, [gemm(0), gemm(0), HALT])[1:]
    assert alone[0] == timing.START + 1 + timing.overhead(CONFIG, code[0], 1)


def test_waits_are_stalls_and_nothing_else_is():
    """Tiles are long enough that no other wait of the core hides one."""
    code = [move(), gemm(1), HALT]
    for contract in (Contract(latency=1, period=1), Contract(latency=300, period=9)):
        times = schedule.schedule(CONFIG, code, contract=contract)
        alone = sum(schedule.program_cycles(CONFIG, code, contract=None))
        assert sum(t.cycles for t in times) == alone + sum(t.stalls for t in times)
    assert times[1].stalls > 4 * 9 * schedule.block_words(CONFIG, code[0]) - times[1].cycles
    assert schedule.block_words(CONFIG, code[0]) == 22 * 16


def test_writes_to_column_memory_come_before_the_movers():
    """Each of them costs a word that would go then a cycle, if words come one a cycle."""
    fast = Contract(latency=1, period=1)
    times = {}
    for dest in (Dest.NONE, Dest.COL_TOKEN, Dest.COL_CHANNEL):
        code = [move(), gemm(1, dest=dest), HALT]
        times[dest] = sum(schedule.program_cycles(CONFIG, code, contract=fast)) - code[1].drain
    assert times[Dest.NONE] < times[Dest.COL_CHANNEL] < times[Dest.COL_TOKEN]


@pytest.mark.parametrize("first", [False, True])
def test_runs_begin_behind_a_table_that_is_kept(first):
    table = isa.instructions([*isa.encode(Op.TABLE, n_k=2, once=1), 5, 9, *isa.encode(Op.HALT)])
    code = [table[0], move(), gemm(1), HALT]
    times = schedule.schedule(CONFIG, code, first)
    assert (times[0].cycles == 0) == (not first)
    assert times[1].begin == timing.START + times[0].cycles - timing.START * first


def test_an_order_that_no_tile_lets_go_on_is_an_assertion():
    with pytest.raises(AssertionError, match="come after it"):
        schedule.program_cycles(CONFIG, [move(), move(), move(), gemm(1), HALT])
