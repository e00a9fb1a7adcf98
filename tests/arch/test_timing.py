"""Cycles of instructions, against a count by hand and a sequencer that waits cycle by cycle."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch import isa, schedule, timing
from hw.arch.config import Config
from hw.arch.isa import LATE_WORD, NI, Dest, Instruction, Keep, Op
from hw.arch.memmap import Mem


def gemm(**fields):
    """An instruction whose counts are 1 unless given."""
    counts = dict.fromkeys(("n_k", "n_dx", "n_dy", "n_t", "n_x", "n_y", "n_j", "n_h"), 1)
    return Instruction(**{"op": Op.GEMM, "tile_min": 2} | counts | fields)


def test_distances_of_the_pipeline():
    """Row memory 4, row popcounts and operand 3, popcount 2, accumulator 1; then the lane."""
    assert (timing.ROW_READ, timing.ELEMENT_IN, timing.ACC, timing.S_READY) == (4, 7, 10, 11)
    assert (timing.PRODUCT, timing.X, timing.Y, timing.SPIKE) == (14, 16, 17, 18)
    assert timing.STATE_WRITE == 17 + 4
    assert (timing.RES_WRITE, timing.CODE_WRITE) == (18, 22)
    assert NI + 3 == timing.START


@pytest.mark.parametrize(
    ("fields", "drain"),
    [
        ({}, 2 * 4 + 29),  # no write: the last row's event in write-back
        ({"dest": Dest.ROW}, 35 + 3),
        ({"dest": Dest.ROW_TAPS}, 35 + 3),
        ({"dest": Dest.COL_TOKEN}, 35 + 3),
        ({"dest": Dest.COL_CHANNEL}, 35 + 3),
        ({"dest": Dest.ROW_CHANNEL}, 35 + 4 + 3),
        ({"dest": Dest.PIX}, 35 + 15),
        ({"keep": Keep.Y}, 35 + 2),
        ({"dest": Dest.ROW, "keep": Keep.Y}, 35 + 3),
        ({"persist": 1, "leak": 1}, 22 + 3 + 15),
        ({"dest": Dest.ROW, "persist": 1, "leak": 1}, 22 + 3 + 15),
        ({"op": Op.POOL, "dest": Dest.ROW}, 35 + 3),
        ({"op": Op.MAC, "dest": Dest.ROW}, 35),
        ({"op": Op.MAC, "dest": Dest.ROW, "n_pix": 3}, 35 + 3),
        ({"op": Op.MAC, "dest": Dest.ROW, "n_pix": 3, "spread": 1, "n_spread": 5}, 35 + 5 * 4 + 3),
        ({"op": Op.MAC, "keep": Keep.Y, "n_pix": 3}, 35 - 1 + 3),
        ({"op": Op.MAC, "dest": Dest.ROW, "spread": 1, "n_spread": 5}, 35 + 5),
        ({"op": Op.MAC, "dest": Dest.ROW, "spread": 1, "n_spread": 5, "leak": 1}, 35 + 25),
        ({"op": Op.MAC, "persist": 1, "leak": 1}, 22 + 15),
        ({"op": Op.MEAN, "dest": Dest.PIX}, 35 + 15),
        ({"dest": Dest.ROW, "mean": Keep.Y}, 35 + 10 + 15),
    ],
)
def test_drain(fields, drain):
    """R 4, C 16: row 0 is written 35 cycles after tau; a shortcut's cycle is issue."""
    config = Config(rows=4, cols=16)
    assert timing.write_cycle(config) == 35
    assert timing.drain_cycles(config, gemm(n_k=2, **fields)) == drain
    assert timing.drain_cycles(config, gemm(n_k=2, tile_min=9, **fields)) == drain
    assert timing.drain_cycles(config, gemm(n_k=2, shortcut=1, **fields)) == drain - 1


