"""The whole core on a program of a few words: load port, peek, start, busy, writes by cycle."""

import numpy as np
import pytest

from hw.arch import Config, isa, timing
from hw.arch.formats import MEMBRANE_MAX, SHIFTS
from hw.arch.isa import LEVELS, NI, Dest, Op, Res, Step
from hw.arch.memmap import Mem, load_addr
from hw.core.core import Core
from sw.golden import ops
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=64, row_depth=64, col_depth=64, res_depth=64, pix_depth=64,
                prog_depth=128)
R, C, W = CONFIG.rows, CONFIG.cols, CONFIG.width
LAND = 2  #: Cycles from a write at the load port to the cycle that can read it.
TRACE = ["t_row_en", "t_row_addr", "t_row_data", "t_res_en", "t_res_addr", "t_res_data",
         "t_pix_en", "t_pix_addr", "t_pix_data"]


class Machine:
    def __init__(self):
        self.bench = Bench(
            Core(CONFIG, trace=True),
            ["start", "load_valid", "load_addr", "load_data", "peek_addr"],
            ["busy", "done", "cycles", "peek_data", *TRACE])

    def play(self, rows):
        return self.bench.play(rows)


@pytest.fixture(scope="module")
def machine():
    return Machine()


def put(addr, value):
    return {"load_valid": 1, "load_addr": addr, "load_data": value & 0xFFFFFFFF}


def load_program(words):
    return [put(load_addr(Mem.PROG, n), w) for n, w in enumerate(words)]


