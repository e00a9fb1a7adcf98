"""Damaged, cut and hostile archives: one SpikeloomError, nothing written."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data import archive
from sw.data.archive import read_members, read_zip_members, unpack
from tests.datasets.conftest import steady, tar
from tests.datasets.parts import said
from tests.datasets.spoken import wheel

MEMBERS = {"a": b"1" * 1000, "b": b"2" * 500}


SIZES = {k: len(v) for k, v in MEMBERS.items()}


TAR = tar(MEMBERS)


def spoilt(data, whole):
    """An archive that was cut anywhere, with up to three bytes of it changed."""
    raw = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    return raw


@steady
@given(st.data())
def test_archive_cut_or_changed(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bad.tar.gz"
    path.write_bytes(spoilt(data, TAR))
    message, found = said(read_members, path, SIZES)
    assert "damaged archive" in message if message else {k: len(found[k]) for k in found} == SIZES


@steady
@given(st.data())
def test_headers_changed(tmp_path_factory, data):
    """The same below the compression, whose checksum else hides the headers."""
    path = tmp_path_factory.getbasetemp() / "headers.tar.gz"
    raw = bytearray(gzip.decompress(TAR))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 600))] = data.draw(st.integers(0, 255))
    path.write_bytes(gzip.compress(raw, 1))
    message, found = said(read_members, path, SIZES)
    assert "damaged archive" in message if message else {k: len(found[k]) for k in found} == SIZES
    message, _ = said(unpack, path, path.with_name("headers"))
    assert not message or ("damaged archive" in message and not path.with_name("headers").exists())


def test_member_twice_and_others_passed_over(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        for name, body in [("../x", b"no"), ("a", MEMBERS["a"]), ("a", b"no"), ("b", MEMBERS["b"])]:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            t.addfile(info, io.BytesIO(body))
    path = tmp_path / "t.tar.gz"
    path.write_bytes(out.getvalue())
    assert read_members(path, SIZES) == MEMBERS


def test_tar_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "SLACK", 1 << 16)
    path = tmp_path / "t.tar.gz"
    path.write_bytes(tar({"zeros": bytes(1 << 20), **MEMBERS}))
    with pytest.raises(SpikeloomError, match="unpacks to more than it should hold"):
        read_members(path, SIZES)


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members:
            z.writestr(name, data)
    return path


def tarred(path, members):
    path.write_bytes(tar(dict(members)))
    return path


MAKERS = pytest.mark.parametrize(
    ("make", "name"), [(zipped, "t.zip"), (tarred, "t.tar.gz")], ids=["zip", "tar"]
)


@MAKERS
def test_unpack(tmp_path, make, name):
    path = make(tmp_path / name, [("f/a", b"1"), ("f/g/b", b"2"), ("c", b"")])
    into = tmp_path / "into"
    (into / "old").mkdir(parents=True)
    unpack(path, into)
    assert {str(p.relative_to(into)): p.read_bytes() for p in into.rglob("*") if p.is_file()} == {
        "f/a": b"1",
        "f/g/b": b"2",
        "c": b"",
    }
    assert not (into / "old").exists()


@MAKERS
@pytest.mark.parametrize("bad", ["../out", "f/../../out", "/out", "c:/out", "f\\..\\..\\out"])
def test_unpack_outside(tmp_path, make, name, bad):
    path = make(tmp_path / name, [("good", b"1"), (bad, b"2")])
    with pytest.raises(SpikeloomError, match="outside its folder"):
        unpack(path, tmp_path / "deep" / "into")
    assert not list(tmp_path.rglob("out"))
    assert not (tmp_path / "deep" / "into").exists()


@MAKERS
def test_unpack_bomb(tmp_path, make, name, monkeypatch):
    monkeypatch.setattr(archive, "UNPACK_SLACK", 1 << 16)
    path = make(tmp_path / name, [("zeros", bytes(4 << 20))])
    with pytest.raises(SpikeloomError, match="it unpacks to more than"):
        unpack(path, tmp_path / "into")
    assert not (tmp_path / "into").exists()


@MAKERS
def test_unpack_too_many(tmp_path, make, name, monkeypatch):
    monkeypatch.setattr(archive, "MEMBERS", 3)
    path = make(tmp_path / name, [(str(i), b"") for i in range(4)])
    with pytest.raises(SpikeloomError, match="more than 3 members"):
        unpack(path, tmp_path / "into")


@MAKERS
def test_unpack_file_as_folder(tmp_path, make, name):
    path = make(tmp_path / name, [("a", b"1"), ("a/b", b"2")])
    with pytest.raises(SpikeloomError, match="two members have the name"):
        unpack(path, tmp_path / "into")


def test_unpack_links(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "t.zip", [(info, b"/etc/passwd")])
    with pytest.raises(SpikeloomError, match="'link' is no plain file"):
        unpack(path, tmp_path / "into")
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.LNKTYPE, "/etc/passwd"
    path = tarred(tmp_path / "t.tar.gz", [("link", link)])
    with pytest.raises(SpikeloomError, match="'link' is no plain file"):
        unpack(path, tmp_path / "into")


def test_unpack_where_nothing_can_be_written(tmp_path):
    path = zipped(tmp_path / "t.zip", [("a", b"1")])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"t\.zip"):
        unpack(path, tmp_path / "file" / "into")


@steady
@given(st.data())
def test_unpack_cut_zip(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    path = zipped(folder / "cut.zip", [("a", b"1" * 1000), ("b", b"2")])
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw = raw[:at]
    else:
        raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    message, _ = said(unpack, path, folder / "cut")
    assert (folder / "cut").exists() == (not message)


def test_members_of_a_zip(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(wheel({"other": b"no", **MEMBERS}))
    assert read_zip_members(path, SIZES) == MEMBERS
    for wanted, message in (
        ({"c": 1}, "c is not in it"),
        ({"a": 999}, "a has 1000 bytes, wanted 999"),
    ):
        with pytest.raises(SpikeloomError, match=f"damaged archive .*{message}"):
            read_zip_members(path, wanted)
    with pytest.raises(SpikeloomError, match="cannot be read"):
        read_zip_members(tmp_path / "none.zip", SIZES)


@steady
@given(st.data())
def test_zip_cut_or_changed(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bad.zip"
    path.write_bytes(spoilt(data, wheel(MEMBERS)))
    message, found = said(read_zip_members, path, SIZES)
    assert "damaged archive" in message if message else found == MEMBERS
