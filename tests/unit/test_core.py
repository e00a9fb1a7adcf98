"""The whole core on a program of a few words: load port, peek, start, busy, writes by cycle."""

from types import SimpleNamespace

import numpy as np
import pytest

from hw.arch import isa, schedule, timing
from hw.arch.formats import MEMBRANE_MAX, SHIFTS, STATE_BITS, STATE_SHIFTS, state_levels
from hw.arch.isa import NI, Dest, Keep, Mod, Op, Res, Step
from hw.arch.memmap import Mem, load_addr
from hw.core.core import Core
from sim.interpreter.interpret import ColumnReads
from sim.interpreter.interpret import Machine as Interpreter
from sw.golden import ops
from tests.unit.bench import timeline
from tests.unit.cores import (
    CONFIG,
    LAND,
    C,
    Machine,
    R,
    W,
    counts,
    expected,
    load_program,
    load_small,
    load_word,
    number,
    peeks,
    put,
    small_data,
    small_program,
    values_of,
    writes_of,
)
from tests.unit.states import thresholds_of


@pytest.fixture(scope="module")
def machine():
    return Machine(Core(CONFIG, trace=True))


def test_pixels_are_read_back_with_their_sign(machine):
    values = [0, 1, -1, (1 << 17) - 1, -(1 << 17), 12345]
    rows = [put(load_addr(Mem.PIX, 3 * n), v | 0xABC << 18) for n, v in enumerate(values)]
    rows += timeline(LAND)
    rows += peeks([3 * n for n in range(len(values))])
    assert values_of(machine.play(rows), len(values)) == values


def test_a_load_lands_three_cycles_later(machine):
    """Peeking the word being written: the old value until LAND cycles have passed."""
    rows = [put(load_addr(Mem.PIX, 5), 111), *timeline(LAND), *peeks([5])]
    written = len(rows) + LAND  # first cycle in which the second load is in memory
    rows += [put(load_addr(Mem.PIX, 5), 222), *timeline(LAND + 5)]
    seen = [s["peek_data"] for s in machine.play(rows)]
    shows = written + timing.PEEK - 1  # the address was there before
    assert seen[written - LAND : shows] == [111] * (shows - written + LAND)
    assert seen[shows:] == [222] * (len(seen) - shows)


def test_loads_of_other_memories_leave_pixels_alone(machine):
    rows = [put(load_addr(Mem.PIX, 7), 1000)]
    rows += [
        put(load_addr(mem, 7, bank), 9)
        for mem in (Mem.PROG, Mem.COL, Mem.ROW, Mem.CTRL)
        for bank in (0, 3)
    ]
    rows += [{"load_addr": load_addr(Mem.PIX, 7), "load_data": 5}]  # not valid
    rows += [put(7 | m << 27, 77) for m in (5, 7)]  # one that is not written, none
    rows += timeline(LAND) + peeks([7])
    assert values_of(machine.play(rows), 1) == [1000]


def test_halt_alone(machine):
    rows = load_program(isa.encode(Op.HALT)) + timeline(LAND)
    start = len(rows)
    (total,) = schedule.program_cycles(CONFIG, [isa.decode(isa.encode(Op.HALT))])
    assert total == timing.START + 1
    seen = machine.play([*rows, {"start": 1}, *timeline(total + 5)])
    assert [s["busy"] for s in seen] == [0] * (start + 1) + [1] * total + [0] * 5
    assert [s["done"] for s in seen] == [0] * (start + 1 + total) + [1] * 5
    assert [s["cycles"] for s in seen[start + 1 :]] == [*range(total), *[total] * 5]


def test_done_until_the_next_start(machine):
    total = timing.START + 1
    rows = load_program(isa.encode(Op.HALT)) + timeline(LAND)
    rows += [{"start": 1}, *timeline(total + 3), {"start": 1}, *timeline(total + 3)]
    seen = machine.play(rows)[-(total + 4) :]
    assert [s["done"] for s in seen] == [1] + [0] * total + [1] * 3
    assert [s["cycles"] for s in seen[2:]] == [*range(1, total), *[total] * 3]


