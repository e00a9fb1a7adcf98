"""Archives of arrays: same bytes, a digest, and bounds on what strangers send."""

import io
import zipfile

import numpy as np
import pytest

from hw.common import npz
from hw.common.errors import SpikeloomError

ARRAYS = {
    "a": np.arange(6, dtype=np.int16).reshape(2, 3),
    "b": np.array([True, False]),
    "c": np.float32(2.5),
    "d": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "e": np.zeros((0, 4), np.uint8),
}


def npy(header, data=b"", version=1):
    text = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text + data


def archive(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members:
            z.writestr(name, data, **options)
    return path


def test_round_trip_and_same_bytes(tmp_path):
    npz.write(tmp_path / "a.npz", ARRAYS)
    npz.write(tmp_path / "b.npz", ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    got = npz.read(tmp_path / "a.npz", sealed=True)
    assert got.keys() == ARRAYS.keys()
    for name, want in ARRAYS.items():
        np.testing.assert_array_equal(got[name], want)
        assert got[name].dtype == np.asarray(want).dtype
    with np.load(tmp_path / "a.npz") as plain:
        np.testing.assert_array_equal(plain["a"], ARRAYS["a"])
    assert list(npz.read(tmp_path / "a.npz", keep=lambda name: name == "b")) == ["b"]


def test_archives_of_numpy(tmp_path):
    big = {"x": np.arange(4, dtype=">i4"), "half": np.ones(3, np.float16)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **big)
        got = npz.read(tmp_path / "a.npz")
        np.testing.assert_array_equal(got["x"], big["x"])
        assert got["x"].dtype == np.dtype("=i4")
    with pytest.raises(npz.ArchiveError, match="carries no digest"):
        npz.read(tmp_path / "a.npz", sealed=True)


def test_every_other_content_breaks_the_digest(tmp_path):
    npz.write(tmp_path / "a.npz", ARRAYS)
    with zipfile.ZipFile(tmp_path / "a.npz") as z:
        members = [(i.filename, z.read(i)) for i in z.infolist()]
    for n, (name, data) in enumerate(members):
        changed = bytearray(data)
        if len(data) > 128:
            changed[-1] ^= 1
        else:
            continue
        archive(tmp_path / "b.npz", [*members[:n], (name, bytes(changed)), *members[n + 1 :]])
        with pytest.raises(npz.ArchiveError, match="digest does not agree"):
            npz.read(tmp_path / "b.npz")
    archive(tmp_path / "b.npz", [m for m in members if m[0] != "a.npy"])
    with pytest.raises(npz.ArchiveError, match="digest does not agree"):
        npz.read(tmp_path / "b.npz")


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8),
        npy("{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", b"\0" * 16),
        npy("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", b"\0" * 4),
        npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", b"\0" * 4),
        npy("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }", b"\0" * 4),
        npy("{'descr': '<i4', 'fortran_order': False, 'shape': (True,), }", b"\0" * 4),
        npy("{'descr': '<i4', 'fortran_order': False, 'shape': 1, }", b"\0" * 4),
        npy("{'descr': '<i4', 'fortran_order': 0, 'shape': (1,), }", b"\0" * 4),
        npy("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }", b"\0" * 4),
        npy("{'descr': '<i4', 'shape': (1,), }", b"\0" * 4),
        npy("(" * 5000),
        npy("__import__('os')"),
        npy("9" * 6000),
        npy("\0"),
        npy("{}", version=9),
        b"",
        b"text",
        b"\x93NUMPY\x01\x00\xff\xff",
    ],
)
def test_members_that_are_no_arrays(data, tmp_path):
    archive(tmp_path / "a.npz", [("x.npy", data)])
    with pytest.raises(npz.ArchiveError, match="its member 'x' is no whole array of numbers"):
        npz.read(tmp_path / "a.npz")


def test_foreign_double_encrypted_and_too_many_members(tmp_path, monkeypatch):
    good = io.BytesIO()
    np.save(good, np.arange(3))
    archive(tmp_path / "a.npz", [("README.txt", "hello")])
    with pytest.raises(npz.ArchiveError, match=r"its member 'README.txt' is no array"):
        npz.read(tmp_path / "a.npz")
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(tmp_path / "a.npz", [("x.npy", good.getvalue())] * 2)
    with pytest.raises(npz.ArchiveError, match=r"two members are called 'x.npy'"):
        npz.read(tmp_path / "a.npz")
    archive(tmp_path / "a.npz", [("x.npy", good.getvalue())], compress_type=zipfile.ZIP_BZIP2)
    with pytest.raises(npz.ArchiveError, match="packed in an unknown way"):
        npz.read(tmp_path / "a.npz")
    monkeypatch.setattr(npz, "MAX_MEMBERS", 1)
    archive(tmp_path / "a.npz", [("x.npy", good.getvalue()), ("y.npy", good.getvalue())])
    with pytest.raises(npz.ArchiveError, match="2 members, at most 1"):
        npz.read(tmp_path / "a.npz")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "FREE", 1 << 20)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(8 << 20, np.uint8))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(npz.ArchiveError, match="bytes unpacked, at most"):
        npz.read(tmp_path / "a.npz")


def test_truncated_and_flipped(tmp_path):
    path = npz.write(tmp_path / "a.npz", ARRAYS)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for n in rng.integers(1, len(data), 60).tolist():
        path.write_bytes(data[:n])
        with pytest.raises((npz.ArchiveError, SpikeloomError)):
            npz.read(path)
    for bit in rng.integers(0, 8 * len(data), 300).tolist():
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            got = npz.read(path, sealed=True)
        except npz.ArchiveError:
            continue
        for name, want in ARRAYS.items():  # a bit that means nothing
            np.testing.assert_array_equal(got[name], want)
    with pytest.raises(SpikeloomError, match="cannot be read"):
        npz.read(tmp_path / "none.npz")