def load_word(mem, bank, word, value):
    """A whole W-bit word, its parts in falling order."""
    return [put(load_addr(mem, word, bank, part), value >> 32 * part)
            for part in reversed(range(W // 32))]


def peeks(addresses):
    """Stimulus that peeks; the values stand one cycle later, hence one more row."""
    return [*({"peek_addr": a} for a in addresses), {}]


def values_of(seen, count):
    """Values of ``peeks`` at the end of a stimulus."""
    return [s["peek_data"] for s in seen[-count:]]


def number(bits):
    return sum(int(b) << n for n, b in enumerate(bits))


def test_pixels_are_read_back_with_their_sign(machine):
    values = [0, 1, -1, (1 << 17) - 1, -(1 << 17), 12345]
    rows = [put(load_addr(Mem.PIX, 3 * n), v | 0xABC << 18) for n, v in enumerate(values)]
    rows += timeline(LAND)
    rows += peeks([3 * n for n in range(len(values))])
    assert values_of(machine.play(rows), len(values)) == values


def test_a_load_lands_two_cycles_later(machine):
    """Peeking the word being written: the old value until LAND cycles have passed."""
    rows = [put(load_addr(Mem.PIX, 5), 111), *timeline(4), put(load_addr(Mem.PIX, 5), 222)]
    rows += [{"peek_addr": 5}] * 6
    for r in rows:
        r["peek_addr"] = 5
    seen = [s["peek_data"] for s in machine.play(rows)]
    written = 5  # cycle of the second load
    assert seen[written: written + LAND + 1] == [111] * (LAND + 1)
    assert seen[written + LAND + 1:] == [222] * (len(seen) - written - LAND - 1)


def test_loads_of_other_memories_leave_pixels_alone(machine):
    rows = [put(load_addr(Mem.PIX, 7), 1000)]
    rows += [put(load_addr(mem, 7, bank), 9) for mem in (Mem.PROG, Mem.COL, Mem.ROW)
             for bank in (0, 3)]
    rows += [{"load_addr": load_addr(Mem.PIX, 7), "load_data": 5}]  # not valid
    rows += [put(7 | m << 27, 77) for m in (4, 7)]  # no such memory
    rows += timeline(LAND) + peeks([7])
    assert values_of(machine.play(rows), 1) == [1000]


def test_halt_alone(machine):
    rows = load_program(isa.encode(Op.HALT)) + timeline(LAND)
    start = len(rows)
    (total,) = timing.program_cycles(CONFIG, [isa.decode(isa.encode(Op.HALT))])
    assert total == timing.START + 1
    seen = machine.play([*rows, {"start": 1}, *timeline(total + 5)])
    assert [s["busy"] for s in seen] == [0] * (start + 1) + [1] * total + [0] * 5
    assert [s["done"] for s in seen] == [0] * (start + 1 + total) + [1] * 5
    assert [s["cycles"] for s in seen[start + 1:]] == [*range(total), *[total] * 5]


def test_done_until_the_next_start(machine):
    total = timing.START + 1
    rows = load_program(isa.encode(Op.HALT)) + timeline(LAND)
    rows += [{"start": 1}, *timeline(total + 3), {"start": 1}, *timeline(total + 3)]
    seen = machine.play(rows)[-(total + 4):]
    assert [s["done"] for s in seen] == [1] + [0] * total + [1] * 3
    assert [s["cycles"] for s in seen[1:]] == [*range(total), *[total] * 3]


def counts(**given):
    return {**{f"n_{lv}": 1 for lv in LEVELS}, "slots": 1, "lanes": C, **given}


def small_program(shift=1):
    """GEMM of one tile and two words to row memory and residual A, then MAC of 5 pixels."""
    return (
        isa.encode(Op.GEMM, **counts(
            n_k=2, n_par=2, tile_min=R, img_w=R - 1, img_h=1, row_k=1, col_k=1, row_base=4,
            col_base=8, par_base=20, row_gs=2, w_base=30, w_gs=1, dest=int(Dest.ROW), double=1,
            rowpop=1, theta=40, shift=shift, res=int(Res.SET), res_gs=1, res_j=1))
        + isa.encode(Op.MAC, **counts(
            n_k=5, n_par=1, tile_min=C, img_w=1, img_h=1, row_k=1, col_k=1, row_base=2,
            col_base=40, par_base=39, n_step=int(Step.ONE), w_base=50, dest=int(Dest.PIX),
            pix_shift=2, centre0=-7, centre1=100, centre2=3, centre3=-1, shift=1))
        + isa.encode(Op.HALT)
    )


def small_data(rng):
    return {
        "q": (rng.random((R, 2 * W)) < 0.5).astype(int),
        "w": (rng.random((C, 2 * W)) < 0.5).astype(int),
        "bias": rng.integers(-20000, 20000, size=C), "factor": rng.integers(-1000, 1000, size=C),
        "pixels": rng.integers(256, size=5), "head": rng.integers(-2000, 2000, size=(C, 5)),
        "head_bias": rng.integers(-(1 << 20), 1 << 20, size=C),
    }


def load_small(d):
    rows = load_program(small_program())
    for r in range(R):
        for k in range(2):
            rows += load_word(Mem.ROW, r, 4 + k, number(d["q"][r, k * W: (k + 1) * W]))
    for c in range(C):
        for k in range(2):
            rows += load_word(Mem.COL, c, 8 + k, number(d["w"][c, k * W: (k + 1) * W]))
        rows.append(put(load_addr(Mem.COL, 20, c), int(d["bias"][c])))
        rows.append(put(load_addr(Mem.COL, 21, c), int(d["factor"][c])))
        rows.append(put(load_addr(Mem.COL, 39, c), int(d["head_bias"][c])))
        rows += [put(load_addr(Mem.COL, 40 + n, c), int(v)) for n, v in enumerate(d["head"][c])]
    rows += [put(load_addr(Mem.PIX, 2 + n), int(v)) for n, v in enumerate(d["pixels"])]
    return rows + timeline(LAND)


def expected(d):
    """x (R, C), spikes (R, C) and logits (C) by the golden functions."""
    x = ops.affine(ops.popcount_dot(d["q"], d["w"]), d["factor"], d["bias"], SHIFTS[1])
    _, spikes = ops.lif_step(np.zeros_like(x), x, 40)
    p = (d["pixels"] << 2) - np.array([-7, 100, 3, -1, -7])
    return x, spikes, ops.head_sum(p, d["head"], d["head_bias"], SHIFTS[1])


def writes_of(seen):
    """(cycle, kind, bank, addr, data) of row, residual A and pixel memory."""
    n_bytes = W // 8
    for cycle, s in enumerate(seen):
        for b in range(R):
            if s["t_row_en"] >> b * n_bytes & (1 << n_bytes) - 1:
                yield (cycle, "row", b, s["t_row_addr"] >> 16 * b & 0xFFFF,
                       s["t_row_data"] >> W * b & (1 << W) - 1)
        for c in range(2 * C):
            if s["t_res_en"] >> c & 1:
                data = s["t_res_data"] >> 18 * (c % C) & 0x3FFFF
                yield (cycle, "res", c, s["t_res_addr"] >> 16 * (c % C) & 0xFFFF,
                       data - (data >> 17 << 18))
        if s["t_pix_en"]:
            yield cycle, "pix", 0, s["t_pix_addr"], s["t_pix_data"] - (s["t_pix_data"] >> 17 << 18)


@pytest.mark.parametrize("seed", range(2))
def test_small_program(machine, seed):
    """Every write in its cycle with its value; logits by peek; cycles as forecast."""
    d = small_data(np.random.default_rng(seed))
    program = isa.instructions(small_program())
    lengths = timing.program_cycles(CONFIG, program)
    total = sum(lengths)
    rows = [*load_small(d), {"start": 1}]
    begin = len(rows)
    seen = machine.play([*rows, *timeline(total + 3), *peeks(range(50, 50 + C))])
    x, spikes, logits = expected(d)
    write = timing.write_cycle(CONFIG)
    tau = timing.START + 2 + 1  # two parameters, two words
    valid = range(R - 1)  # img_w
    want = [(tau + write + r, "row", r, 30, number(spikes[r])) for r in valid]
    want += [(tau + timing.Y + r + c, "res", c, r, int(x[r, c])) for r in valid for c in range(C)]
    tau = lengths[0] + 1 + 5 - 1
    want += [(tau + write + c, "pix", 0, 50 + c, int(logits[c])) for c in range(C)]
    assert spikes.min() < spikes.max()
    assert np.abs(logits).max() < MEMBRANE_MAX
    assert sorted(writes_of(seen[begin:])) == sorted(want)
    assert not list(writes_of(seen[:begin]))
    assert values_of(seen, C) == logits.tolist()
    assert [s["busy"] for s in seen[begin:]] == [1] * total + [0] * (len(seen) - begin - total)
    assert seen[-1]["cycles"] == total


def test_start_and_loads_while_busy_are_ignored(machine):
    """From the first busy cycle to the last: program, weights, spikes and pixels stay."""
    d = small_data(np.random.default_rng(5))
    total = sum(timing.program_cycles(CONFIG, isa.instructions(small_program())))
    rows = [*load_small(d), {"start": 1}]
    begin = len(rows)
    bad = [load_addr(Mem.PIX, 2), load_addr(Mem.COL, 8, 0), load_addr(Mem.COL, 40, 2),
           load_addr(Mem.ROW, 4, 1), load_addr(Mem.PROG, 2 * NI), load_addr(Mem.PIX, 60),
           load_addr(Mem.PIX, 50)]
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
    total = sum(timing.program_cycles(CONFIG, isa.instructions(small_program())))
    seen = machine.play([*rows, *timeline(total + 2), *peeks(range(50, 50 + C))])
    assert values_of(seen, C) == expected(d)[2].tolist()
