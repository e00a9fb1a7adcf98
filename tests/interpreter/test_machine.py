"""Memories: what reads past their ends give, what writes leave, and the record of writes."""

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.memmap import Mem, load_addr
from sim.interpreter.machine import Memories, signed
from tests.interpreter.made import instruction, memories

ODD = Config(row_depth=100, col_depth=100)  # no power of two


def test_signed():
    values = np.array([0, 1, 0x1FFFF, 0x20000, 0x3FFFF, 0x40001])
    assert signed(values, 18).tolist() == [0, 1, 131071, -131072, -1, 1]
    assert signed(np.array([3, 2, 1], np.uint8), 2).tolist() == [-1, -2, 1]


def test_all_memories_begin_empty_and_columns_are_loaded():
    columns = np.arange(16 * 3 * 2, dtype=np.uint32).reshape(16, 3, 2) + 0x01020300
    m = Memories(Config(width=64), columns)
    assert [a.shape for a in (m.row, m.col, m.res, m.pix)] == [
        (4, 2048, 8),
        (16, 1024, 8),
        (2, 16, 1024),
        (1024,),
    ]
    assert not any(a.any() for a in (m.row, m.res, m.pix, m.table, m.col[:, 3:]))
    assert m.cold
    # least significant part and byte first
    assert m.col[1, 2].tolist() == [10, 3, 2, 1, 11, 3, 2, 1]


def test_truncate():
    """Addresses count modulo 2**16, and as far as a memory's own bits."""
    addresses = np.array([0, 99, 100, 127, 128, 65536 + 5, -1])
    assert Memories.truncate(addresses, 100).tolist() == [0, 99, 100, 127, 0, 5, 127]
    assert Memories.truncate(addresses, 64).tolist() == [0, 35, 36, 63, 0, 5, 63]


def test_reads_past_the_depth_give_0():
    m = memories(ODD)
    m.row[:] = 7
    m.row[2, 5] = [1, 2, 3, 4]
    banks = np.array([2, 2, 1, 3])
    got = m.read(m.row, banks, np.array([5, 128 + 5, 100, 99]))
    assert got.tolist() == [[1, 2, 3, 4], [1, 2, 3, 4], [0] * 4, [7] * 4]


def test_loads_of_images():
    """Parts of row words by bank, and pixels with their sign, as the load port writes them."""
    m = memories(Config(width=64))
    m.row[:] = 9
    writes = [
        (load_addr(Mem.ROW, 5, bank=2, part=1), 0x04030201),
        (load_addr(Mem.PIX, 7), 0x3FFFF),
        (load_addr(Mem.PIX, 8), 255),
    ]
    m.load(np.array(writes))
    assert m.row[2, 5].tolist() == [9, 9, 9, 9, 1, 2, 3, 4]
    assert m.row.astype(np.int64).sum() == 9 * (m.row.size - 4) + 10
    assert m.pix[6:9].tolist() == [0, -1, 255]
    with pytest.raises(AssertionError, match="only images"):
        m.load(np.array([(load_addr(Mem.PROG, 0), 0)]))


def test_numbers_of_columns():
    m = memories(Config(width=64))
    m.col[3, 8] = [0xFE, 0xFF, 0x03, 0, 9, 9, 9, 9]  # 18 bits: -2
    m.col[3, 9] = [0, 0, 0, 0x80, 0, 0, 0, 0]
    assert m.column_words(np.array([8, 9]))[3].tolist() == [
        [0xFE, 0xFF, 0x03, 0, 9, 9, 9, 9],
        [0, 0, 0, 0x80, 0, 0, 0, 0],
    ]
    assert m.column_numbers(np.array([8, 9]), 18)[3].tolist() == [-2, 0]
    assert m.column_numbers(np.array([9]), 32)[3].tolist() == [-(1 << 31)]


def test_parameters():
    m = memories()
    for word, value in enumerate((-5, 6, -7)):
        m.col[:, 20 + word] = np.frombuffer(value.to_bytes(4, "little", signed=True), np.uint8)
    bias, factors = m.parameters(instruction(n_par=3), 20)
    assert bias.tolist() == [-5] * 16
    assert factors.tolist() == [[6] * 16, [-7] * 16]
    bias, factors = m.parameters(instruction(n_par=0), 20)
    assert (bias.tolist(), factors.tolist()) == ([0] * 16, [[0] * 16])


def words(m, **fields):
    return m.events("row", 3, **{"count": 4, "mask": 15} | fields)


def test_writes_in_order_of_cycle():
    """The later write of a word stays; the record is ordered by cycle, then bank."""
    m = memories()
    m.instruction = 6
    events = words(m, cycle=[9, 5, 5], bank=[1, 1, 0], addr=[3, 3, 65536 - 2048 + 1])
    events["data"] = [[1] * 4, [2] * 4, [3] * 4]
    m.write_words("row", events)
    assert m.row[1, 3].tolist() == [1] * 4
    assert m.row[0, 1].tolist() == [3] * 4
    found = m.recorded().row
    assert found[["cycle", "bank", "addr"]].tolist() == [(5, 0, 1), (5, 1, 3), (9, 1, 3)]
    assert set(found["instruction"].tolist()) == {6}


def test_masked_writes_leave_other_bytes():
    m = memories()
    m.row[:, 3] = 9
    events = words(m, cycle=[1, 2, 3], bank=[0, 1, 2], addr=3, mask=[0b0001, 0b1010, 0b1111])
    events["data"] = [1, 2, 3, 4]
    m.write_words("row", events)
    assert m.row[:, 3].tolist() == [[1, 9, 9, 9], [9, 2, 9, 4], [1, 2, 3, 4], [9] * 4]


def test_writes_past_the_depth_are_a_defect():
    m = memories(ODD)
    m.instruction = 4
    assert m.check(np.array([0, 99, 128]), 100, "row").tolist() == [0, 99, 0]
    with pytest.raises(AssertionError, match="instruction 4 leaves the row memory"):
        m.write_words("row", words(m, addr=[0, 1, 100]))


def test_record():
    m = memories()
    assert m.recording
    m.record("pix", m.events("pix", 2, cycle=[4, 4], addr=[9, 8], value=[-1, 2]))
    m.record("pix", m.events("pix", (1, 1), cycle=3, addr=20, value=3))
    assert m.recorded().pix[["cycle", "addr", "value"]].tolist() == [
        (3, 20, 3),
        (4, 8, 2),
        (4, 9, -1),
    ]
    assert len(m.recorded().row) == 0
    m.start_record(True)
    assert len(m.recorded().pix) == 0
    m.start_record(False)
    m.record("pix", m.events("pix", 1))
    assert not m.recording
    assert m.recorded() is None
