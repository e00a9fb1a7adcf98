"""Deltas of address streams walk the strides."""

from hypothesis import assume, given, settings
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
    tile = addr
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
        outer = level not in LEVELS[:3]
        addr = (tile if outer else addr) + fields[f"row_{level}2" if odd else f"row_{level}"]
        tile = addr if outer else tile


def test_offsets():
    """From even indices +5, from odd ones -2: 0, 5, 3, 8, 6, 11."""
    assert [offset((5, -2), n) for n in range(6)] == [0, 5, 3, 8, 6, 11]
    assert [offset((7, 7), n) for n in range(4)] == [0, 7, 14, 21]


def test_deltas_rewind_what_inner_levels_added():
    """3 words, 2 columns by turns of 10 and 4, then image rows 100 apart, from tile to tile."""
    counts = {"n_k": 3, "n_dx": 3, "n_y": 5}
    got = stream("col", counts, {"k": 1, "dx": (10, 4), "y": 100}, 70_000)
    inner, across = 2, 2 + 14
    levels = {"k": 1, "dx": 10 - inner, "dx2": 4 - inner, "y": 100}
    rewind = {name: -across for name in ("dy", "dy2")} | {"t": 0, "x": 0}
    outer = {name: -400 for name in ("j", "h")}
    wanted = levels | rewind | outer | {"base": 70_000 - 65_536}
    assert got == {f"col_{name}": value for name, value in wanted.items()}


def test_deltas_count_modulo_the_address_space():
    assert stream("row", {}, {"k": 40_000}, -1)["row_k"] == 40_000 - 65_536
    assert stream("row", {}, {"k": 32_767}, -1)["row_k"] == 32_767
    assert stream("row", {}, {"k": 32_768}, -1)["row_k"] == -32_768
    assert stream("row", {}, {}, -1)["row_base"] == 65_535


@settings(deadline=None)
@given(
    st.integers(0, 3),
    st.integers(0, 1),
    st.integers(1, 9),
    st.integers(1, 8),
    stride,
    stride,
    st.sampled_from(["row", "col"]),
)
def test_first_words_of_clipped_tiles(pad, twice, height, taps, line, down, prefix):
    """The stream begins where the first row in the image does, and goes to the next row's first."""
    counts = dict.fromkeys((f"n_{level}" for level in LEVELS), 1)
    counts |= {"n_dy": taps, "n_y": -(-height // (1 + twice)), "n_j": 2, "n_k": 2}
    i = isa.Instruction(op=isa.Op.GEMM, pad_y=pad, y_twice=twice, img_h=height, clip=1, **counts)
    first = [i.first_dy(y) for y in range(i.n_y)]
    assume(all(i.first_dy(y) < i.end_dy(y) for y in range(i.n_y)))
    strides = {"k": 1, "dy": line, "y": down, "j": 77}
    fields = stream(prefix, counts, strides, 500, first)
    at = fields[f"{prefix}_base"]
    for j in range(2):
        for y in range(i.n_y):
            want = 500 + 77 * j + down * y + line * first[y]
            assert (at - want) % (1 << 16) == 0
            if y + 1 < i.n_y:
                at += fields[f"{prefix}_y"]
                times = (2 if first[y] == 3 and twice else 1) if first[y] else 0
                at += times * fields.get(f"{prefix}_up", 0)
        at += fields[f"{prefix}_j"]
    other = {f"{name}_{lv}": 0 for name in ("row", "col") for lv in LEVELS}
    walk = offsets(isa.replace(i, **other | fields), prefix)
    for y in range(i.n_y):
        for dy in range(first[y], i.end_dy(y)):
            got = fields[f"{prefix}_base"] + walk["y"][y] + walk["dy"][dy]
            assert (got - 500 - down * y - line * dy) % (1 << 16) == 0
