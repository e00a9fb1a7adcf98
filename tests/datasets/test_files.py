"""Damaged, cut and hostile files: one SpikeloomError, nothing written."""

import gzip
import io
import stat
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data import archive, cifar, load
from sw.data.archive import read_members, unpack
from sw.data.catalogue import SOURCES
from sw.data.cifar import layout, parse_records, read_cifar
from sw.data.idx import parse_idx, read_plain
from tests.datasets.conftest import idx, md5, steady, tar

ARRAY = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
RAW = idx(ARRAY)
PACKED = gzip.compress(RAW)


def said(call, *arguments):
    """Give what ``call`` says when it refuses, nothing if it does not, and what it returned."""
    try:
        return "", call(*arguments)
    except SpikeloomError as error:
        return str(error), None


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


def records(n, label_bytes, classes):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 256, (n, label_bytes + 3072), dtype=np.uint8)
    rows[:, :label_bytes] = rng.integers(0, classes, (n, label_bytes))
    return rows


@pytest.mark.parametrize(("label_bytes", "classes"), [(1, 10), (2, 100)])
def test_cifar_records(label_bytes, classes):
    rows = records(7, label_bytes, classes)
    images, labels = parse_records(rows.tobytes(), label_bytes, classes, "x")
    assert images.shape == (7, 3, 32, 32)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert (labels == rows[:, label_bytes - 1]).all()
    assert images[3, 2, 5, 6] == rows[3, label_bytes + 2 * 1024 + 5 * 32 + 6]
    rows[4, label_bytes - 1] = classes
    with pytest.raises(
        SpikeloomError, match=f"x: label {classes} of image 4, wanted 0 to {classes - 1}"
    ):
        parse_records(rows.tobytes(), label_bytes, classes, "x")


@steady
@given(st.integers(0, 3 * 3073).filter(lambda n: n % 3073 or not n))
def test_cifar_cut(n):
    with pytest.raises(SpikeloomError, match=rf"x: {n} bytes, wanted a multiple of 3073"):
        parse_records(bytes(n), 1, 10, "x")


@pytest.fixture
def cifar_files(monkeypatch, cache):
    """Archives of few images in the cache, by number of classes, and their rows."""
    import dataclasses

    monkeypatch.setattr(cifar, "PER_FILE", 4)
    rows = {}
    for name, classes in (("cifar10", 10), ("cifar100", 100)):
        label_bytes, train, test = layout(classes)
        members = {"readme.html": b"hello"}
        for i, (member, size) in enumerate((train | test).items()):
            rows[member] = records(size // (label_bytes + 3072), label_bytes, classes) ^ (i & 1)
            members[member] = rows[member].tobytes()
        data = tar(members)
        file = dataclasses.replace(SOURCES[name].files[0], digest=md5(data), size=len(data))
        monkeypatch.setitem(SOURCES, name, dataclasses.replace(SOURCES[name], files=(file,)))
        (cache / name).mkdir(parents=True)
        (cache / name / file.name).write_bytes(data)
    return rows


def test_cifar_10(cifar_files):
    data = load("cifar10")
    assert data.train_images.shape == (20, 3, 32, 32)
    want = np.concatenate(
        [cifar_files[f"cifar-10-batches-bin/data_batch_{i}.bin"] for i in range(1, 6)]
    )
    assert (data.train_labels == want[:, 0]).all()
    assert (data.train_images.reshape(20, -1) == want[:, 1:]).all()
    assert (data.test_labels == cifar_files["cifar-10-batches-bin/test_batch.bin"][:, 0]).all()
    assert data.classes[3] == "cat"
    assert load("cifar10", 16).shape == (3, 16, 16)


def test_cifar_100(cifar_files):
    data = load("cifar100")
    want = cifar_files["cifar-100-binary/train.bin"]
    assert data.train_images.shape == (20, 3, 32, 32)
    assert (data.train_labels == want[:, 1]).all()
    assert (data.train_images.reshape(20, -1) == want[:, 2:]).all()
    assert data.test_images.shape == (4, 3, 32, 32)
    assert (data.classes[0], data.classes[99], len(data.classes)) == ("apple", "worm", 100)


def test_cifar_archive_damaged(cifar_files, cache):
    path = cache / "cifar10" / "cifar-10-binary.tar.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(SpikeloomError, match=f"MD5 sum {md5(whole[:-1])}, wanted {md5(whole)}"):
        load("cifar10")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpikeloomError, match="damaged archive"):
        read_cifar(path, 10)


MEMBERS = {"a": b"1" * 1000, "b": b"2" * 500}
SIZES = {k: len(v) for k, v in MEMBERS.items()}
TAR = tar(MEMBERS)


@steady
@given(st.data())
def test_archive_cut_or_changed(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bad.tar.gz"
    raw = bytearray(TAR[: data.draw(st.integers(0, len(TAR)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
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