@pytest.mark.parametrize(
    ("config", "row", "channel", "pix"),
    [
        (Config(rows=16, cols=16), 35 + 15, 35 + 16, 35 + 15),
        (Config(rows=8, cols=64, width=64), 83 + 7, 83 + 8 + 7, 83 + 63),
    ],
)
def test_drain_by_size(config, row, channel, pix):
    got = [
        timing.drain_cycles(config, gemm(n_k=2, dest=dest))
        for dest in (Dest.ROW, Dest.ROW_CHANNEL, Dest.PIX)
    ]
    assert got == [row, channel, pix]
    assert timing.drain_cycles(config, Instruction(op=Op.TABLE)) == 0


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 16), st.sampled_from(Op))
def test_drain_is_filled_in(n_k, spread, op):
    fields = {"n_k": n_k, "tile_min": 5} | ({"n_spread": spread % 16} if op == Op.MAC else {})
    i = isa.decode(timing.encode(Config(), op, **fields))
    assert i.drain == timing.drain_cycles(Config(), i)
    assert isa.decode(timing.encode(Config(), op, **fields, drain=7)).drain == 7


def test_overhead():
    """The early words while it drains; the late ones while it issues, or after the drain."""
    ahead, after = Config(), Config(prefetch=0)
    early, late = LATE_WORD + 3, NI - LATE_WORD
    assert late == 5
    for drain, wait in ((0, early), (early, early), (early + 1, early + 1), (511, 511)):
        assert timing.overhead(ahead, gemm(n_k=late, drain=drain)) == wait
        assert timing.overhead(after, gemm(n_k=late, drain=drain)) == wait + late
    assert timing.overhead(ahead, gemm(n_k=2)) == early + 2  # late words outlast it
    assert timing.overhead(ahead, gemm(n_k=2, n_par=2)) == early
    assert timing.overhead(ahead, gemm(n_k=2, drain=early + 1)) == early + 2
    assert timing.overhead(after, gemm(n_k=2)) == early + late
    for config in (ahead, after):
        assert timing.overhead(config, Instruction(op=Op.TABLE)) == 1 + 512 + NI + 2


def test_gap_behind_a_column_tile_whose_mean_takes_x():
    """The mean takes x where row 10 of the last tile would; the next tile's row 0 comes later."""
    config = Config(rows=4, cols=16)
    assert timing.mean_row(config) == 10
    assert timing.mean_row(Config(rows=16, cols=16)) == 22
    assert timing.mean_gap(config, gemm(n_k=4, n_par=4)) == 0  # there is none
    for words, gap in ((1, 6), (2, 5), (4, 3), (7, 0), (9, 0)):
        i = gemm(n_k=words, n_par=4, mean=1)
        assert timing.mean_gap(config, i) == gap
        assert timing.mean_gap(config, isa.replace(i, shortcut=1)) == max(0, gap - 1)
        assert timing.mean_gap(config, isa.replace(i, tile_min=10)) == gap
        assert timing.mean_gap(config, isa.replace(i, tile_min=11)) == 0  # the tile itself waits
        for least in (2, 10, 11):
            i = gemm(n_k=words, n_par=4, mean=1, tile_min=least, n_j=2, n_t=9)
            i = isa.replace(i, gap=timing.mean_gap(config, i))
            tau = timing.column_taus(i)
            last = tau[0] + 8 * timing.tile_cycles(i)
            assert tau[1] > last + timing.mean_row(config)
    assert (
        isa.decode(timing.encode(config, Op.GEMM, n_k=4, n_dx=1, n_dy=1, n_par=4, mean=1)).gap == 3
    )


@pytest.mark.parametrize(
    "config",
    [Config(), Config(cols=8), Config(rows=8, cols=64, width=64), Config(rows=16, cols=16)],
)
def test_nothing_is_in_flight_after_settle_cycles(config):
    """Of no instruction: any destination, with means, residuals, all steps and most pixels."""
    most, pixels = 0, config.rows - 1
    for dest in Dest:
        for op, fields in (
            (Op.GEMM, {}),
            (Op.GEMM, {"mean": Keep.Y, "keep": Keep.Y}),
            (Op.MAC, {"spread": 1, "n_spread": 15, "leak": 1, "n_pix": pixels, "keep": Keep.Y}),
            (Op.MAC, {"spread": 1, "n_spread": 15, "persist": 1, "leak": 1}),
        ):
            most = max(most, timing.drain_cycles(config, Instruction(op=op, dest=dest, **fields)))
    assert most <= timing.settle_cycles(config) < 2 * most + 16 * config.cols
    assert timing.stop_cycles(config) == timing.settle_cycles(config) + 3


