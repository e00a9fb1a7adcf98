"""Peeks: the addresses at which memories are read, the word that is picked, the whole core."""

import numpy as np
import pytest

from hw.arch import Config, isa, schedule, timing
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
    counts,
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
        "res_data": rng.integers(-(1 << 17), 1 << 17, size=16).tolist(),
    }
    places = [(Mem.PROG, 0, 0), (Mem.PIX, 0, 0), *((Mem.RES, b, 0) for b in range(16))]
    places += [
        (m, b, p) for m, n in ((Mem.ROW, 4), (Mem.COL, 8)) for b in range(n) for p in range(4)
    ]
    rows, want = [], []
    for n, (memory, bank, part) in enumerate(places):
        addr = load_addr(memory, 1000 + n, bank, part)
        rows += [{**reads, "peek": 1, "addr": addr}, *[reads] * (Peek.latency + Peek.SELECT)]
        banks = {Mem.ROW: reads["row_data"], Mem.COL: reads["col_data"]}.get(memory)
        signed = reads["res_data"][bank] if memory == Mem.RES else -77
        other = reads["prog_data"] if memory == Mem.PROG else signed & 0xFFFFFFFF
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


@pytest.mark.parametrize("buffer", [0, 1])
@pytest.mark.parametrize("stopped", [False, True])
def test_what_lanes_left_in_residual_memory(machine, buffer, stopped):
    """Every lane's words of both buffers, each at its cycle; after a run that was stopped too."""
    d = small_data(np.random.default_rng(6))
    words = small_program(res_dest=buffer)
    total = sum(schedule.program_cycles(CONFIG, isa.instructions(words)))
    rows = [*load_small(d, words), {"start": 1}, *timeline(total + 3)]
    if stopped:  # in an instruction whose membranes are said to lie in buffer A
        leaky = timing.encode(CONFIG, Op.GEMM, **counts(n_k=400, leak=1, persist=1, tile_min=R))
        rows += [*load_program([*leaky, *isa.encode(Op.HALT)]), *timeline(LAND)]
        rows += [{"start": 1}, *timeline(100), {"abort": 1}, *timeline(timing.stop_cycles(CONFIG))]
    shows = {}
    for r in range(R - 1):
        for c in range(C):
            rows += look(load_addr(Mem.RES, r, buffer * C + c), timing.peek_cycles(CONFIG, Mem.RES))
            shows[r, c] = len(rows) - 1
    seen = machine.play(rows)
    x, _, _ = expected(d)
    assert {at: seen[n]["peek_data"] for at, n in shows.items()} == {
        (r, c): int(x[r, c]) & 0xFFFFFFFF for r, c in shows
    }
    assert len({seen[n]["peek_data"] for n in shows.values()}) > C  # one would not do for all


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
    total = sum(schedule.program_cycles(CONFIG, program))
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
