"""Deltas of address streams walk the strides."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch import isa
from hw.arch.isa import LEVELS
from sim.interpreter.addresses import offsets
from sw.compiler.addresses import offset, stream

stride = st.integers(-40000, 40000)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {f"n_{level}": st.integers(1, 3) for level in LEVELS}
        | {"n_dx": st.integers(1, 6), "n_dy": st.integers(1, 4)}
    ),
    st.fixed_dictionaries(
        {level: stride for level in LEVELS}
        | {level: st.tuples(stride, stride) for level in ("dx", "dy")}
    ),
    st.integers(-100, 65535),
)
def test_deltas_walk_the_strides(counts, strides, base):
    """A sequencer that adds the delta of the level that advances meets every address."""
    fields = stream("row", counts, strides, base)
    walk = offsets(isa.Instruction(op=isa.Op.GEMM, **counts, **fields), "row")
    assert all(-32768 <= v < 32768 for k, v in fields.items() if k != "row_base")
    index, addr = dict.fromkeys(LEVELS, 0), fields["row_base"]
    while True:
        want = base
        for level in LEVELS:
            steps, each = range(index[level]), strides[level]
            want += sum(each[n % 2] if isinstance(each, tuple) else each for n in steps)
        assert (addr - want) % (1 << 16) == 0
        assert (base + sum(walk[level][index[level]] for level in LEVELS) - addr) % (1 << 16) == 0
        for level in LEVELS:
            index[level] += 1
            if index[level] < counts[f"n_{level}"]:
                break
            index[level] = 0
        else:
            return
        odd = level in ("dx", "dy") and index[level] % 2 == 0
        addr += fields[f"row_{level}2" if odd else f"row_{level}"]


def test_offsets():
    """From even indices +5, from odd ones -2: 0, 5, 3, 8, 6, 11."""
    assert [offset((5, -2), n) for n in range(6)] == [0, 5, 3, 8, 6, 11]
    assert [offset((7, 7), n) for n in range(4)] == [0, 7, 14, 21]


def test_deltas_rewind_what_inner_levels_added():
    """3 words, 2 columns by turns of 10 and 4, then image rows 100 apart."""
    counts = {"n_k": 3, "n_dx": 3, "n_y": 5}
    got = stream("col", counts, {"k": 1, "dx": (10, 4), "y": 100}, 70_000)
    inner, across = 2, 2 + 14
    levels = {"k": 1, "dx": 10 - inner, "dx2": 4 - inner, "y": 100 - across}
    rewind = {name: -across for name in ("dy", "dy2", "t", "x")}
    outer = {name: -across - 400 for name in ("j", "h")}
    wanted = levels | rewind | outer | {"base": 70_000 - 65_536}
    assert got == {f"col_{name}": value for name, value in wanted.items()}


def test_deltas_count_modulo_the_address_space():
    assert stream("row", {}, {"k": 40_000}, -1)["row_k"] == 40_000 - 65_536
    assert stream("row", {}, {"k": 32_767}, -1)["row_k"] == 32_767
    assert stream("row", {}, {"k": 32_768}, -1)["row_k"] == -32_768
    assert stream("row", {}, {}, -1)["row_base"] == 65_535
