"""Files whole or not at all, names, caches, JSON."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from hw.common import files
from hw.common.errors import SpikeloomError


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


def test_written_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    assert files.write(path, "märz\n") == path
    assert path.read_bytes() == "märz\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    files.write(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert listing(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt()])
def test_nothing_stays_of_a_failure(error, tmp_path):
    path = tmp_path / "a"
    path.write_text("old", encoding="utf-8")

    def half():
        with files.whole(path) as part:
            part.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        half()
    assert listing(tmp_path) == ["a"]
    assert path.read_text(encoding="utf-8") == "old"


def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    def full(self, data):
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SpikeloomError) as e:
        files.write(tmp_path / "a", b"1", "choose another folder with --output")
    assert str(e.value) == (
        f"{tmp_path / 'a'}: cannot be written (No space left on device); choose another folder "
        "with --output"
    )
    assert listing(tmp_path) == []


def test_places_that_are_none(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"Not a directory|File exists"):
        files.write(tmp_path / "file" / "a", "1")
    with pytest.raises(SpikeloomError, match="is a folder"):
        files.write(tmp_path, "1")
    with pytest.raises(SpikeloomError, match="name too long"):
        files.write(tmp_path / ("x" * 300), "1")
    files.write(tmp_path / ("y" * 255), "1")
    assert listing(tmp_path) == ["file", "y" * 255]


def test_links_and_devices_stay(tmp_path):
    (tmp_path / "real").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    files.write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "new"
    files.write("/dev/null", "gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("digits", "digits"),
        ("../../escaped", "escaped"),
        ("/etc/passwd", "etc-passwd"),
        ("", "network"),
        ("...", "network"),
        ("a b\0c\n", "a-b-c"),
        ("C:\\x", "C-x"),
        ("x" * 500, "x" * 100),
        ("-rf", "rf"),
        (None, "None"),
        (3.5, "3.5"),
        ("größe", "größe"),
        ("ﬁn", "fin"),
    ],
)
def test_names_of_strangers(text, name):
    got = files.plain_name(text)
    assert got == name
    assert Path(got).name == got


def test_json(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert files.read_json(path) == {"a": 1}
    for content, why in (
        (b"{", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[" * 200_000, "nested too deep|not readable"),
        (b"1" * 10_000, "not readable as JSON"),
    ):
        path.write_bytes(content)
        with pytest.raises(SpikeloomError, match=why) as e:
            files.read_json(path)
        assert len(str(e.value)) < 400
    with path.open("wb") as f:
        f.truncate(files.MAX_JSON + 1)
    with pytest.raises(SpikeloomError, match=f"{files.MAX_JSON + 1} bytes, at most"):
        files.read_json(path)
    with pytest.raises(SpikeloomError, match="cannot be read"):
        files.read_json(tmp_path / "none")
    with pytest.raises(SpikeloomError, match="cannot be read"):
        files.read_json(tmp_path)


def test_locks(tmp_path):
    with files.locked(tmp_path / "a" / "lock", "busy: wait"):
        with pytest.raises(SpikeloomError, match="busy: wait"):
            with files.locked(tmp_path / "a" / "lock", "busy: wait"):
                raise AssertionError
    with files.locked(tmp_path / "a" / "lock", "busy: wait"):
        pass


def test_caches(tmp_path, monkeypatch):
    for name in ("SPIKELOOM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert files.cache_folder("sim") == tmp_path / ".cache/spikeloom/sim"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert files.cache_folder("sim") == tmp_path / "xdg/spikeloom/sim"
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("HOME", "/proc/none")
    assert files.cache_folder("sim").parent.parent == tmp_path / "temporary"
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "own"))
    assert files.cache_folder("sim") == tmp_path / "own/sim"
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "file"))
    with pytest.raises(SpikeloomError, match="set SPIKELOOM_CACHE to a writable folder"):
        files.cache_folder("sim")
