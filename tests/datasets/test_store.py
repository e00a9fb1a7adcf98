"""Where data lie, and one writer at a time."""

import pytest

from hw.common.errors import SpikeloomError
from sw.data import fetch, store


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
