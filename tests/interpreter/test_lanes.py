"""Lanes: shift and saturation, tables and codes, neurons, residuals; against one at a time."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch import timing
from hw.arch.config import Config
from hw.arch.isa import Instruction, Keep, Op, Res
from sim.interpreter.lanes import Rows, find_code, finish, fire, make_table, scaled
from sim.interpreter.walk import ColumnTile, Tiles
from tests.interpreter.made import instruction, memories

ROWS = 4


def test_scaled():
    """An arithmetic shift, towards minus infinity, then saturation to 18 bits."""
    m = memories()
    values = np.array([-17, -16, -1, 0, 15, 16, 131071 << 4, 131072 << 4, -131073 << 4])
    got = scaled(m, instruction(shift=0), values)
    assert got.tolist() == [-2, -1, -1, 0, 0, 1, 131071, 131071, -131072]
    shifts = [scaled(m, instruction(shift=n), np.array([1 << 20])).item() for n in range(4)]
    assert shifts == [1 << 16, 1 << 13, 1 << 10, 1 << 6]
    most = (1 << 35) - 1
    assert scaled(m, instruction(), np.array([most, -most])).tolist() == [131071, -131072]
    for value in (1 << 35, -1 << 35):
        with pytest.raises(AssertionError, match="instruction 0 overflows the lane accumulator"):
            scaled(m, instruction(), np.array([value]))


def table_of(thresholds, state_shift):
    return make_table(Instruction(op=Op.TABLE, state_shift=state_shift, table=tuple(thresholds)))


@pytest.mark.parametrize(("state_shift", "shift", "cell"), [(0, 1, 4), (1, 4, 32), (3, 11, 32)])
def test_codes_count_thresholds(state_shift, shift, cell):
    """A code is the number of thresholds that the magnitude has reached, with the sign."""
    rng = np.random.default_rng(state_shift)
    cells = rng.choice(500, 20, replace=False)
    thresholds = np.sort(cells * cell + rng.integers(0, cell, 20))
    thresholds = thresholds[thresholds > 0]
    table = table_of(thresholds.tolist(), state_shift)
    values = np.r_[-17000:17001:7, thresholds, thresholds - 1, -thresholds, 131071, -131072]
    wanted = [int(np.sign(w) * (thresholds <= min(abs(w), 16382)).sum()) for w in values]
    assert find_code(values, shift, table).tolist() == wanted


def test_table_by_hand():
    table = table_of([5, 33, 100], 1)
    assert table[:5].tolist() == [[0, 5], [1, 1], [2, 32], [2, 4], [3, 32]]
    assert (table[4:] == [3, 32]).all()
    assert (table_of([], 1) == [0, 32]).all()


@settings(deadline=None)
@given(
    st.lists(st.integers(-400, 400), min_size=1, max_size=8),
    st.integers(1, 200),
    st.booleans(),
    st.booleans(),
    st.integers(-1, 1),
)
def test_neurons_step_by_step(ys, theta, soft, leak, start):
    """u = (code << shift) + y or (v + y) >> 1; reset to 0 or by subtraction."""
    table = table_of([40], 1)
    i = instruction(theta=theta, soft=int(soft), leak=int(leak), state_shift=1)
    y = np.array(ys)[None, :, None]
    fired, after = fire(i, y, table, np.array([[start]]))
    v, wanted = start, []
    for x in ys:
        u = (v << 4) + x if leak else (v + x) >> 1
        spike = u >= theta
        wanted.append(spike)
        v = u
        if spike:
            v = u - theta if soft and not leak else 0
        if leak:
            v = (v > 0) - (v < 0) if abs(v) >= 40 else 0
    assert fired[0, :, 0].tolist() == wanted
    assert after[0, 0] == v


def test_no_neuron():
    fired, code = fire(instruction(theta=0), np.full((2, 3, 4), 9), table_of([5], 1))
    assert not fired.any()
    assert not code.any()


def layer(m, x, steps=2, column=None, shortcut=None, **fields):
    """Finish x of a tile of four tokens, steps times; the second of two column tiles of C."""
    column = column or ColumnTile(0, 1, 1, True, 100, 0, 0, 0)
    i = instruction(n_t=steps, n_j=2, img_w=4, n_k=3, res_gs=steps, res_j=10, **fields)
    tiles = Tiles(i, ROWS)
    rows = Rows(
        valid=np.tile(np.arange(ROWS) < 3, (steps, 1)), token=np.tile(np.arange(4), (steps, 1))
    )
    return finish(m, i, tiles, column, rows, np.asarray(x, np.int64), shortcut)


def values(steps=2):
    return np.random.default_rng(2).integers(-300, 300, (steps, ROWS, 16))


@pytest.mark.parametrize("res", list(Res))
def test_what_is_added_and_kept(res):
    """Of step t, row r: word (10 + t) * R + r; three rows are valid, 9 lanes of the last tile."""
    m, x = memories(), values()
    rng = np.random.default_rng(3)
    m.res[:] = rng.integers(-300, 300, m.res.shape)
    before = m.res.copy()
    shortcut = rng.integers(0, 2, x.shape).astype(np.uint8)
    got = layer(m, x, shortcut=shortcut, res=res, keep=Keep.Y, res_dest=1, sc_value=-44, lanes=9)
    for t, r, lane in itertools.product(range(2), range(ROWS), range(16)):
        word = (10 + t) * 4 + r
        a, b = (int(before[n, lane, word]) for n in (0, 1))
        added = {
            Res.NONE: 0,
            Res.SPIKE: -44 * int(shortcut[t, r, lane]),
            Res.ADD: b,
            Res.AVERAGE: (a + b) >> 1,
        }[res]
        y = int(x[t, r, lane]) + added
        assert m.res[1, lane, word] == (y if r < 3 else b)
        assert m.res[0, lane, word] == a
    assert not got.any()  # no threshold


def test_sums_saturate():
    m = memories()
    m.res[1] = 131071
    layer(m, values() * 0 + 5, res=Res.ADD, keep=Keep.Y)
    assert m.res[0, 0, 40] == 131071


def test_spikes_of_valid_rows_and_lanes():
    m = memories()
    x = values() * 0 + 9
    first = ColumnTile(0, 0, 0, False, 100, 0, 0, 0)
    got = layer(m, x, theta=1, lanes=9)
    assert got[0, :, 0].tolist() == [True] * 3 + [False]
    assert got[1, 0].tolist() == [True] * 9 + [False] * 7
    assert layer(m, x, column=first, theta=1, lanes=9)[0, 0].all()


def test_kept_spikes():
    m = memories()
    layer(m, values() * 0 + 9, theta=1, keep=Keep.SPIKE)
    assert m.res[0, :, 40:48].tolist() == [[1, 1, 1, 0, 1, 1, 1, 0]] * 16
    found = m.recorded().res
    assert len(found) == 2 * 3 * 16
    one = found[(found["step"] == 1) & (found["token"] == 2) & (found["lane"] == 5)]
    assert one[["buffer", "addr", "value", "channel", "head"]].tolist() == [(0, 46, 1, 21, 0)]
    tau = 100 + 3
    assert one["cycle"].tolist() == [tau + timing.RES_WRITE + 2 + 5]


def test_residual_memory_ends():
    m = memories(Config(res_depth=64))
    with pytest.raises(AssertionError, match="instruction 0 uses buffer A twice"):
        layer(m, values(1), steps=1, theta=1, persist=1, keep=Keep.Y)
    m = memories(Config(res_depth=65))
    with pytest.raises(AssertionError, match="instruction 0 leaves the residual memory"):
        layer(m, values(), column=ColumnTile(0, 1, 2, True, 0, 0, 0, 0), keep=Keep.Y)


@pytest.mark.parametrize(("index", "bits"), [(0, 2), (1, 4), (2, 8)])
def test_codes_in_memory(index, bits):
    """From group st_base on; a word holds two bytes, each with a 0 above. Cold codes are 0."""
    m = memories()
    thresholds = [40] if bits == 2 else [40, 80, 120]
    m.table = table_of(thresholds, 1)
    x = np.clip(values(1), -150, 150)
    fields = {"theta": 1000, "leak": 1, "state_shift": 1, "state_bits": index, "persist": 1}

    def code(u):
        return (1 if u > 0 else -1) * sum(n <= abs(u) for n in thresholds)

    def kept(lane, r):
        n = (10 + 3) * ROWS + r  # of the codes of a lane
        byte = n * bits // 8
        data = int(m.res[0, lane, byte // 2]) >> 9 * (byte % 2) & 0xFF
        value = data >> n * bits % 8 & (1 << bits) - 1
        return value - (value >> (bits - 1) << bits)

    m.res[0] = -1  # what was there counts as 0
    layer(m, x, steps=1, st_base=3, **fields)
    first = {(r, lane): code(x[0, r, lane]) for r in range(3) for lane in range(16)}
    assert {key: kept(key[1], key[0]) for key in first} == first
    m.cold = False
    layer(m, x, steps=1, st_base=3, **fields)
    second = {(r, lane): code((value << 4) + x[0, r, lane]) for (r, lane), value in first.items()}
    assert {key: kept(key[1], key[0]) for key in second} == second
    found = m.recorded().mem
    assert len(found) == 2 * 3 * 16
    tau = 100
    assert found["cycle"].min() == tau + timing.CODE_WRITE
    assert found["cycle"].max() == tau + timing.CODE_WRITE + 2 + 15
