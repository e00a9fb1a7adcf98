"""Sequencer against a naive nested loop, cycle by cycle of ``hw.arch.timing``."""

import dataclasses
import itertools

import pytest
from hypothesis import HealthCheck, assume, example, given, seed, settings
from hypothesis import strategies as st

from hw.arch import Config, isa, schedule, timing
from hw.arch.formats import STATE_CELL_COARSE, STATE_CELLS, STATE_MAX, STATE_SHIFTS, state_cell
from hw.arch.isa import LEVELS, NI, Dest, Mod, Op, Step, Taps
from hw.core.sequencer import Sequencer
from tests.unit.bench import Bench, timeline
from tests.unit.states import AT, entries, last_cell, write_of

CONFIG = Config(rows=4, cols=8, width=32)
R = CONFIG.rows
ORDER = tuple(reversed(LEVELS))  # outer to inner


class Runner:
    def __init__(self, config):
        self.config = config
        self.bench = Bench(
            Sequencer(config),
            ["start", "clear", "forget", "prog_data"],
            ["busy", "done", "pc", "prog_addr", "insn", "setup", "word", "tag", "table"],
        )

    def run(self, program, cycles, starts=(2,), forgets=(), clears=()):
        """Outputs by cycle, cycle 0 being the first busy one after the first start."""
        stimulus = timeline(starts[0] + cycles + 6)
        for s in starts:
            stimulus[s]["start"] = 1
        for s in forgets:
            stimulus[s]["forget"] = 1
        for s in clears:
            stimulus[s]["clear"] = 1

        def react(_, out):
            at = out["prog_addr"]
            return {"prog_data": program[at] if at < len(program) else 0xFFFFFFFF}

        seen = self.bench.play(stimulus, react)
        assert not any(s["busy"] or s["done"] for s in seen[: starts[0] + 1])
        return seen[starts[0] + 1 :]


@pytest.fixture(scope="module", params=[1, 0], ids=["prefetch", "late"])
def runner(request):
    return Runner(dataclasses.replace(CONFIG, prefetch=request.param))


def assemble(instructions):
    """Program memory and decoded form, HALT added."""
    words = []
    for i in instructions:
        fields = {k: v for k, v in i.items() if k not in ("op", "table")}
        words += timing.encode(CONFIG, Op(i["op"]), **fields)
        words += i.get("table", ())
    words += isa.encode(Op.HALT)
    return words, isa.instructions(words)


def side_shift(i, dx):
    """Horizontal shift of a GEMM's or POOL's word."""
    return {
        Taps.SIDE: dx - i.shift_left,
        Taps.STRIDE: -1 if dx == 0 else 0,
        Taps.POOL: dx // 2 - i.shift_left,
    }[i.taps]


