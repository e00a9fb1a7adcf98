"""A whole core for unit tests, a small program for it, and what its ports show."""

import numpy as np

from hw.arch import Config, isa, schedule, timing
from hw.arch.formats import SHIFTS
from hw.arch.isa import LEVELS, Dest, Keep, Op, Step
from hw.arch.memmap import Mem, load_addr
from hw.core.core import Core
from sw.golden import ops
from tests.unit.bench import Bench, timeline

CONFIG = Config(
    rows=4, cols=8, width=64, row_depth=64, col_depth=64, res_depth=64, pix_depth=64, prog_depth=256
)
R, C, W = CONFIG.rows, CONFIG.cols, CONFIG.width
LAND = 3  #: Cycles from a load to its word, of all memories but the program.
TRACE = [
    "t_row_en",
    "t_row_addr",
    "t_row_data",
    "t_res_en",
    "t_res_addr",
    "t_res_data",
    "t_pix_en",
    "t_pix_addr",
    "t_pix_data",
    "t_mem_en",
    "t_mem_addr",
    "t_mem_data",
    "t_col_read",
]


class Machine:
    """A core on a bench."""

    def __init__(self, core=None):
        self.bench = Bench(
            core or Core(CONFIG, trace=True),
            [
                *("start", "abort", "limit", "load_valid", "load_addr", "load_data"),
                *("peek", "peek_addr", "log_addr"),
            ],
            [
                *("busy", "done", "stopped", "cycles", "pc", "log_data", "log_count"),
                *("peek_data", *TRACE),
            ],
        )

    def play(self, rows):
        return self.bench.play(rows)


def put(addr, value):
    return {"load_valid": 1, "load_addr": addr, "load_data": value & 0xFFFFFFFF}


def load_program(words):
    return [put(load_addr(Mem.PROG, n), w) for n, w in enumerate(words)]


def load_word(mem, bank, word, value):
    """A whole W-bit word, its parts in falling order."""
    return [
        put(load_addr(mem, word, bank, part), value >> 32 * part)
        for part in reversed(range(W // 32))
    ]


def peeks(addresses):
    """Stimulus that peeks at words of pixel memory, one after the other."""
    return [r for a in addresses for r in look(load_addr(Mem.PIX, a), timing.PEEK)]


def look(addr, cycles=None):
    """Stimulus of one peek; the value stands in its last cycle."""
    cycles = timing.peek_cycles(CONFIG) if cycles is None else cycles
    return [{"peek": 1, "peek_addr": addr}, *timeline(cycles)]


def values_of(seen, count):
    """Values of ``peeks`` at the end of a stimulus."""
    found = [s["peek_data"] for s in seen[:: -timing.PEEK - 1][:count]]
    return [v - (v >> 31 << 32) for v in reversed(found)]


def number(bits):
    return sum(int(b) << n for n, b in enumerate(bits))


def lengths_of(words):
    return schedule.program_cycles(CONFIG, isa.instructions(words))


def counts(**given):
    return {**{f"n_{lv}": 1 for lv in LEVELS}, "slots": 1, "lanes": C, **given}


def small_program(shift=1, res_dest=0):
    """GEMM of one tile and two words to row memory and a residual, then MAC of 5 pixels."""
    return (
        timing.encode(
            CONFIG,
            Op.GEMM,
            **counts(
                n_k=2,
                n_par=2,
                tile_min=R,
                img_w=R - 1,
                img_h=1,
                row_k=1,
                col_k=1,
                row_base=4,
                col_base=8,
                par_base=20,
                row_gs=2,
                w_base=30,
                w_gs=1,
                dest=int(Dest.ROW),
                double=1,
                rowpop=1,
                theta=40,
                shift=shift,
                keep=int(Keep.Y),
                res_dest=res_dest,
                res_gs=1,
                res_j=1,
            ),
        )
        + timing.encode(
            CONFIG,
            Op.MAC,
            **counts(
                n_k=5,
                n_par=1,
                tile_min=C,
                img_w=1,
                img_h=1,
                row_k=1,
                col_k=1,
                row_base=2,
                col_base=40,
                par_base=39,
                n_step=int(Step.ONE),
                w_base=50,
                dest=int(Dest.PIX),
                pix_shift=2,
                centre0=-7,
                centre1=100,
                centre2=3,
                centre3=-1,
                centre4=25,
                shift=1,
            ),
        )
        + isa.encode(Op.HALT)
    )


def small_data(rng):
    return {
        "q": (rng.random((R, 2 * W)) < 0.5).astype(int),
        "w": (rng.random((C, 2 * W)) < 0.5).astype(int),
        "bias": rng.integers(-20000, 20000, size=C),
        "factor": rng.integers(-1000, 1000, size=C),
        "pixels": rng.integers(256, size=5),
        "head": rng.integers(-2000, 2000, size=(C, 5)),
        "head_bias": rng.integers(-(1 << 20), 1 << 20, size=C),
    }


def load_small(d, words=None):
    rows = load_program(words or small_program())
    for r in range(R):
        for k in range(2):
            rows += load_word(Mem.ROW, r, 4 + k, number(d["q"][r, k * W : (k + 1) * W]))
    for c in range(C):
        for k in range(2):
            rows += load_word(Mem.COL, c, 8 + k, number(d["w"][c, k * W : (k + 1) * W]))
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
    p = (d["pixels"] << 2) - np.array([-7, 100, 3, -1, 25])
    return x, spikes, ops.head_sum(p, d["head"], d["head_bias"], SHIFTS[1])


def writes_of(seen):
    """(cycle, kind, bank, addr, data) of row, residual and pixel memory, and of codes."""
    n_bytes = W // 8
    for cycle, s in enumerate(seen):
        for b in range(R if s["t_row_en"] else 0):
            enabled = s["t_row_en"] >> b * n_bytes & (1 << n_bytes) - 1
            if enabled:
                mask = sum(255 << 8 * n for n in range(n_bytes) if enabled >> n & 1)
                yield (
                    cycle,
                    "row",
                    b,
                    s["t_row_addr"] >> 16 * b & 0xFFFF,
                    s["t_row_data"] >> W * b & mask,
                )
        for c in range(2 * C):
            if s["t_res_en"] >> c & 1:
                data = s["t_res_data"] >> 18 * (c % C) & 0x3FFFF
                yield (
                    cycle,
                    "res",
                    c,
                    s["t_res_addr"] >> 16 * (c % C) & 0xFFFF,
                    data - (data >> 17 << 18),
                )
            if s["t_mem_en"] >> c & 1:  # half c % 2 of lane c // 2
                yield (
                    cycle,
                    "code",
                    c,
                    s["t_mem_addr"] >> 16 * (c // 2) & 0xFFFF,
                    s["t_mem_data"] >> 8 * c & 0xFF,
                )
        if s["t_pix_en"]:
            yield cycle, "pix", 0, s["t_pix_addr"], s["t_pix_data"] - (s["t_pix_data"] >> 17 << 18)