def test_a_peek_takes_longest_in_column_memory():
    config = Config()
    takes = {memory: timing.peek_cycles(config, memory) for memory in Mem}
    assert takes[Mem.PROG] == takes[Mem.PIX] == timing.PEEK
    assert timing.peek_cycles(config) == takes[Mem.COL] == max(takes.values())
    assert takes[Mem.COL] == takes[Mem.RES] == timing.S_READY + config.cols + 2


def test_gap_of_spread_steps():
    assert timing.spread_gap(gemm(spread=1)) == 1
    assert timing.spread_gap(gemm(spread=1, leak=1)) == 5
    assert timing.spread_gap(gemm(spread=1, n_pix=3)) == 4
    assert timing.spread_gap(gemm(spread=1, n_pix=3, leak=1)) == 5
    assert timing.spread_gap(gemm(spread=1, n_pix=7, leak=1)) == 8


@pytest.mark.parametrize(
    ("fields", "words", "cycles"),
    [
        ({"n_k": 2, "n_dx": 3, "n_dy": 5}, 30, 30),
        ({"n_k": 2, "n_dx": 3, "n_dy": 5, "xnor": 1}, 60, 60),
        ({"n_k": 2, "n_dx": 3, "n_dy": 5, "shortcut": 1}, 30, 31),
        ({"n_k": 3, "tile_min": 8}, 3, 8),
        ({"n_k": 7, "tile_min": 8, "shortcut": 1}, 7, 8),
        ({"n_k": 8, "tile_min": 8, "shortcut": 1}, 8, 9),
    ],
)
def test_tiles(fields, words, cycles):
    i = gemm(**fields)
    assert (timing.tile_words(i), timing.tile_cycles(i)) == (words, cycles)
    many = gemm(**fields, n_t=2, n_x=3, n_y=4, n_j=5, n_h=6)
    assert timing.column_tile(many) == (words, 23 * cycles)


def test_tiles_of_clipped_rows():
    """3x3 taps by 5 rows: two rows of taps at the top and the bottom; 7x7 by 2 of 6 rows."""
    i = gemm(n_k=2, n_dx=3, n_dy=3, n_y=5, img_h=5, pad_y=1, clip=1, n_x=2, tile_min=4)
    assert [timing.tile_words(i, y) for y in range(5)] == [12, 18, 18, 18, 12]
    assert (timing.tile_words(i), timing.tile_words(isa.replace(i, clip=0), 0)) == (18, 18)
    assert [timing.tile_cycles(i, y) for y in (0, 1)] == [12, 18]
    assert timing.column_tile(i) == (12, 2 * (12 + 3 * 18 + 12) - 12)
    slow = isa.replace(i, tile_min=15, shortcut=1)
    assert [timing.tile_cycles(slow, y) for y in (0, 1)] == [15, 19]
    assert timing.column_tile(slow) == (12, 2 * (15 + 3 * 19 + 15) - 15)
    wide = gemm(n_dy=7, n_y=3, img_h=6, pad_y=3, y_twice=1, clip=1)
    assert [(wide.first_dy(y), wide.end_dy(y)) for y in range(3)] == [(3, 7), (1, 7), (0, 5)]