def naive(program, config=CONFIG):
    """Expected {cycle: word}, {cycle: tag}, {cycle: (address, write)} of tables, (first, last)
    issue cycle of each instruction, and the length of the run.
    """
    words, tags, tables, spans, at, half, address = {}, {}, {}, [], timing.START, 0, 0
    for i in program[:-1]:
        address += NI
        if i.op == Op.TABLE:
            assert len(i.table) == i.n_k
            cell = state_cell(STATE_SHIFTS[i.state_shift])
            thresholds = [word % (1 << 14) for word in i.table]
            write, left = 0, len(thresholds)
            address += left > 0  # the first comes to hand, the second is read
            tables[at] = address, write
            for n, entry in enumerate(entries(thresholds, cell)):
                taken = entry >> AT != STATE_CELL_COARSE
                address += taken and left > 1
                left -= taken
                tables[at + 1 + n] = address, write
                write = write_of(n, entry)
            behind = address + isa.LATE_WORD * config.prefetch
            tables[at + 1 + STATE_CELLS] = behind, write
            spans.append((at, at + STATE_CELLS))
            at += timing.overhead(config, i)
            continue
        starts = timing.column_starts(i)
        row, col, par = i.row_base, i.col_base, i.par_base
        wc, slot, rc, before, fresh = i.w_base, 0, 0, None, -1
        soonest = at + 1  # the next tau
        n = {lv: i.count(lv) for lv in LEVELS}
        pixels = i.n_step == Step.ONE
        tile = row, col  # addresses of the tile's first word
        for column, (h, j) in enumerate(itertools.product(range(n["h"]), range(n["j"]))):
            cycle = at + starts[column]
            for p in range(i.n_par):
                words[cycle + p] = {
                    "valid": 0,
                    "par": 1,
                    "par_index": p,
                    "half": half,
                    "col_addr": (par + p) & 0xFFFF,
                }
            cycle += i.n_par
            nb = groups = rgroups = 0
            for y, x, t in itertools.product(range(n["y"]), range(n["x"]), range(n["t"])):
                if t == 0 and (y, x) != (0, 0):  # x or y advanced
                    step = {Step.ONE: 1, Step.HALF: R // 2}.get(i.n_step, R)
                    if i.n_step == Step.ROWS and i.flat:
                        step = min(R, i.img_w - R * ((x or n["x"]) - 1))
                    new = nb + step
                    if x == 0 and not i.flat:
                        line = 2 * R if i.w_mod == Mod.PAIR else R
                        new = -(-new // line) * line
                    per = {
                        Mod.ROWS: R,
                        Mod.COLS: CONFIG.cols,
                        Mod.WORD: CONFIG.width,
                        Mod.PAIR: 2 * R,
                    }[i.w_mod]
                    groups += i.w_gs * (new // per != nb // per)
                    rgroups += i.res_gs * (new // R - nb // R)
                    nb = new
                rows_in = [
                    dy for dy in range(n["dy"]) if 0 <= (y << i.y_twice) + dy - i.pad_y < i.img_h
                ]
                rows_in = rows_in if i.clip else range(n["dy"])
                total = len(rows_in) * n["dx"] * n["k"] * (1 + i.xnor)
                assert total == timing.tile_words(i, y)
                inner = itertools.product(rows_in, range(n["dx"]), range(n["k"]))
                at_word, number = cycle, 0
                tau = max(cycle + total - 1, soonest)  # the last word waits until then
                for dy, dx, k in inner:
                    here = (h, j, y, x, t, dy, dx, k)
                    if before is not None:
                        moving = next(m for m in range(8) if here[m] != before[m])
                        level = ORDER[moving]
                        if level in ("dx", "dy"):
                            level += "2" * (before[moving] % 2)
                        elif level != "k":
                            row, col = tile
                        row += i.delta("row", level)
                        col += i.delta("col", level)
                        if (
                            level == "y"
                            and i.clip
                            and (left := i.pad_y - (before[2] << i.y_twice)) > 0
                        ):
                            times = 2 if left == 3 and i.y_twice else 1
                            row, col = row + times * i.row_up, col + times * i.col_up
                    if not before or here[:5] != before[:5]:
                        tile = row, col
                    before = here
                    y_in = (2 * y if i.y_twice else y) + dy - i.pad_y
                    column_x = (2 * x if i.x_twice else x) if pixels else R * x
                    x_in = column_x + dx - i.shift_left
                    shift = side_shift(i, dx)
                    for neg in range(2 if i.xnor else 1):
                        number += 1
                        at_word = tau if number == total else at_word
                        words[at_word] = {
                            "valid": 1,
                            "par": 0,
                            "half": half,
                            "neg": neg,
                            "row_addr": row & 0xFFFF,
                            "col_addr": col & 0xFFFF,
                            "first": int(number == 1),
                            "last": int(number == total),
                            "new": int(column != fresh),
                            "k": k & 15,
                            **(
                                {}
                                if pixels
                                else {"left": int(shift == -1), "right": int(shift == 1)}
                            ),
                            "dx0": int(dx == 0),
                            "sc": 0,
                            "edge": int(i.taps == Taps.STRIDE and i.odd_w and dx == 2),
                            "y_ok": int(0 <= y_in < i.img_h),
                            **({"x_ok": int(0 <= x_in < i.img_w)} if pixels else {}),
                            "x_zero": int(x == 0),
                            "second": h & 1,
                            "x_left": (i.img_w - column_x) & 0xFFF,
                            "sum_ok": int(not i.mean_mask or dy < n["dy"] - 1 or k < i.mean_mask),
                        }
                        at_word += 1
                advance = {Step.ONE: 1, Step.HALF: R // 2}.get(i.n_step, R)
                tags[at_word] = {  # tau + 1
                    "half": half,
                    "new": int(column != fresh),
                    "final": int(j == n["j"] - 1),
                    "t": t,
                    "start": int(t == 0),
                    "nb": nb & 0xFF,
                    "n_valid": 1 if i.n_step == Step.ONE else min(R, i.img_w - R * x),
                    "addr": (wc + groups + i.w_t * t) & 0xFFFF,
                    "slot": slot,
                    "res": (rc + rgroups + t) & 0xFFFF,
                    "x_out": x * (min(advance, i.img_w) if i.flat and advance == R else advance),
                }
                if i.shortcut:
                    bits = 8 * i.sc_byte + column * CONFIG.cols
                    group = y * n["x"] + x
                    words[at_word] = {
                        "valid": 0,
                        "par": 0,
                        "sc": 1,
                        "left": 0,
                        "right": 0,
                        "last": 0,
                        "sc_byte": bits % CONFIG.width // 8,
                        "row_addr": (
                            i.sc_base + bits // CONFIG.width + group * i.sc_gs + t * i.sc_t
                        )
                        & 0xFFFF,
                    }
                fresh = column
                cycle, soonest = tau + 1 + i.shortcut, tau + i.tile_min
            head_ends = j == n["j"] - 1
            slot += 1
            if slot == i.slots or (i.head_align and head_ends):
                slot, wc = 0, wc + i.w_j
            par += i.par_h if head_ends else i.par_j
            rc += i.res_j
            half ^= 1
        spans.append((at, at + starts[-1] - 1))
        assert cycle == at + starts[-1]
        at += starts[-1] + timing.overhead(config, i)
    return words, tags, tables, spans, at + 1


def places(program):
    """Address of each instruction in program memory."""
    sizes = [NI + len(i.table) for i in program]
    return [sum(sizes[:n]) for n in range(len(sizes))]


def check(runner, instructions):
    code, program = assemble(instructions)
    words, tags, tables, spans, total = naive(program, runner.config)
    assert total == sum(schedule.program_cycles(runner.config, program))
    seen = runner.run(code, total)
    for cycle, s in enumerate(seen):
        word, tag, table = s["word"], s["tag"], s["table"].as_bits()
        want = words.get(cycle, {"valid": 0, "par": 0, "sc": 0})
        assert {k: int(word[k]) for k in want} == want, f"word of cycle {cycle}"
        assert tag["valid"] == (cycle in tags), f"tag of cycle {cycle}"
        if cycle in tags:
            want = tags[cycle]
            assert {k: int(tag[k]) for k in want} == want, f"tag of cycle {cycle}"
        address, write = tables.get(cycle, (s["prog_addr"], 0))
        assert s["prog_addr"] == address, f"program address of cycle {cycle}"
        assert table == write if write else not table & 1, f"table of cycle {cycle}"
        assert s["busy"] == (cycle < total), cycle
        assert s["done"] == (cycle >= total), cycle
    setups = [cycle for cycle, s in enumerate(seen) if s["setup"]]
    assert setups == [first - 1 for first, _ in spans] + [total - 2]
    assert [seen[cycle]["pc"] for cycle in setups] == places(program)
    for (first, last), i in zip(spans, program, strict=False):
        bits = sum(
            word << 32 * n
            for n, word in enumerate(
                isa.encode(
                    Op(i.op), **{f.name: getattr(i, f.name) for f in isa.FIELDS if f.name != "op"}
                )
            )
        )
        assert all(s["insn"].as_bits() == bits for s in seen[first : last + 1])
        if i.op == Op.TABLE:
            continue
        late = 32 * isa.LATE_WORD
        assert i.drain == timing.drain_cycles(CONFIG, i)
        assert all(
            s["insn"].as_bits() >> late == bits >> late for s in seen[last + 1 : last + 1 + i.drain]
        )


def gemm(**fields):
    """A GEMM whose counts and addresses are given; the rest plain."""
    counts = {f"n_{lv}": 1 for lv in LEVELS}
    out = {"op": Op.GEMM, **counts, "tile_min": R, "slots": 1, "img_w": R, "img_h": 1, **fields}
    if "img_w" not in fields:
        out["img_w"] = R * out["n_x"]
    if "img_h" not in fields:
        out["img_h"] = out["n_y"]
    return out


DELTAS = {
    f"{side}_{lv}": 3 + 5 * n + 41 * (side == "col")
    for side in ("row", "col")
    for n, lv in enumerate((*LEVELS, "dx2", "dy2", "up"))
}


def test_halt_alone(runner):
    check(runner, [])


def test_one_word(runner):
    check(runner, [gemm(row_base=7, col_base=9, tile_min=2)])


@pytest.mark.parametrize("level", LEVELS)
def test_one_level(runner, level):
    check(runner, [gemm(**{f"n_{level}": 3}, **DELTAS, n_par=2, par_base=100, par_j=5, par_h=9)])


@pytest.mark.parametrize("level", LEVELS[3:])
def test_xnor_issues_twice(runner, level):
    check(runner, [gemm(xnor=1, n_k=3, n_dx=2, **{f"n_{level}": 2}, **DELTAS)])


@pytest.mark.parametrize("n_k", [1, 6, 7, 8, 9, 12])
def test_parameters_wait_for_swap(runner, n_k):
    """Short column tiles: their parameters come SWAP cycles after tau of the one before."""
    check(
        runner,
        [
            gemm(
                n_k=n_k,
                n_j=3,
                n_h=2,
                n_par=3,
                tile_min=2,
                **DELTAS,
                par_base=50,
                par_j=4,
                par_h=7,
                head_align=1,
                slots=2,
                w_j=100,
            )
        ],
    )


def test_starts_of_short_column_tiles():
    """The wait in numbers: a one-word column tile with 2 parameters lasts 2 + SWAP."""
    i = isa.decode(
        isa.encode(
            Op.GEMM, **{k: v for k, v in gemm(n_j=3, n_par=2, tile_min=1).items() if k != "op"}
        )
    )
    assert timing.column_starts(i) == [
        0,
        2 + timing.SWAP,
        2 * (2 + timing.SWAP),
        2 * (2 + timing.SWAP) + 3,
    ]


def test_several_instructions(runner):
    """Overhead between them; the parameter half goes on alternating; MAC and MEAN fields."""
    check(
        runner,
        [
            gemm(
                n_k=2,
                n_x=2,
                img_w=6,
                n_t=2,
                n_j=3,
                n_par=2,
                w_gs=8,
                w_t=1,
                res_gs=2,
                res_j=16,
                theta=77,
                dest=1,
                shift=2,
                **DELTAS,
            ),
            gemm(
                op=Op.MAC,
                n_step=Step.ONE,
                n_k=3,
                n_dx=3,
                n_dy=3,
                shift_left=1,
                pad_y=1,
                n_x=3,
                n_y=2,
                img_w=3,
                img_h=2,
                n_par=1,
                w_gs=5,
                tile_min=20,
                theta=5,
                centre3=-9,
                **DELTAS,
            ),
            gemm(
                op=Op.MEAN,
                n_step=Step.ONE,
                n_k=R,
                n_dx=2,
                n_dy=2,
                n_h=2,
                mean_mask=3,
                n_par=2,
                dest=6,
                **DELTAS,
            ),
            gemm(
                op=Op.POOL,
                n_step=Step.HALF,
                n_dx=2,
                n_dy=3,
                n_t=2,
                n_x=2,
                n_y=2,
                y_twice=1,
                pad_y=1,
                shift_left=1,
                img_w=2 * R,
                img_h=3,
                tile_min=6,
                w_gs=3,
                **DELTAS,
            ),
        ],
    )


@pytest.mark.parametrize("mod", Mod)
@pytest.mark.parametrize("flat", [0, 1])
def test_destination_groups(runner, flat, mod):
    """Token counters over image rows that end inside a group, over more than a word of tokens."""
    check(
        runner,
        [
            gemm(
                n_x=3,
                n_y=5,
                img_w=9,
                img_h=5,
                flat=flat,
                w_mod=int(mod),
                w_gs=100,
                res_gs=10,
                n_j=2,
                w_j=1000,
                res_j=3000,
                tile_min=2,
                w_base=60000,
            )
        ],
    )


@pytest.mark.parametrize("width", [1, R - 1, R, R + 1, 2 * R - 1, 2 * R, 2 * R + 1, 3 * R])
@pytest.mark.parametrize("step", [Step.ROWS, Step.ONE])
def test_split_destination(runner, step, width):
    """Image rows padded to 2R tokens: tiles of R tokens (GEMM) or of one (MAC), two image rows."""
    n_x = width if step == Step.ONE else -(-width // R)
    check(
        runner,
        [
            gemm(
                n_x=n_x,
                n_y=3,
                img_w=width,
                img_h=3,
                n_step=int(step),
                n_t=2,
                w_t=7,
                w_mod=int(Mod.PAIR),
                w_gs=100,
                w_half=5000,
                res_gs=10,
                n_j=2,
                w_j=1000,
                res_j=3000,
                tile_min=2,
                w_base=60000,
            )
        ],
    )


@pytest.mark.parametrize("level", ["dx", "dy"])
@pytest.mark.parametrize("n_k", [1, 2])
def test_second_deltas(runner, level, n_k):
    """Advances from odd indices take their own delta, in every tile anew."""
    check(runner, [gemm(n_k=n_k, **{f"n_{level}": 6}, n_x=2, n_j=2, tile_min=2, **DELTAS)])


@pytest.mark.parametrize("shift_left", [0, 1])
@pytest.mark.parametrize("odd_w", [0, 1])
@pytest.mark.parametrize(
    ("taps", "n_dx"), [(Taps.SIDE, 3), (Taps.STRIDE, 3), (Taps.POOL, 2), (Taps.POOL, 6)]
)
def test_taps(runner, taps, n_dx, odd_w, shift_left):
    """Shift of each dx; ``edge`` at dx 2 of STRIDE with odd_w alone. STRIDE starts at -1."""
    if taps == Taps.STRIDE:
        shift_left = 1
    check(
        runner,
        [
            gemm(
                taps=int(taps),
                n_dx=n_dx,
                n_dy=2,
                n_k=2,
                n_x=2,
                odd_w=odd_w,
                shift_left=shift_left,
                tile_min=2,
                **DELTAS,
            )
        ],
    )


@pytest.mark.parametrize("twice", [0, 1])
@pytest.mark.parametrize("pad", range(4))
def test_taps_beyond_the_image(runner, pad, twice):
    """x_ok and y_ok of 5x5 taps, padded by ``pad``, strides 1 and 2, on 5 x 3 pixels and on one."""
    for w, h in ((5, 3), (1, 1)):
        check(
            runner,
            [
                gemm(
                    op=Op.MAC,
                    n_step=Step.ONE,
                    n_dx=5,
                    n_dy=5,
                    shift_left=pad,
                    pad_y=pad,
                    x_twice=twice,
                    y_twice=twice,
                    n_x=-(-w // (1 + twice)),
                    n_y=-(-h // (1 + twice)),
                    img_w=w,
                    img_h=h,
                    **DELTAS,
                )
            ],
        )


@pytest.mark.parametrize("twice", [0, 1])
@pytest.mark.parametrize(("pad", "taps"), [(0, 3), (1, 3), (2, 5), (2, 6), (3, 7)])
def test_rows_outside_the_image_are_left_out(runner, pad, taps, twice):
    """Images of 1 to 9 rows; two column tiles, so that the first row follows the last."""
    for h, op in itertools.product((1, 2, 3, 6, 9), (Op.GEMM, Op.MAC)):
        n_y = -(-h // (1 + twice))
        fields = {"n_step": Step.ONE, "n_x": 2, "img_w": 2} if op == Op.MAC else {"img_w": R}
        check(
            runner,
            [
                gemm(
                    op=op,
                    clip=1,
                    n_dy=taps,
                    n_dx=2,
                    pad_y=pad,
                    y_twice=twice,
                    n_y=n_y,
                    n_t=1 + h % 2,
                    img_h=h,
                    n_j=2,
                    n_par=h % 3,
                    par_j=2,
                    tile_min=2,
                    **fields,
                    **DELTAS,
                )
            ],
        )


def test_shortest_clipped_tiles(runner):
    """Two words a tile in the middle of one column of taps, one at both ends, waiting for another:
    each tile is another image row."""
    fields = {"n_dy": 3, "pad_y": 1, "img_w": R, "tile_min": 2}
    for h in (1, 2, 3, 5):
        check(runner, [gemm(clip=1, n_y=h, img_h=h, n_j=3, **fields, **DELTAS)])


def test_stride_of_one_side(runner):
    """x_twice and y_twice do not meddle with each other; many taps on a wide image."""
    for x_twice, y_twice in ((0, 1), (1, 0)):
        check(
            runner,
            [
                gemm(
                    op=Op.MAC,
                    n_step=Step.ONE,
                    n_dx=15,
                    shift_left=3,
                    pad_y=1,
                    n_dy=3,
                    x_twice=x_twice,
                    y_twice=y_twice,
                    n_x=9,
                    n_y=2,
                    img_w=18,
                    img_h=4,
                    w_mod=int(Mod.PAIR),
                    w_gs=5,
                    **DELTAS,
                )
            ],
        )


@pytest.mark.parametrize("sc_byte", range(CONFIG.width // 8))
@pytest.mark.parametrize("tile_min", [2, 4, 7])
def test_shortcut(runner, tile_min, sc_byte):
    """One more word after each tile of 3, at the address of its group, step and column tile.

    It lengthens the tile where tile_min does not cover it.
    """
    check(
        runner,
        [
            gemm(
                n_k=3,
                n_t=2,
                n_x=2,
                n_y=2,
                n_j=2,
                n_h=2,
                shortcut=1,
                sc_base=0xFFF0,
                sc_gs=100,
                sc_t=9,
                sc_byte=sc_byte,
                tile_min=tile_min,
                n_par=2,
                par_j=4,
                shift_left=1,
                n_dx=1,
                **DELTAS,
            )
        ],
    )


def test_shortcut_of_xnor_and_of_one_word(runner):
    """After the inverted pass; a tile of one word and its shortcut takes 2 cycles; then none."""
    shortcut = {"shortcut": 1, "sc_base": 300, "sc_gs": 2, "sc_t": 50, "tile_min": 2}
    check(
        runner,
        [
            gemm(n_k=2, n_t=2, xnor=1, n_x=2, **shortcut, **DELTAS),
            gemm(n_t=3, n_x=3, n_j=2, **shortcut, **DELTAS),
            gemm(n_t=3, n_x=3, n_j=2, **{**shortcut, "shortcut": 0}, **DELTAS),
        ],
    )


def table_of(count, salt=0, shift=1):
    """A TABLE of ``count`` thresholds, their bits above it noise; neighbouring cells too."""
    cell = state_cell(STATE_SHIFTS[shift])
    free = last_cell(cell) - count  # cells left over, put before the first or between
    thresholds, at = [], 0
    for n in range(count):
        skip = (salt * 7 + n * n) % (2 * free // (count + 1) + 1) if (n + salt) % 3 else 0
        skip = min(skip, free)
        free, at = free - skip, at + skip
        place = (5 * n + salt) % cell if n % 4 else (cell - 1) * (salt & 1)
        thresholds.append(min(max(at * cell + place, 1), STATE_MAX))
        at += 1
    words = tuple(t | (0x5A5A7 * n & 0x3FFFF) << 14 for n, t in enumerate(thresholds, salt))
    return {"op": Op.TABLE, "n_k": count, "state_shift": shift, "table": words}


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("count", [0, 1, 7, 127])
def test_table(runner, count, shift):
    """A write for each cell; words are consumed in theirs, then comes the next instruction."""
    check(
        runner,
        [
            table_of(count, shift=shift),
            gemm(n_k=2, n_j=2, n_par=3, **DELTAS),
            table_of(3, 11, 3 - shift),
            table_of(count, 5, shift),
            gemm(n_k=2, **DELTAS),
        ],
    )


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize(
    "cells", [range(1), range(2), range(127), "end", [0, "end"], [5, 6, 7, 200, 201, "end"]]
)
def test_table_corners(runner, shift, cells):
    """Words one after another from the first cell, and up to the last; nothing drains after it."""
    cell = state_cell(STATE_SHIFTS[shift])
    end = last_cell(cell)
    cells = (
        range(end - 127, end) if cells == "end" else [end - 1 if n == "end" else n for n in cells]
    )
    for place in (1, cell - 1):
        words = tuple(min(n * cell + place, STATE_MAX) for n in cells)
        i = {"op": Op.TABLE, "n_k": len(words), "state_shift": shift, "table": words}
        check(runner, [i, gemm(**DELTAS)])


def test_cycles_of_a_table():
    """A cell a cycle and the next fetch, whatever its thresholds."""
    for count, shift in ((0, 0), (127, 0), (127, 3)):
        _, program = assemble([table_of(count, shift=shift)])
        lengths = schedule.program_cycles(CONFIG, program)
        assert lengths == [timing.START + 1 + STATE_CELLS + NI + 2, 1]


def test_table_words_that_look_like_instructions(runner):
    """Bits above the threshold mean nothing; words that look like HALT or GEMM are not run."""
    halt, gemm_word = 0xFFFC0000 | 8 * 40, isa.encode(Op.GEMM, pad_y=3, n_par=31)[0]
    words = tuple(sorted((halt, 1, gemm_word), key=lambda word: word % (1 << 14)))
    check(runner, [{"op": Op.TABLE, "n_k": 3, "state_shift": 2, "table": words}, gemm(**DELTAS)])


@pytest.mark.parametrize("once", [0, 1])
def test_a_table_that_is_kept(runner, once):
    """Later runs begin behind it and issue the same words, until it is forgotten."""
    kept = table_of(3) | {"once": once}
    code, program = assemble([kept, gemm(n_k=2, n_j=2, n_par=3, **DELTAS)])
    first, later = (
        sum(schedule.program_cycles(runner.config, program, first)) for first in (True, False)
    )
    assert first - later == once * (1 + STATE_CELLS + NI + 2)
    starts = [2]
    for length in (first, later, later):
        starts.append(starts[-1] + length + 3)
    forget = starts[2] + later + 2  # between the third run and the fourth
    seen = runner.run(code, starts[3] + first + 3, starts=starts, forgets=[forget])
    ends = [0, *(at - 2 for at in starts[1:])]
    runs = [seen[at:] for at in ends]
    words = []
    for n, run in enumerate(runs):
        length = next(cycle for cycle, s in enumerate(run) if s["done"] and cycle > 0)
        assert length == (first if n in (0, 3) else later), n
        words.append([s["word"]["row_addr"] for s in run[:length] if s["word"]["valid"]])
        loads = sum(s["table"].as_bits() & 1 for s in run[:length])
        assert loads == (STATE_CELLS if n in (0, 3) or not once else 0)
    assert words == [words[0]] * 4


def test_a_start_in_the_cycle_of_forget(runner):
    """What is loaded in the cycle of start counts for that run."""
    code, program = assemble([table_of(1) | {"once": 1}])
    first = sum(schedule.program_cycles(runner.config, program, True))
    seen = runner.run(code, 2 * first + 9, starts=[2, first + 6], forgets=[first + 7])
    again = seen[first + 4 :]
    assert again[0]["busy"]
    assert next(n for n, s in enumerate(again) if s["done"]) == first


def test_table_after_slow_steps(runner):
    """The table is not written before the last code of the instruction before has used it."""
    check(
        runner,
        [
            gemm(
                op=Op.MAC,
                n_step=Step.ONE,
                n_k=2,
                spread=1,
                leak=1,
                n_spread=15,
                tile_min=80,
                theta=9,
                **DELTAS,
            ),
            table_of(4),
        ],
    )


@pytest.mark.parametrize(("spread", "leak"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_drain_of_slow_steps(runner, spread, leak):
    """Steps STATE_GAP apart drain for longer: late words hold on until then."""
    check(
        runner,
        [
            gemm(
                op=Op.MAC,
                n_step=Step.ONE,
                n_k=2,
                spread=spread,
                leak=leak,
                n_spread=15,
                tile_min=80 if leak else 16,
                dest=int(Dest.ROW),
                theta=9,
                **DELTAS,
            ),
            gemm(theta=3, **DELTAS),
        ],
    )


@pytest.mark.parametrize("tile_min", [1, 3, 64, 255])
def test_tile_min(runner, tile_min):
    check(runner, [gemm(n_k=3, n_t=2, n_par=1, n_j=2, tile_min=tile_min, **DELTAS)])


def test_longest_tile_clock(runner):
    """A tile longer than the 8-bit tile clock, and k beyond 16."""
    check(runner, [gemm(n_k=300, n_t=2, tile_min=255, **DELTAS)])


@st.composite
def instruction(draw):
    counts = {f"n_{lv}": draw(st.integers(1, 4 if lv == "k" else 3)) for lv in LEVELS}
    size = 1
    for v in counts.values():
        size *= v
    assume(size <= 160)
    signed, plain = st.integers(-(1 << 15), (1 << 16) - 1), st.integers(0, (1 << 16) - 1)
    deltas = {k: draw(signed) for k in DELTAS}
    bits = {
        k: draw(st.integers(0, 1))
        for k in ("xnor", "y_twice", "x_twice", "head_align", "shortcut", "odd_w", "leak")
    }
    words = {
        k: draw(plain)
        for k in (
            "row_base",
            "col_base",
            "par_base",
            "par_j",
            "par_h",
            "w_base",
            "w_gs",
            "w_t",
            "w_j",
            "res_j",
            "w_half",
            "sc_base",
            "sc_gs",
            "sc_t",
        )
    }
    step = draw(st.sampled_from(Step))
    pad, clip = draw(st.integers(0, 3)), draw(st.integers(0, 1))
    img_h = (counts["n_y"] - 1) * (1 + bits["y_twice"]) + draw(st.integers(1, 4))
    least, most = pad + 1, (counts["n_y"] - 1) * (1 + bits["y_twice"]) - pad
    clip = int(clip and least <= counts["n_dy"] and most < img_h)  # each row of output sees one
    taps = Taps.SIDE if step == Step.ONE else draw(st.sampled_from(Taps))
    shift_left = 1 if taps == Taps.STRIDE else draw(st.integers(0, 3 if step == Step.ONE else 1))
    return gemm(
        **counts,
        **deltas,
        **bits,
        **words,
        n_step=int(step),
        taps=int(taps),
        shift_left=shift_left,
        pad_y=pad,
        clip=clip,
        sc_byte=draw(st.integers(0, CONFIG.width // 8 - 1)),
        spread=draw(st.integers(0, 1)),
        flat=draw(st.integers(0, 1)) if step == Step.ROWS else 0,
        n_par=draw(st.integers(0, 17)),
        tile_min=draw(st.integers(2, 12)),
        img_w=R * (counts["n_x"] - 1) + draw(st.integers(1, R)),
        img_h=img_h,
        slots=draw(st.integers(1, 4)),
        w_mod=int(draw(st.sampled_from(Mod))),
        res_gs=draw(st.integers(0, 255)),
        mean_mask=draw(st.integers(0, 3)),
        theta=draw(st.integers(0, 1 << 17)),
    )


@seed(20260101)
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        instruction()
        | st.builds(table_of, st.integers(0, 127), st.integers(0, 99), st.integers(0, 3)),
        min_size=1,
        max_size=2,
    )
)
@example([gemm(n_k=2, n_t=3, n_j=2, n_par=17, **DELTAS)])
def test_any_loop_nest(runner, instructions):
    check(runner, instructions)


def test_start_while_busy_is_ignored(runner):
    """Pulses in every state, up to the last busy cycle, change nothing."""
    code, program = assemble([gemm(n_k=3, n_j=2, n_par=2, **DELTAS)])
    total = sum(schedule.program_cycles(runner.config, program))
    plain = runner.run(code, total)
    pulses = [2, 4, 3 + timing.START, 3 + timing.START + 4, total - 3, 2 + total]
    disturbed = runner.run(code, total, starts=pulses)
    for cycle, (a, b) in enumerate(zip(plain, disturbed, strict=True)):
        assert {k: str(v) for k, v in a.items()} == {k: str(v) for k, v in b.items()}, cycle
    assert disturbed[total]["done"]


def test_after_clear_as_after_reset(runner):
    """Cleared in any state: idle, and the next run is the first one again, its table loaded."""
    kept = table_of(3) | {"once": 1}
    code, program = assemble([kept, gemm(n_k=3, n_j=2, n_par=2, shortcut=1, **DELTAS)])
    first = sum(schedule.program_cycles(runner.config, program, True))
    plain = [behaviour(s) for s in runner.run(code, first)]
    for at in [*range(0, timing.START + 9, 5), *range(timing.START + STATE_CELLS, first, 5)]:
        start = at + 3 + 5
        seen = runner.run(code, start + first, starts=[2, start], clears=[at + 3])
        assert [behaviour(s) for s in seen[: at + 1]] == plain[: at + 1]
        for s in seen[at + 1 : start - 2]:
            live = [s[n] for n in ("busy", "done", "setup")] + [s["tag"]["valid"], s["table"].en]
            assert live + [s["word"][n] for n in ("valid", "par", "sc")] == [0] * 8
        assert [behaviour(s) for s in seen[start - 2 : start - 2 + len(plain)]] == plain, at


def behaviour(s):
    """Outputs of a cycle, those alone that mean something in it."""
    word, tag, table = s["word"], s["tag"], s["table"]
    early = s["insn"].as_bits() % (1 << 32 * isa.LATE_WORD)  # late words come a cycle later
    return (
        [s["busy"], s["done"], s["setup"], early if s["setup"] else 0],
        word.as_bits() if word["valid"] else [word["par"] and word["par_index"], word["sc"]],
        tag.as_bits() if tag["valid"] else 0,
        table.as_bits() if table.en else 0,
    )


def test_second_run(runner):
    """A start after done: done falls, the same words again."""
    code, program = assemble([gemm(n_k=5, **DELTAS)])
    total = sum(schedule.program_cycles(runner.config, program))
    gap = 4
    seen = runner.run(code, 2 * total + gap + 2, starts=[2, 2 + total + gap])
    again = seen[total + gap :]
    assert seen[total]["done"]
    assert not again[0]["done"]
    assert again[0]["busy"]
    for cycle in range(total + 1):
        got, want = again[cycle]["word"], seen[cycle]["word"]
        assert (got["valid"], got["par"]) == (want["valid"], want["par"])
        if want["valid"]:
            fields = [name for name, _ in want.shape() if name != "half"]
            assert [got[f] for f in fields] == [want[f] for f in fields]
            assert got["half"] == 1 - want["half"]  # goes on alternating


@pytest.mark.parametrize(
    "name",
    [
        "xnor",
        "n_par",
        "img_h",
        "row_h",
        "res_j",
        "w_chan_gs",
        "theta",
        "centre0",
        "centre3",
        "shift_left",
        "taps",
        "odd_w",
        "shortcut",
        "row_dy2",
        "col_dx2",
        "w_half",
        "sc_gs",
        "sc_byte",
        "st_base",
        "sc_value",
        "keep",
        "state_bits",
        "persist",
    ],
)
def test_instruction_register(runner, name):
    """One field all ones, the others 0, reaches ``insn`` by the set-up cycle, a late one at its
    end; HALT has no words."""
    f = isa.BY_NAME[name]
    code = isa.encode(Op.HALT, **{name: -1 if f.signed else (1 << f.bits) - 1})
    seen = runner.run(code, timing.START + 1)
    assert seen[timing.START - 1]["setup"]
    at = seen[timing.START - (f.word < isa.LATE_WORD)]
    wanted = isa.decode(code)
    assert {g.name: int(at["insn"][g.name]) for g in isa.FIELDS} == {
        g.name: getattr(wanted, g.name) for g in isa.FIELDS
    }
    assert not any(s["word"]["valid"] or s["tag"]["valid"] for s in seen)
