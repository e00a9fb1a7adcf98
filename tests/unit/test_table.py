"""Tables of membranes: their ports, and one threshold in registers."""

import numpy as np
import pytest

from hw.arch.formats import (
    STATE_CELL_COARSE,
    STATE_CELL_FINE,
    STATE_CELLS,
    STATE_MAX,
    STATE_SHIFTS,
    state_cell,
)
from hw.arch.timing import STATE_GAP
from hw.core.neuron import WIDE
from hw.core.table import (
    CODE_BITS,
    StateTable,
    StateThreshold,
)
from tests.unit.bench import Bench
from tests.unit.states import write_of

LATENCY = STATE_GAP - 1
LOW, HIGH = -(1 << WIDE - 1), (1 << WIDE - 1) - 1
CELLS = {0: state_cell(STATE_SHIFTS[1]), 1: state_cell(STATE_SHIFTS[0])}  #: By ``fine``.
EMPTY = (STATE_MAX + 1,)  #: A threshold that is never reached.


@pytest.mark.parametrize("threshold", [0, 1, 5, 31, 32, 33, 500, 16351, 16352, STATE_MAX, None])
@pytest.mark.parametrize("fine", [0, 1])
def test_one_threshold_in_registers_is_the_same_table(threshold, fine):
    """After any earlier table, as after none."""
    unit, rng = (STATE_CELL_FINE if fine else STATE_CELL_COARSE), np.random.default_rng(7)

    def writes(value):
        at = [STATE_CELL_COARSE] * STATE_CELLS
        place = None if value is None else value // unit
        if place is not None and place < STATE_CELLS:
            at[place] = value % unit
        count = [int(place is not None and n > place) for n in range(STATE_CELLS)]
        return [
            {"write": write_of(n, count[n] | at[n] << CODE_BITS - 1)} for n in range(STATE_CELLS)
        ]

    rows = [*writes(77), *writes(threshold)]
    near = (
        []
        if threshold is None
        else [
            n for n in range(threshold // unit - 2, threshold // unit + 3) if 0 <= n < STATE_CELLS
        ]
    )
    for cell in [0, 1, STATE_CELLS - 1, *near, *rng.integers(STATE_CELLS, size=30).tolist()]:
        rows.append({"cell": [cell, int(rng.integers(STATE_CELLS))]})
    rows += [{}] * StateTable.latency
    benches = [Bench(kind(), ["write", "cell"], ["entry"]) for kind in (StateTable, StateThreshold)]
    first = 2 * STATE_CELLS + StateTable.latency
    seen = [
        [[int(e) for e in row["entry"]] for row in bench.play(rows)[first:]] for bench in benches
    ]
    assert seen[0] == seen[1]


def test_table_ports():
    """Each port reads two cycles later, both at once; writes count with ``en`` alone."""
    table = Bench(StateTable(), ["write", "cell"], ["entry"])
    rng, words, rows, want = np.random.default_rng(6), {}, [], {}
    late = StateTable.latency
    for n in rng.permutation(STATE_CELLS).tolist():
        words[n] = int(rng.integers(1 << 13))
        rows.append({"write": write_of(n, words[n]), "cell": rng.integers(512, size=2).tolist()})
    for n in range(300):
        cells = rng.integers(STATE_CELLS, size=2).tolist() if n % 3 else [n, n]
        noise = write_of(int(rng.integers(STATE_CELLS)), int(rng.integers(1 << 13))) & ~1
        want[len(rows) + late] = [words[c] for c in cells]
        rows.append({"write": noise, "cell": cells})
    # a single write goes to its own cell, wherever port a looks
    words[7] ^= 0x1555
    rows.append({"write": write_of(7, words[7]), "cell": [8, 8]})
    want[len(rows) + late - 1] = [None, words[8]]
    for cells in ([7, 8], [8, 7]):
        want[len(rows) + late] = [words[c] for c in cells]
        rows.append({"cell": cells})
    rows += [{}] * late
    seen = table.play(rows)
    for n, values in want.items():
        got = [int(e) for e in seen[n]["entry"]]
        assert [g for g, v in zip(got, values, strict=True) if v is not None] == [
            v for v in values if v is not None
        ], n
