"""Deltas of address streams walk the strides."""

from hypothesis import given
from hypothesis import strategies as st

from hw.arch import isa
from hw.arch.isa import LEVELS
from sim.interpreter.addresses import offsets
from sw.compiler.addresses import stream

stride = st.integers(-40000, 40000)


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
