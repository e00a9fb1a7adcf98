"""idx files that are damaged, cut or of another kind: one SpikeloomError."""

import gzip

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data.archive import read_members
from sw.data.idx import parse_idx, read_plain
from tests.datasets.conftest import idx, steady
from tests.datasets.parts import said

ARRAY = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


RAW = idx(ARRAY)


PACKED = gzip.compress(RAW)


def test_idx():
    assert (parse_idx(RAW, 3, "x") == ARRAY).all()
    assert (parse_idx(idx(ARRAY[0, 0]), 1, "x") == ARRAY[0, 0]).all()
    assert parse_idx(idx(ARRAY[:0]), 3, "x").shape == (0, 4, 5)


@steady
@given(st.integers(0, len(RAW) - 1))
def test_idx_cut(n):
    with pytest.raises(SpikeloomError, match=r"x: \d+ bytes.*fetch it again"):
        parse_idx(RAW[:n], 3, "x")


@steady
@given(st.binary(min_size=1, max_size=40))
def test_idx_with_more_behind(more):
    with pytest.raises(SpikeloomError, match="bytes of data, wanted 60 for 3x4x5"):
        parse_idx(RAW + more, 3, "x")


@steady
@given(st.binary(max_size=200), st.sampled_from([1, 3]))
@example(bytes((0, 0, 8, 3)) + b"\xff" * 12, 3)  # claims 2**96 bytes
def test_idx_of_noise(raw, dimensions):
    message, array = said(parse_idx, raw, dimensions, "x")
    assert message.startswith("x: ") if message else idx(array) == raw


@pytest.mark.parametrize("head", [b"\0\0\x08\x01", b"\0\0\x0d\x03", b"\x1f\x8b\x08\0", b"\x89PNG"])
def test_idx_of_another_kind(head):
    with pytest.raises(SpikeloomError, match=f"begins with {head.hex()}, wanted 00000803"):
        parse_idx(head + RAW[4:], 3, "x")


@steady
@given(st.integers(0, len(PACKED) - 1))
@example(0)
def test_gzip_cut(tmp_path_factory, n):
    path = tmp_path_factory.getbasetemp() / "cut.gz"
    path.write_bytes(PACKED[:n])
    message, found = said(read_plain, path, len(RAW))
    assert "cannot be unpacked" in message if n else found == b""


def test_gzip_bomb(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 24)))
    assert len(read_plain(path, 1000)) == 1001


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SpikeloomError, match="Is a directory"):
        read_plain(tmp_path, 10)
    with pytest.raises(SpikeloomError, match="No such file"):
        read_members(tmp_path / "none.tar.gz", {"a": 1})