def test_column_starts_by_hand():
    """Nine words a tile: tau of the first tile is 2 + 9 - 1 cycles in, and 8 later come the next
    parameters; with two tiles each column tile is longer than that."""
    assert timing.column_starts(gemm(n_k=9, n_j=3, n_par=2)) == [0, 18, 36, 36 + 11]
    assert timing.column_starts(gemm(n_k=9, n_x=2, n_j=2, n_par=2)) == [0, 20, 40]
    assert timing.column_starts(gemm(n_k=9, n_j=3)) == [0, 9, 18, 27]
    assert timing.column_taus(gemm(n_k=9, n_j=3)) == [8, 17, 26]
    # One word behind 4 parameters, then not before 15 cycles have passed; at the very start, 1.
    slow = gemm(n_k=1, n_j=3, n_par=4, tile_min=15)
    assert timing.column_taus(slow) == [4, 19, 34]
    assert timing.column_starts(slow) == [0, 12, 27, 35]
    assert timing.column_taus(gemm(n_k=1, n_j=2)) == [1, 3]


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            **{f"n_{level}": st.integers(1, 3) for level in ("dx", "dy", "t", "x", "y", "j", "h")},
            "n_k": st.integers(1, 6),
            "n_par": st.integers(0, 4),
            "tile_min": st.integers(2, 12),
            "xnor": st.integers(0, 1),
            "shortcut": st.integers(0, 1),
            "gap": st.integers(0, 20),
        }
    )
)
def test_issue_cycles_of_a_sequencer(fields):
    """Issue word by word: parameters wait for the first tile of the column tile before."""
    i = gemm(**fields)
    cycle, first_tau, starts, taus, soonest = 0, None, [], [], 1
    for _ in itertools.product(range(i.n_h), range(i.n_j)):
        if first_tau is not None and i.n_par:
            ended = cycle
            while cycle < first_tau + timing.SWAP or cycle < ended + i.gap:
                cycle += 1
        starts.append(cycle)
        cycle += i.n_par
        first_tau = None
        for _ in itertools.product(range(i.n_y), range(i.n_x), range(i.n_t)):
            cycle += i.n_k * i.n_dx * i.n_dy * (1 + i.xnor) - 1
            while cycle < soonest:  # before the last word
                cycle += 1
            first_tau = cycle if first_tau is None else first_tau
            soonest = cycle + i.tile_min
            cycle += 1 + i.shortcut
        taus.append(first_tau)
    assert timing.column_taus(i) == taus
    assert timing.column_starts(i) == [*starts, cycle]
    assert timing.issue_cycles(i) == cycle


def test_cycles_of_a_program():
    config = Config()
    table, halt = Instruction(op=Op.TABLE, n_k=3, table=(1, 2, 3)), Instruction(op=Op.HALT)
    assert timing.issue_cycles(halt) == timing.issue_cycles(table) == 0
    one = gemm(n_k=9)
    loaded, ran = 1 + 512 + NI + 2, 9 + timing.overhead(config, one)
    assert schedule.program_cycles(config, [table, one, halt]) == [NI + 3 + loaded, ran, 1]
    assert schedule.program_cycles(config, [halt]) == [NI + 3 + 1]


def test_the_longest_drain_and_gap_have_room_in_their_fields():
    """Of every size of array, the slowest neuron, the shortest tile, every destination."""
    drains, gaps = set(), set()
    sizes = [(r, c, w) for r in (4, 8, 16) for c in (8, 16, 32, 64) for w in (32, 64, 128)]
    sizes = [(r, c, w) for r, c, w in sizes if r <= c <= r * r and not w % c]
    for rows, cols, width in sizes:
        config = Config(rows=rows, cols=cols, width=width)
        one = {"n_k": 1, "n_dx": 1, "n_dy": 1, "tile_min": 1, "n_par": 0}
        slow = {"spread": 1, "n_spread": 15, "n_pix": rows - 1, "leak": 1}
        for dest in Dest:
            drains.add(
                timing.drain_cycles(config, Instruction(op=Op.MAC, dest=dest, **one, **slow))
            )
        for mean, persist in ((1, 0), (0, 1)):
            i = gemm(**one, mean=mean, persist=persist)
            drains.add(timing.drain_cycles(config, i))
            gaps.add(timing.mean_gap(config, i))
    assert 256 < max(drains) <= isa.BY_NAME["drain"].most
    assert 16 < max(gaps) <= isa.BY_NAME["gap"].most
