"""Peeks: the addresses at which memories are read, the word that is picked, the whole core."""

import numpy as np
import pytest

from hw.arch import Config, isa, timing
from hw.arch.isa import NI, Op
from hw.arch.memmap import Mem, load_addr, split_addr
from hw.core.peek import Peek
from tests.unit.bench import Bench, timeline
from tests.unit.cores import (
    CONFIG,
    LAND,
    C,
    R,
    W,
    expected,
    lengths_of,
    load_program,
    load_small,
    look,
    number,
    peeks,
    put,
    small_data,
    small_program,
    values_of,
    writes_of,
)


def test_one_word_of_all_is_picked():
    """Of any bank, part and memory; with the address the memories are turned to its word."""
    rng, config = np.random.default_rng(2), Config(rows=4, cols=8, width=128)
    reads = {
        "prog_data": int(rng.integers(1 << 32)),
        "pix_data": -77,
        "row_data": [int.from_bytes(rng.bytes(16), "little") for _ in range(4)],
        "col_data": [int.from_bytes(rng.bytes(16), "little") for _ in range(8)],
    }
    places = [(Mem.PROG, 0, 0), (Mem.PIX, 0, 0)]
    places += [
        (m, b, p) for m, n in ((Mem.ROW, 4), (Mem.COL, 8)) for b in range(n) for p in range(4)
    ]
    rows, want = [], []
    for n, (memory, bank, part) in enumerate(places):
        addr = load_addr(memory, 1000 + n, bank, part)
        rows += [{**reads, "peek": 1, "addr": addr}, *[reads] * (Peek.latency + Peek.SELECT)]
        banks = {Mem.ROW: reads["row_data"], Mem.COL: reads["col_data"]}.get(memory)
        other = reads["prog_data"] if memory == Mem.PROG else -77 & 0xFFFFFFFF
        want.append(banks[bank] >> 32 * part & 0xFFFFFFFF if banks else other)
    bench = Bench(Peek(config), ["peek", "addr", "busy", *reads], ["active", "word", "data"])
    seen = bench.play(rows)
    step = 1 + Peek.latency + Peek.SELECT
    assert [s["data"] for s in seen[step - 1 :: step]] == want
    assert [s["word"] for s in seen[1::step]] == [1000 + n for n in range(len(places))]
    assert [s["active"] for s in seen] == [0] + [1] * (len(seen) - 1)


def test_a_busy_core_is_not_peeked_at():
    bench = Bench(Peek(CONFIG), ["peek", "addr", "busy", "prog_data"], ["active", "word", "data"])
    rows = [{"peek": 1, "addr": 5}, {}, {"peek": 1, "addr": 7, "busy": 1}, {"busy": 1}, {}]
    seen = bench.play([{**row, "prog_data": 9} for row in rows])
    assert [(s["active"], s["word"]) for s in seen] == [(0, 0), (1, 5), (1, 5), (0, 5), (0, 5)]


def everywhere(rng, depth=64):
    """Every load address of some words, first and last among them, with what to write there."""
    words = (0, 1, 37, depth - 1)
    places = [(Mem.PROG, w, 0, 0) for w in (0, 1, 37, CONFIG.prog_depth - 1)]
    places += [(Mem.PIX, w, 0, 0) for w in words]
    for memory, banks in ((Mem.ROW, R), (Mem.COL, C)):
        places += [(memory, w, b, p) for w in words for b in range(banks) for p in range(W // 32)]
    rng.shuffle(places)
    numbers = rng.integers(1 << 32, size=len(places)).tolist()
    return {load_addr(*place): number for place, number in zip(places, numbers, strict=True)}


def read_back(addr, number):
    """What a peek shows of a word: of pixels 18 bits, their sign before them."""
    if split_addr(addr)[0] != Mem.PIX:
        return number
    return ((number & 0x3FFFF) ^ 0x20000) - 0x20000 & 0xFFFFFFFF


@pytest.mark.parametrize("gemm_before", [False, True])
def test_every_loaded_word_is_peeked_at(machine, gemm_before):
    """At its cycle and not before; whatever the last run has left in the core's registers."""
    content = everywhere(np.random.default_rng(3))
    rows = []
    if gemm_before:
        words = small_program()[:NI] + isa.encode(Op.HALT)
        rows += load_program(words) + timeline(LAND)
        rows += [{"start": 1}, *timeline(sum(lengths_of(words)) + 3)]
    rows += [put(addr, number) for addr, number in content.items()] + timeline(LAND)
    shows = []
    for addr in content:
        rows += look(addr, timing.peek_cycles(CONFIG, Mem(split_addr(addr)[0])))
        shows.append(len(rows) - 1)
        rows += timeline(2)
    seen = machine.play(rows)
    before = None
    for (addr, word), at in zip(content.items(), shows, strict=True):
        want = read_back(addr, word)
        assert [s["peek_data"] for s in seen[at : at + 3]] == [want] * 3, hex(addr)
        took = timing.peek_cycles(CONFIG, Mem(split_addr(addr)[0]))
        assert before is None or before in [s["peek_data"] for s in seen[at - took : at]]
        before = want


def test_no_peek_while_busy(machine):
    """Nothing is read then: what was asked for before stands until the core is idle again."""
    rows = [*load_program(isa.encode(Op.HALT)), put(load_addr(Mem.PIX, 3), 33)]
    rows += [put(load_addr(Mem.PIX, 4), 44), *timeline(LAND), *peeks([3]), {"start": 1}]
    begin = len(rows)
    rows += look(load_addr(Mem.PIX, 4), 40)
    seen = machine.play(rows)
    assert all(s["busy"] for s in seen[begin : begin + timing.START + 1])
    assert {s["peek_data"] for s in seen[begin:]} == {33}


def test_a_run_behind_a_peek(machine):
    """The core has its memories back: a run that starts with the peek, or in any cycle of it."""
    d = small_data(np.random.default_rng(4))
    program = isa.instructions(small_program())
    total = sum(timing.program_cycles(CONFIG, program))
    for wait in (0, 1, 2, 3, 12, 30):
        rows = load_small(d)
        rows += [*look(load_addr(Mem.COL, 9, C - 1, 1), wait)]
        if wait:
            rows.append({"start": 1})
        else:
            rows[-1]["start"] = 1
        seen = machine.play([*rows, *timeline(total + 3), *peeks(range(50, 50 + C))])
        x, spikes, logits = expected(d)
        assert values_of(seen, C) == logits.tolist()
        got = [w[1:] for w in writes_of(seen)]
        assert sorted(w for w in got if w[0] == "row") == sorted(
            ("row", r, 30, number(spikes[r])) for r in range(R - 1)
        )
        assert sum(w[0] == "res" for w in got) == x[: R - 1].size
