"""Loop nest and addresses against nested loops, word by word."""

import itertools

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import isa, timing
from hw.arch.isa import LEVELS, Op
from hw.core.loops import INDEX, Addresses, LoopNest
from hw.core.words import ADDR, instruction_layout
from sw.compiler.addresses import stream
from tests.unit.bench import Bench, timeline

FLAGS = ["issue", "phase", "opening", "fresh", "words_done", "tile_end", "column_end", "end"]


class Walk(wiring.Component):
    """A loop nest with its addresses."""

    def __init__(self):
        self.loops, self.addresses = LoopNest(), Addresses()
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "running": In(1),
                "index": Out(INDEX),
                "row": Out(ADDR),
                "col": Out(ADDR),
                **dict.fromkeys(FLAGS, Out(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops, m.submodules.addresses = loops, addresses = self.loops, self.addresses
        for part in (loops, addresses):
            for name in ("insn", "setup", "running"):
                m.d.comb += getattr(part, name).eq(getattr(self, name))
        for name in ("go", "ahead", "index", "first_dy", "tile_end"):
            m.d.comb += getattr(addresses, name).eq(getattr(loops, name))
        for name in ("index", *FLAGS):
            m.d.comb += getattr(self, name).eq(getattr(loops, name))
        m.d.comb += [self.row.eq(addresses.row), self.col.eq(addresses.col)]
        return m


@pytest.fixture(scope="module")
def bench():
    return Bench(Walk(), ["insn", "setup", "running"], ["index", "row", "col", *FLAGS])


def walk(bench, fields, cycles):
    insn = sum(w << 32 * n for n, w in enumerate(isa.encode(Op.GEMM, **fields)))
    rows = [{"insn": insn}, {"insn": insn}, {"insn": insn, "setup": 1}]
    rows += [{"insn": insn, "running": 1} for _ in timeline(cycles)]
    return bench.play(rows)[3:]


@pytest.mark.parametrize("xnor", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_order_of_words_and_addresses(bench, seed, xnor):
    """Random small nests: indices in order, each delta where its level advances."""
    rng = np.random.default_rng(seed)
    n = {lv: int(rng.integers(1, 4)) for lv in LEVELS}
    step = {
        f"{mem}_{name}": int(rng.integers(1 << 16))
        for mem in ("row", "col")
        for name in (*LEVELS, "dx2", "dy2", "base", "up")
    }
    fields = {**{f"n_{lv}": v for lv, v in n.items()}, **step, "xnor": xnor, "tile_min": 2}
    order = list(itertools.product(*(range(n[lv]) for lv in reversed(LEVELS))))
    inner = n["k"] * n["dx"] * n["dy"]
    length = max(2, inner * (1 + xnor))
    seen = walk(bench, fields, length * len(order) // inner)
    words = [s for s in seen if s["issue"] and s["phase"] == xnor]
    assert sum(s["issue"] for s in seen) == len(order) * (1 + xnor)
    at = tile = {"row": step["row_base"], "col": step["col_base"]}
    for number, (index, word) in enumerate(zip(order, words, strict=True)):
        here = dict(zip(reversed(LEVELS), index, strict=True))
        assert {lv: word["index"][lv] for lv in LEVELS} == here
        assert {mem: word[mem] for mem in at} == at
        if number + 1 < len(order):
            after = dict(zip(reversed(LEVELS), order[number + 1], strict=True))
            level = next(lv for lv in reversed(LEVELS) if after[lv] != here[lv])
            name = level + "2" * (level in ("dx", "dy") and here[level] % 2)
            outer = level not in LEVELS[:3]
            at = {
                mem: (v + step[f"{mem}_{name}"]) & 0xFFFF
                for mem, v in (tile if outer else at).items()
            }
            tile = at if outer else tile
    tiles = len(order) // inner
    assert [i for i, s in enumerate(seen) if s["tile_end"]] == [
        length * (t + 1) - 1 for t in range(tiles)
    ]
    column = tiles // (n["j"] * n["h"])
    ends = [i for i, s in enumerate(seen) if s["column_end"]]
    assert ends == [length * column * (c + 1) - 1 for c in range(n["j"] * n["h"])]
    assert [i for i, s in enumerate(seen) if s["end"]] == [len(seen) - 1]
    assert [s["fresh"] for s in seen] == [
        int(i % (length * column) < length) for i in range(len(seen))
    ]


@pytest.mark.parametrize("twice", [0, 1])
@pytest.mark.parametrize(("pad", "taps"), [(0, 3), (1, 3), (1, 4), (2, 5), (2, 6), (3, 7)])
def test_clipped_tiles_read_the_same_words(bench, pad, taps, twice):
    """Of a compiled stream: those of rows in the image, at the addresses that they have there."""
    line, paired = 100, taps == 6 and twice
    weight = (0, 30) if paired else 7
    for h in (1, 2, 5, 8):
        n = dict.fromkeys((f"n_{lv}" for lv in LEVELS), 1)
        n |= {"n_k": 2, "n_dy": taps, "n_x": 2, "n_y": -(-h // (1 + twice)), "n_j": 2}
        fields = {**n, "pad_y": pad, "y_twice": twice, "img_h": h, "clip": 1, "tile_min": 2}
        i = isa.Instruction(op=Op.GEMM, **fields)
        first = [i.first_dy(y) for y in range(i.n_y)]
        row = {"k": 1, "dy": line, "x": 20, "y": line << twice}
        col = {"k": 1, "dy": weight, "j": 500}
        streams = stream("row", n, row, 40, first) | stream("col", n, col, 9, first)
        cycles = timing.issue_cycles(i)
        seen = [s for s in walk(bench, fields | streams, cycles) if s["issue"]]
        want = [
            (
                (40 + k + line * (dy + (y << twice)) + 20 * x) & 0xFFFF,
                9 + k + 500 * j + (dy // 2 * 30 if paired else 7 * dy),
            )
            for j in range(2)
            for y in range(i.n_y)
            for x in range(2)
            for dy in range(taps)
            if 0 <= (y << twice) + dy - pad < h
            for k in range(2)
        ]
        assert [(s["row"], s["col"]) for s in seen] == want, h


@pytest.mark.parametrize(
    ("words", "least", "shortcut"), [(1, 5, 0), (5, 5, 0), (5, 5, 1), (2, 4, 1)]
)
def test_a_tile_waits_before_its_last_word_and_for_its_shortcut(bench, words, least, shortcut):
    """Not the first one: it only ends no sooner than two cycles after setup."""
    fields = {f"n_{lv}": 1 for lv in LEVELS} | {"n_k": words, "n_x": 3, "shortcut": shortcut}
    length = max(words + shortcut, least)
    first = [0] * (words == 1) + [1] * words + [0] * shortcut
    waits = length - shortcut - words
    later = [1] * (words - 1) + [0] * waits + [1] + [0] * shortcut
    seen = walk(bench, {**fields, "tile_min": least}, len(first) + 2 * length)
    assert [s["issue"] for s in seen] == first + 2 * later
    taus = [n for n, s in enumerate(seen) if s["words_done"]]
    assert taus == [max(words - 1, 1) + length * n for n in range(3)]
    assert [s["opening"] for s in seen if s["issue"]] == ([1] + [0] * (words - 1)) * 3
