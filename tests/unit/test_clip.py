"""Rows of taps of a tile against their definition, `Instruction.first_dy` and `end_dy`."""

import pytest

from hw.arch import isa
from hw.arch.isa import Op
from hw.core.clip import RowClip
from tests.unit.bench import Bench


@pytest.fixture(scope="module")
def bench():
    inputs = ["insn", "setup", "advance", "last"]
    return Bench(RowClip(), inputs, ["dy", "end", "next_dy", "next_single"])


@pytest.mark.parametrize("clip", [0, 1])
@pytest.mark.parametrize("pause", [2, 5])
@pytest.mark.parametrize(
    ("taps", "pad", "twice", "height", "rows"),
    [
        (3, 1, 0, 5, 5),
        (3, 1, 0, 1, 1),  # a row of the image has one row of taps
        (3, 1, 1, 5, 3),
        (5, 2, 0, 4, 4),
        (7, 3, 1, 6, 3),
        (6, 2, 1, 8, 4),  # pool 2
        (1, 0, 0, 3, 3),
    ],
)
def test_rows(bench, taps, pad, twice, height, rows, pause, clip):
    """Three column tiles, an advance every ``pause`` cycles."""
    words = isa.encode(
        Op.GEMM, n_dy=taps, pad_y=pad, y_twice=twice, img_h=height, n_y=rows, clip=clip
    )
    i, code = isa.decode(words), sum(w << 32 * n for n, w in enumerate(words))
    stimulus = [{"insn": code} for _ in range(3 + 3 * rows * pause)]
    stimulus[2]["setup"] = 1
    wanted = {}
    for n in range(3 * rows):
        y, begin = n % rows, 3 + n * pause
        first, end = i.first_dy(y), i.end_dy(y)
        assert 0 <= first < end <= taps
        assert clip or (first, end) == (0, taps)
        wanted |= {begin + k: (first, end) for k in range(pause)}
        stimulus[begin + pause - 1]["advance"] = 1
        for k in range(pause):  # known as long as the row is in hand
            stimulus[begin + k]["last"] = int(y == rows - 1)
    seen = bench.play(stimulus)
    assert {cycle: (seen[cycle]["dy"], seen[cycle]["end"]) for cycle in wanted} == wanted
    for cycle, row in enumerate(stimulus):
        if ("advance" in row or "setup" in row) and cycle + 1 in wanted:
            first, end = wanted[cycle + 1]
            assert seen[cycle]["next_dy"] == first
            assert seen[cycle]["next_single"] == (first + 1 == end)
