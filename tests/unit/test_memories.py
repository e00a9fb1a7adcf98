# amaranth: UnusedElaboratable=no
"""Banks against plain lists: reads, writes by bytes, loads from outside."""

import numpy as np
import pytest

from hw.arch.memmap import Mem, load_addr
from hw.common.attributes import APART
from hw.core.memories import Bank, Banks, LoadPort
from tests.unit.bench import Bench

WIDTH, DEPTH = 64, 64


def load(mem, word, data, *, bank=0, part=0, valid=1):
    return {
        "load": {
            "mem": int(mem),
            "word": word,
            "bank": bank,
            "part": part,
            "data": data,
            "valid": valid,
        }
    }


@pytest.mark.parametrize("registered", [False, True])
def test_bytes_are_written_one_by_one_and_read_a_cycle_later(registered):
    """Or two, where a register takes what is read."""
    rng = np.random.default_rng(0)
    bank = Bank(WIDTH, DEPTH, unit=8, init=range(DEPTH), registered=registered)
    assert bank.latency == 1 + registered
    bench = Bench(bank, ["read_addr", "write_en", "write_addr", "write_data"], ["read_data"])
    model, rows, want = list(range(DEPTH)), [], []
    for _ in range(400):
        read, addr, en = int(rng.integers(DEPTH)), int(rng.integers(DEPTH)), int(rng.integers(256))
        data = int.from_bytes(rng.bytes(8), "little")
        rows.append({"read_addr": read, "write_en": en, "write_addr": addr, "write_data": data})
        want.append(model[read])  # before this cycle's write
        mask = sum(255 << 8 * n for n in range(8) if en >> n & 1)
        model[addr] = model[addr] & ~mask | data & mask
    seen = bench.play([*rows, *[{}] * bank.latency])[: len(rows) + bank.latency]
    assert [s["read_data"] for s in seen[bank.latency :]] == want


def test_a_memory_that_the_core_does_not_write_has_no_such_ports():
    bank = Bank(32, DEPTH, init=[4, 5], load=Mem.PROG)
    assert {"write_en", "write_addr", "write_data"}.isdisjoint(bank.signature.members)
    bench = Bench(bank, ["read_addr", "load"], ["read_data"])
    rows = [
        load(Mem.PROG, 1, 99),
        {**load(Mem.PROG, 0, 98, valid=0), "read_addr": 0},
        {"read_addr": 1},
        {},
    ]
    assert [s["read_data"] for s in bench.play(rows)[2:]] == [4, 99]


def test_banks_are_numbered():
    init = [[10 * b + n for n in range(4)] for b in range(3)]
    banks = Banks(3, 32, DEPTH, init=init)
    ports = ["read_addr", "write_en", "write_addr", "write_data"]
    bench = Bench(banks, ports, ["read_data"])
    rows = [
        {"write_en": [15, 0, 15], "write_addr": [2, 2, 3], "write_data": [70, 71, 72]},
        {"write_en": [0, 1, 0], "write_addr": [1, 1, 1], "write_data": [1, 88, 3]},
        {"read_addr": [2, 1, 3]},
        {"read_addr": [0, 2, 1]},
        {},
    ]
    seen = bench.play(rows)
    assert [s["read_data"] for s in seen[2 + banks.latency :]] == [[70, 88, 72], [0, 12, 21]]


def test_the_load_port_takes_addresses_apart_and_stops_while_busy():
    bench = Bench(LoadPort(), ["valid", "addr", "data", "busy"], ["load", "forget"])
    rows = [
        {"valid": 1, "addr": load_addr(Mem.ROW, 0x1234, 5, 3), "data": 0xDEADBEEF},
        {"valid": 1, "addr": load_addr(Mem.CTRL, 0), "data": 1},
        {"valid": 1, "addr": load_addr(Mem.CTRL, 0), "busy": 1},
        {"addr": load_addr(Mem.CTRL, 0)},
        {},
    ]
    seen = bench.play(rows)[LoadPort.latency :]
    got = seen[0]["load"]
    assert [got[n] for n in ("mem", "word", "bank", "part", "data", "valid")] == [
        Mem.ROW,
        0x1234,
        5,
        3,
        0xDEADBEEF,
        1,
    ]
    assert [s["load"]["valid"] for s in seen] == [1, 1, 0, 0]
    assert [s["forget"] for s in seen] == [0, 1, 0, 0]


@pytest.mark.parametrize("style", ["block", "distributed"])
def test_style_is_told_to_the_tools(style):
    from amaranth.back import rtlil

    assert f'"{style}"' in rtlil.convert(Bank(8, 16, style=style), name="top")


def test_a_gated_bank_keeps_the_word_read_last():
    bank = Bank(32, DEPTH, init=range(10, 20), gated=True)
    bench = Bench(bank, ["read_addr", "read_en"], ["read_data"])
    rows = [{"read_addr": n, "read_en": n in (1, 4, 5)} for n in range(8)]
    assert [s["read_data"] for s in bench.play(rows)[2:]] == [11, 11, 11, 14, 15, 15]


def test_a_strict_bank_spoils_a_word_that_is_written_while_it_is_read():
    bank = Bank(32, DEPTH, init=[1, 2, 3], apart=True, strict=True)
    bench = Bench(bank, ["read_addr", "write_en", "write_addr", "write_data"], ["read_data"])
    rows = [
        {"read_addr": 1, "write_en": 0, "write_addr": 1, "write_data": 9},
        {"read_addr": 1, "write_en": 1, "write_addr": 1, "write_data": 9},
        {"read_addr": 1, "write_en": 1, "write_addr": 2, "write_data": 9},
        {"read_addr": 2},
        {},
    ]
    seen = [s["read_data"] for s in bench.play(rows)[1:]]
    assert seen == [2, 2 ^ 0xFFFFFFFF, 9, 9]


@pytest.mark.parametrize("apart", [False, True])
def test_whether_reads_and_writes_meet_is_told_to_the_tools(apart):
    from amaranth.back import rtlil

    assert (f"attribute \\{APART} " in rtlil.convert(Bank(8, 16, apart=apart), name="top")) == apart
