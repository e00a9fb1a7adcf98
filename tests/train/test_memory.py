"""Memory that glibc keeps: what is asked of it, and where nothing is."""

from types import SimpleNamespace

import pytest

from sw.train import memory


@pytest.fixture
def asked(monkeypatch):
    """Calls of mallopt from now on; the library that is looked into is that of the process."""
    calls = []

    def library(name):
        assert name is None
        return SimpleNamespace(mallopt=lambda *words: calls.append(words))

    monkeypatch.setattr(memory.ctypes, "CDLL", library)
    return calls


def test_large_blocks_come_from_the_heap_and_stay(monkeypatch, asked):
    monkeypatch.setattr(memory.sys, "platform", "linux")
    memory.keep_memory()
    # M_MMAP_THRESHOLD is -3 and M_TRIM_THRESHOLD is -1 in malloc.h; both take a C int
    assert dict(asked) == {-3: 2**30, -1: 2**31 - 1}
    assert len(asked) == 2


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_left_alone(monkeypatch, asked, platform):
    monkeypatch.setattr(memory.sys, "platform", platform)
    memory.keep_memory()
    assert asked == []


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())  # as musl has none
    memory.keep_memory()