@pytest.mark.parametrize("seed", range(2))
def test_small_program(machine, seed):
    """Every write in its cycle with its value; logits by peek; cycles as forecast."""
    d = small_data(np.random.default_rng(seed))
    program = isa.instructions(small_program())
    lengths = schedule.program_cycles(CONFIG, program)
    total = sum(lengths)
    rows = [*load_small(d), {"start": 1}]
    begin = len(rows)
    seen = machine.play([*rows, *timeline(total + 3), *peeks(range(50, 50 + C))])
    x, spikes, logits = expected(d)
    write = timing.write_cycle(CONFIG)
    tau = timing.START + 2 + 1  # two parameters, two words
    valid = range(R - 1)  # img_w
    want = [(tau + write + r, "row", r, 30, number(spikes[r])) for r in valid]
    want += [
        (tau + timing.RES_WRITE + r + c, "res", c, r, int(x[r, c])) for r in valid for c in range(C)
    ]
    tau = lengths[0] + 1 + 5 - 1
    want += [(tau + write + c, "pix", 0, 50 + c, int(logits[c])) for c in range(C)]
    assert spikes.min() < spikes.max()
    assert np.abs(logits).max() < MEMBRANE_MAX
    assert sorted(writes_of(seen[begin:])) == sorted(want)
    assert not list(writes_of(seen[:begin]))
    assert values_of(seen, C) == logits.tolist()
    assert [s["busy"] for s in seen[begin:]] == [1] * total + [0] * (len(seen) - begin - total)
    assert seen[-1]["cycles"] == total


@pytest.mark.parametrize("empty", [(), (0,), (1,), (0, 1)])
def test_column_words_that_meet_no_spike_are_not_read(machine, empty):
    """RTL and interpreter count the same reads, and what is computed stays as it is.

    The last row is none of the image: its spikes are masked, and do not count.
    """
    d = small_data(np.random.default_rng(5))
    for k in empty:
        d["q"][: R - 1, k * W : (k + 1) * W] = 0
    d["q"][R - 1] = 1
    if empty == (1,):
        d["q"][1, W + 3] = 1  # one spike in one row is enough
    total = sum(schedule.program_cycles(CONFIG, isa.instructions(small_program())))
    rows = [*load_small(d), {"start": 1}]
    seen = machine.play([*rows, *timeline(total + 3), *peeks(range(50, 50 + C))])
    x, spikes, logits = expected(d)
    got = [w[1:] for w in writes_of(seen)]
    assert [w for w in got if w[0] == "row"] == [
        ("row", r, 30, number(spikes[r])) for r in range(R - 1)
    ]
    assert sorted(w for w in got if w[0] == "res") == sorted(
        ("res", c, r, int(x[r, c])) for r in range(R - 1) for c in range(C)
    )
    assert values_of(seen, C) == logits.tolist()
    reads = interpreted(d).column_reads
    assert reads[0].words == 2 * C
    assert reads[0].words - reads[0].gated == C * sum(s["t_col_read"] for s in seen)
    silent = 0 if empty == (1,) else len(empty)
    assert reads == (ColumnReads(words=2 * C, gated=silent * C), ColumnReads(), ColumnReads())


