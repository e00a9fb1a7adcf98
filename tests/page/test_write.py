"""A page as a file."""

import importlib.util

import pytest

from hw.common.errors import SpikeloomError
from sw.page import write as package  # the function
from sw.page.write import missing, write


def test_whole_or_not_at_all(digits, tmp_path):
    path = write(digits[2], tmp_path / "page.html")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert path.stat().st_size < 2_000_000
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(SpikeloomError, match="choose another file with --output"):
        write(digits[2], tmp_path)
    assert package is write


def test_what_is_missing_is_one_sentence(digits, tmp_path, monkeypatch):
    assert missing() is None
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name)
    )
    assert missing() == "a page needs matplotlib; pip install matplotlib"
    with pytest.raises(SpikeloomError, match="a page needs matplotlib"):
        write(digits[2], tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
