"""Where data lie, and one writer at a time."""

import hashlib

import pytest

from hw.common.errors import SpikeloomError
from sw.data import fetch, store
from tests.datasets.conftest import md5


def test_cache_that_cannot_be_made(small, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "file"))
    with pytest.raises(SpikeloomError, match="set SPIKELOOM_CACHE to another folder"):
        fetch.fetch("mnist")


def test_only_one_at_a_time(small):
    pytest.importorskip("fcntl")
    with store.locked(small.folder), pytest.raises(SpikeloomError, match="another fetch"):
        fetch.fetch("mnist")


@pytest.mark.parametrize(
    ("own", "xdg", "home"),
    [("o", "x", "o"), ("", "x", "x/spikeloom"), ("", "", "h/.cache/spikeloom")],
)
def test_cache_folder(monkeypatch, tmp_path, own, xdg, home):
    monkeypatch.setenv("HOME", str(tmp_path / "h"))
    monkeypatch.setenv("SPIKELOOM_CACHE", own and str(tmp_path / own))
    monkeypatch.setenv("XDG_CACHE_HOME", xdg and str(tmp_path / xdg))
    assert store.cache_folder() == tmp_path / home / "data"


@pytest.mark.parametrize("algorithm", ["md5", "sha512"])
@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 40])
def test_digests_are_of_the_kind_of_the_one_given(algorithm, data, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHUNK", 1000)
    like = hashlib.new(algorithm, b"another").hexdigest()
    wanted = hashlib.new(algorithm, data).hexdigest()
    (tmp_path / "file").write_bytes(data)
    assert store.digest_of(data, like) == wanted
    assert store.file_digest(tmp_path / "file", like) == wanted


def test_digest_of_no_file(tmp_path):
    with pytest.raises(SpikeloomError, match=r"none: cannot be read \(No such file"):
        store.file_digest(tmp_path / "none", md5(b""))


def test_put_and_write(tmp_path):
    part, path = tmp_path / "a.part", tmp_path / "a"
    path.write_bytes(b"old")
    part.write_bytes(b"new")
    store.put(part, path)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"new")]
    store.write(path, b"newer")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"newer")]
    with pytest.raises(SpikeloomError, match="free space there or set SPIKELOOM_CACHE"):
        store.put(tmp_path / "gone.part", path)
    assert path.read_bytes() == b"newer"


def test_old_cache_is_read_where_there_is_no_own(monkeypatch, tmp_path):
    """One that is there already, though nothing can be written to it."""
    monkeypatch.delenv("SPIKELOOM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "spikeloom" / "data").mkdir(parents=True)
    monkeypatch.setattr(store.files, "cache_folder", lambda name: tmp_path / "elsewhere" / name)
    assert store.cache_folder() == tmp_path / "spikeloom" / "data"
    (tmp_path / "spikeloom" / "data").rmdir()
    assert store.cache_folder() == tmp_path / "elsewhere" / "data"