def interpreted(d):
    """Run of the interpreter on the small program and its data."""
    columns = np.zeros((C, 64, W // 32), np.uint32)
    for c in range(C):
        for k in range(2):
            columns[c, 8 + k] = [
                number(d["w"][c, k * W + 32 * n : k * W + 32 * n + 32]) for n in range(W // 32)
            ]
        columns[c, 20:22, 0] = [int(d[name][c]) & 0xFFFFFFFF for name in ("bias", "factor")]
        columns[c, 39, 0] = int(d["head_bias"][c]) & 0xFFFFFFFF
        columns[c, 40:45, 0] = d["head"][c] & 0xFFFFFFFF
    program = SimpleNamespace(
        config=CONFIG,
        columns=columns,
        outside=np.zeros(0, np.uint32),
        contract=None,
        instructions=lambda: isa.instructions(small_program()),
        logits_base=50,
        classes=C,
    )
    interpreter = Interpreter(program)
    for r in range(R):
        for k in range(2):
            word = d["q"][r, k * W : (k + 1) * W].astype(np.uint8)
            interpreter.row[r, 4 + k] = np.packbits(word, bitorder="little")
    interpreter.pix[2:7] = d["pixels"]
    return interpreter.run(events=False)


def test_start_and_loads_while_busy_are_ignored(machine):
    """From the first busy cycle to the last: program, weights, spikes and pixels stay."""
    d = small_data(np.random.default_rng(5))
    total = sum(schedule.program_cycles(CONFIG, isa.instructions(small_program())))
    rows = [*load_small(d), {"start": 1}]
    begin = len(rows)
    bad = [
        load_addr(Mem.PIX, 2),
        load_addr(Mem.COL, 8, 0),
        load_addr(Mem.COL, 40, 2),
        load_addr(Mem.ROW, 4, 1),
        load_addr(Mem.PROG, 2 * NI),
        load_addr(Mem.PIX, 60),
        load_addr(Mem.PIX, 50),
    ]
    rows += [{**put(bad[n % len(bad)], 0xFFFF), "start": n % 3 == 0} for n in range(total)]
    seen = machine.play([*rows, *timeline(3), *peeks([60, 2, *range(50, 50 + C)])])
    assert values_of(seen, C + 2) == [0, int(d["pixels"][0]), *expected(d)[2].tolist()]
    assert seen[-1]["cycles"] == total
    assert [s["busy"] for s in seen[begin:]] == [1] * total + [0] * (len(seen) - begin - total)


def test_a_load_with_start_still_lands(machine):
    """The cycle of ``start`` is not busy: its load is taken, in time for the first fetch of it."""
    d = small_data(np.random.default_rng(6))
    rows = load_small(d)
    rows.append({**put(load_addr(Mem.PIX, 2), 17), "start": 1})
    d["pixels"][0] = 17
    total = sum(schedule.program_cycles(CONFIG, isa.instructions(small_program())))
    seen = machine.play([*rows, *timeline(total + 2), *peeks(range(50, 50 + C))])
    assert values_of(seen, C) == expected(d)[2].tolist()


def test_a_load_with_start_is_no_write_of_the_run(machine):
    """It lands while the core is busy already, and yet the trace does not tell of it."""
    bank = load_addr(Mem.ROW, 2, 1)
    rows = [{**put(bank, 17), "start": 1}, *timeline(9)]
    seen = machine.play(rows)
    assert any(s["busy"] for s in seen)
    assert not any(s[en] for s in seen for en in ("t_row_en", "t_pix_en"))


# ---- membranes that are stored as codes


def table(shift, thresholds):
    return isa.encode(Op.TABLE, n_k=len(thresholds), state_shift=shift) + thresholds


@pytest.mark.parametrize("memory", list(Mem))
def test_a_table_is_kept_until_program_or_ctrl_is_written(machine, memory):
    words = [*isa.encode(Op.TABLE, n_k=1, once=1), 40, *isa.encode(Op.HALT)]
    program = isa.instructions(words)
    first, later = (sum(schedule.program_cycles(CONFIG, program, f)) for f in (True, False))
    rows = [*load_program(words), *timeline(LAND)]
    begins = []
    for length in (first, later, first):
        begins.append(len(rows) + 1)
        rows += [{"start": 1}, *timeline(length + 3)]
        if len(begins) == 2:
            word, value = (len(words) - 1, words[-1]) if memory == Mem.PROG else (0, 0)
            rows += [put(load_addr(memory, word), value), *timeline(LAND)]
    seen = machine.play(rows)
    lengths = [next(n for n, s in enumerate(seen[at:]) if s["done"]) for at in begins]
    forgets = memory in (Mem.PROG, Mem.CTRL)
    assert lengths == [first, later, first if forgets else later]


def bits_of(rng, *shape):
    return (rng.random(shape) < 0.5).astype(int)


def load_columns(weights, factor, bias):
    """Weights of column tile j at word 8 + j, its parameters at 20 + 2 j."""
    rows = []
    for j in range(2):
        for c in range(C):
            n = j * C + c
            rows += load_word(Mem.COL, c, 8 + j, number(weights[n]))
            rows.append(put(load_addr(Mem.COL, 20 + 2 * j, c), int(bias[n])))
            rows.append(put(load_addr(Mem.COL, 21 + 2 * j, c), int(factor[n])))
    return rows


def taus(instruction, at):
    """Issue cycle of the last word of each tile, column tile by column tile."""
    i = instruction
    tiles = i.n_t * i.n_x * i.n_y
    return [
        [at + tau + n * timing.tile_cycles(i) for n in range(tiles)]
        for tau in timing.column_taus(i)
    ]


def starts(program):
    """First issue cycle of each instruction."""
    lengths = schedule.program_cycles(CONFIG, program)
    return [timing.START if not n else sum(lengths[:n]) for n in range(len(program))]


@pytest.mark.parametrize(("bits", "keep"), [(2, Keep.SPIKE), (4, Keep.SPIKE), (8, Keep.Y)])
def test_shortcut_to_neurons_with_codes(machine, keep, bits):
    """TABLE, then GEMM: 2 column tiles, 6 tokens, 3 steps; a shortcut that starts at byte 7."""
    rng, steps, tokens = np.random.default_rng(bits), 3, 6
    value, index = 1200, STATE_BITS.index(bits)
    theta = 4500 if bits == 8 else 1500  # 127 cells are more than 4064 units
    shift = 3 - index
    thresholds = thresholds_of(rng, state_levels(bits), shift, theta - 10)
    amount = STATE_SHIFTS[shift]
    q, sc = bits_of(rng, tokens, steps, W), bits_of(rng, tokens, steps, 2 * C)
    weights = bits_of(rng, 2 * C, W)
    factor, bias = rng.integers(-90000, 90000, size=2 * C), rng.integers(-9999, 9999, size=2 * C)
    code = (
        table(shift, thresholds.tolist())
        + timing.encode(
            CONFIG,
            Op.GEMM,
            **counts(
                n_t=steps,
                n_x=2,
                n_j=2,
                n_par=2,
                tile_min=timing.STATE_GAP,
                img_w=tokens,
                img_h=1,
                row_t=1,
                row_x=1,
                row_j=1 - 2 * steps,
                col_j=1,
                row_base=4,
                col_base=8,
                par_base=20,
                par_j=2,
                row_gs=steps,
                w_base=30,
                w_gs=steps,
                w_t=1,
                slots=W // C,
                dest=int(Dest.ROW),
                double=1,
                rowpop=1,
                theta=theta,
                shift=1,
                res=int(Res.SPIKE),
                keep=int(keep),
                res_dest=1,
                res_gs=steps,
                res_j=2 * steps,
                shortcut=1,
                sc_base=10,
                sc_gs=2 * steps,
                sc_t=2,
                sc_byte=7,
                sc_value=value,
                leak=1,
                state_bits=index,
                state_shift=shift,
            ),
        )
        + isa.encode(Op.HALT)
    )
    rows = load_program(code) + load_columns(weights, factor, bias)
    for n in range(tokens):
        for t in range(steps):
            rows += load_word(Mem.ROW, n % R, 4 + n // R * steps + t, number(q[n, t]))
            both = number(sc[n, t]) << 56
            for k in range(2):
                rows += load_word(
                    Mem.ROW, n % R, 10 + (n // R * steps + t) * 2 + k, both >> W * k & (1 << W) - 1
                )
    program = isa.instructions(code)
    total = sum(schedule.program_cycles(CONFIG, program))
    rows += [*timeline(LAND), {"start": 1}]
    seen = machine.play([*rows, *timeline(total + 2)])[len(rows) :]

    x = ops.affine(ops.popcount_dot(q, weights), factor, bias, SHIFTS[1])
    y = ops.shortcut_add(x, sc, value)  # (tokens, steps, 2 C)
    spikes, state = np.zeros_like(y), np.zeros((tokens, 2 * C), np.int64)
    met = set()
    for t in range(steps):
        state, spikes[:, t] = ops.state_step(state, y[:, t], theta, thresholds, amount)
        met |= set(state.ravel().tolist())
    kept = y if keep == Keep.Y else spikes
    tau = taus(program[1], starts(program)[1])
    want = []
    for j in range(2):
        for n in range(tokens):
            for t in range(steps):
                group, r, lanes = n // R, n % R, range(j * C, j * C + C)
                at = tau[j][group * steps + t]
                want.append(
                    (
                        at + timing.write_cycle(CONFIG) + r,
                        "row",
                        r,
                        30 + group * steps + t,
                        number(spikes[n, t, lanes]) << j * C,
                    )
                )
                want += [
                    (
                        at + timing.RES_WRITE + r + c,
                        "res",
                        C + c,
                        ((j * 2 + group) * steps + t) * R + r,
                        int(kept[n, t, lanes[c]]),
                    )
                    for c in range(C)
                ]
    assert sorted(writes_of(seen)) == sorted(want)
    assert min(met) < 0 < max(met)
    assert spikes.min() < spikes.max()
    assert [s["busy"] for s in seen] == [1] * total + [0] * (len(seen) - total)


@pytest.mark.parametrize(("bits", "runs"), [(2, 2), (4, 4), (8, 2)])
def test_membranes_in_memory(machine, bits, runs):
    """From run to run codes go on from residual A; after a write to CTRL (run 2), from 0."""
    rng, tokens, base = np.random.default_rng(bits), 6, 3
    index = STATE_BITS.index(bits)
    shift = 2 - index  # fine cells for 8 bits
    theta, most = (1500, 90000) if shift else (560, 30000)
    thresholds = thresholds_of(rng, state_levels(bits), shift, theta - 10)
    amount = STATE_SHIFTS[shift]
    q, weights = bits_of(rng, tokens, W), bits_of(rng, 2 * C, W)
    factor, bias = rng.integers(-most, most, size=2 * C), rng.integers(-9999, 9999, size=2 * C)
    code = (
        table(shift, thresholds.tolist())
        + timing.encode(
            CONFIG,
            Op.GEMM,
            **counts(
                n_x=2,
                n_j=2,
                n_par=2,
                tile_min=timing.STATE_GAP,
                img_w=tokens,
                img_h=1,
                row_x=1,
                row_j=-1,
                col_j=1,
                row_base=4,
                col_base=8,
                par_base=20,
                par_j=2,
                row_gs=1,
                w_base=30,
                w_gs=1,
                slots=W // C,
                dest=int(Dest.ROW),
                double=1,
                rowpop=1,
                theta=theta,
                shift=1,
                res_gs=1,
                res_j=2,
                st_base=base,
                leak=1,
                persist=1,
                state_bits=index,
                state_shift=shift,
            ),
        )
        + isa.encode(Op.HALT)
    )
    rows = load_program(code) + load_columns(weights, factor, bias)
    for n in range(tokens):
        rows += load_word(Mem.ROW, n % R, 4 + n // R, number(q[n]))
    rows += timeline(LAND)
    program = isa.instructions(code)
    total = sum(schedule.program_cycles(CONFIG, program))
    tau = taus(program[1], starts(program)[1])
    y = ops.affine(ops.popcount_dot(q, weights), factor, bias, SHIFTS[1])

    want, each = [], 8 // bits
    kept = np.zeros((2, 2 * R, C), np.int64)  # codes of (column tile, token, lane), as stored
    outputs = []
    for run in range(runs):
        if run == 2:
            rows += [put(load_addr(Mem.CTRL, 0), 123), *timeline(LAND)]
        begin = len(rows) + 1
        rows += [{"start": 1}, *timeline(total + 3)]
        if run == 2:
            kept[:] = 0
        before = kept.copy()
        spikes = np.zeros((tokens, 2 * C), np.int64)
        for j in range(2):
            for n in range(tokens):
                at, r, lanes = begin + tau[j][n // R], n % R, range(j * C, j * C + C)
                kept[j, n], spikes[n, lanes] = ops.state_step(
                    before[j, n], y[n, lanes], theta, thresholds, amount
                )
                want.append(
                    (
                        at + timing.write_cycle(CONFIG) + r,
                        "row",
                        r,
                        30 + n // R,
                        number(spikes[n, lanes]) << j * C,
                    )
                )
                place = (2 * j + base) * R + n  # index of the code
                byte = place // each
                first = n - place % each  # token of the byte's first code
                for c in range(C):
                    codes = [*kept[j, first : n + 1, c], *before[j, n + 1 : first + each, c]]
                    data = sum((int(v) & (1 << bits) - 1) << bits * k for k, v in enumerate(codes))
                    want.append(
                        (at + timing.CODE_WRITE + r + c, "code", 2 * c + byte % 2, byte // 2, data)
                    )
        outputs.append(spikes)
    seen = machine.play(rows)
    assert sorted(writes_of(seen)) == sorted(want)
    assert (outputs[0] != outputs[1]).any()  # the membrane counts
    assert runs < 3 or (outputs[0] == outputs[2]).all()


@pytest.mark.parametrize("steps", [1, 4])
def test_spread_with_codes(machine, steps):
    """MAC: the steps of each of 5 pixels come STATE_GAP cycles apart, to split columns."""
    rng, theta, pixels = np.random.default_rng(steps), 500, 5
    thresholds = np.array([30, 90, 200, 260, 300, 420, 480])  # one in a cell of 32 each
    p = rng.integers(256, size=(pixels, 2))
    weights, bias = rng.integers(-400, 400, size=(C, 2)), rng.integers(-9999, 9999, size=C)
    code = (
        table(1, thresholds.tolist())
        + timing.encode(
            CONFIG,
            Op.MAC,
            **counts(
                n_k=2,
                n_x=pixels,
                n_par=1,
                tile_min=max(2, steps * timing.STATE_GAP),
                img_w=pixels,
                img_h=1,
                row_k=1,
                row_x=2,
                col_k=1,
                row_base=2,
                col_base=40,
                par_base=39,
                n_step=int(Step.ONE),
                spread=1,
                n_spread=steps - 1,
                dest=int(Dest.ROW),
                slots=W // C,
                w_mod=int(Mod.PAIR),
                w_base=30,
                w_gs=100,
                w_half=8,
                w_t=1,
                theta=theta,
                shift=1,
                leak=1,
                state_bits=1,
                state_shift=1,
            ),
        )
        + isa.encode(Op.HALT)
    )
    rows = load_program(code)
    rows += [put(load_addr(Mem.PIX, 2 + n), int(v)) for n, v in enumerate(p.ravel())]
    for c in range(C):
        rows.append(put(load_addr(Mem.COL, 39, c), int(bias[c])))
        rows += [put(load_addr(Mem.COL, 40 + k, c), int(weights[c, k])) for k in range(2)]
    program = isa.instructions(code)
    total = sum(schedule.program_cycles(CONFIG, program))
    rows += [*timeline(LAND), {"start": 1}]
    seen = machine.play([*rows, *timeline(total + 2)])[len(rows) :]
    x = ops.saturate((ops.pixel_sum(p, weights) + bias) >> SHIFTS[1])
    (tau,), want = taus(program[1], starts(program)[1]), []
    state, every = np.zeros_like(x), []
    for s in range(steps):
        state, spikes = ops.state_step(state, x, theta, thresholds, STATE_SHIFTS[1])
        every.append(spikes)
        want += [
            (
                tau[n] + timing.write_cycle(CONFIG) + s * timing.STATE_GAP,
                "row",
                n // 2,
                30 + s + n % 2 * 8,
                number(spikes[n]),
            )
            for n in range(pixels)
        ]
    assert sorted(writes_of(seen)) == sorted(want)
    assert [s["busy"] for s in seen] == [1] * total + [0] * (len(seen) - total)
    assert np.min(every) < np.max(every)
