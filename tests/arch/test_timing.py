"""Cycles of instructions, against a count by hand and a sequencer that waits cycle by cycle."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch import timing
from hw.arch.config import Config
from hw.arch.isa import LATE_WORD, NI, Instruction, Op


def gemm(**fields):
    """An instruction whose counts are 1 unless given."""
    counts = dict.fromkeys(("n_k", "n_dx", "n_dy", "n_t", "n_x", "n_y", "n_j", "n_h"), 1)
    return Instruction(**{"op": Op.GEMM, "tile_min": 2} | counts | fields)


def test_distances_of_the_pipeline():
    """Row memory 2, column skew and operand 2, popcount 2, accumulator 1; then the lane."""
    assert (timing.ROW_READ, timing.ELEMENT_IN, timing.ACC, timing.S_READY) == (2, 4, 7, 8)
    assert (timing.PRODUCT, timing.X, timing.Y, timing.SPIKE) == (11, 13, 14, 15)
    assert timing.STATE_WRITE == 14 + 4
    assert NI + 2 == timing.START


@pytest.mark.parametrize(
    ("config", "write", "drain", "spread"),
    [
        (Config(rows=4, cols=16), 31, 31 + 4 + 16 + 4, 31 + 80 + 16 + 4),
        (Config(rows=16, cols=16), 31, 31 + 16 + 16 + 4, 31 + 256 + 16 + 4),
        (Config(rows=8, cols=64, width=64), 79, 79 + 8 + 64 + 4, 79 + 128 + 64 + 4),
    ],
)
def test_drain(config, write, drain, spread):
    assert timing.write_cycle(config) == write
    assert timing.drain_cycles(config) == drain
    assert timing.drain_cycles(config, spread=True) == spread


def test_overhead():
    """The late words of the next instruction come after the drain, then two cycles."""
    config = Config()
    assert timing.drain_cycles(config) > LATE_WORD
    late = NI - LATE_WORD
    assert timing.overhead(config, gemm()) == 55 + late + 2
    assert timing.overhead(config, gemm(leak=1)) == 55 + late + 2
    assert timing.overhead(config, gemm(op=Op.MAC, spread=1)) == 131 + late + 2
    assert timing.overhead(config, gemm(op=Op.MAC, spread=1, leak=1)) == 131 + late + 2
    assert timing.overhead(config, Instruction(op=Op.TABLE)) == 1 + 512 + NI + 2


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
    assert timing.column_tile(many) == (words, 24 * cycles)


def test_column_starts_by_hand():
    """Nine words a tile: tau of the first tile is 2 + 9 - 1 cycles in, and 8 later come the next
    parameters; with two tiles each column tile is longer than that."""
    assert timing.column_starts(gemm(n_k=9, n_j=3, n_par=2)) == [0, 18, 36, 36 + 11]
    assert timing.column_starts(gemm(n_k=9, n_x=2, n_j=2, n_par=2)) == [0, 20, 40]
    assert timing.column_starts(gemm(n_k=9, n_j=3)) == [0, 9, 18, 27]


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
        }
    )
)
def test_issue_cycles_of_a_sequencer(fields):
    """Issue word by word: parameters wait for the first tile of the column tile before."""
    i = gemm(**fields)
    cycle, first_tau, starts = 0, None, []
    for _ in itertools.product(range(i.n_h), range(i.n_j)):
        if first_tau is not None and i.n_par:
            while cycle < first_tau + timing.SWAP:
                cycle += 1
        starts.append(cycle)
        cycle += i.n_par
        first_tau = None
        for _ in itertools.product(range(i.n_y), range(i.n_x), range(i.n_t)):
            begin = cycle
            for _ in range(i.n_k * i.n_dx * i.n_dy * (1 + i.xnor)):
                last, cycle = cycle, cycle + 1
            first_tau = last if first_tau is None else first_tau
            cycle = max(cycle + i.shortcut, begin + i.tile_min)
    assert timing.column_starts(i) == [*starts, cycle]
    assert timing.issue_cycles(i) == cycle


def test_cycles_of_a_program():
    config = Config()
    table, halt = Instruction(op=Op.TABLE, n_k=3, table=(1, 2, 3)), Instruction(op=Op.HALT)
    assert timing.issue_cycles(halt) == timing.issue_cycles(table) == 0
    one = gemm(n_k=9)
    loaded, ran = 1 + 512 + NI + 2, 9 + timing.overhead(config, one)
    assert timing.program_cycles(config, [table, one, halt]) == [NI + 2 + loaded, ran, 1]
    assert timing.program_cycles(config, [halt]) == [NI + 2 + 1]
