"""One file from a server on this computer: resumed, checked, and only then given its name."""

import dataclasses
import errno

import pytest

from hw.common.errors import SpikeloomError
from sw.data import catalogue, download, fetch
from tests.datasets.conftest import md5
from tests.datasets.parts import IMAGES, names


def test_resumes_with_what_is_missing(one, web):
    one.part.write_bytes(one.body[:1000])
    fetch.fetch("mnist")
    assert web.asked == [(f"/a/{IMAGES}", "bytes=1000-")]
    assert (one.folder / IMAGES).read_bytes() == one.body
    assert names(one.folder) == [IMAGES]


def test_part_that_is_already_whole(one, web):
    one.part.write_bytes(one.body)
    fetch.fetch("mnist")
    assert web.asked == []
    assert names(one.folder) == [IMAGES]


def test_server_without_ranges(one, web):
    web.ranges = False
    one.part.write_bytes(one.body[:1000])
    fetch.fetch("mnist")
    assert (one.folder / IMAGES).read_bytes() == one.body


def test_server_that_sends_another_range(one, web):
    web.shift = 1
    one.part.write_bytes(one.body[:1000])
    with pytest.raises(SpikeloomError, match="another range than the one asked for"):
        fetch.fetch("mnist")
    assert one.part.read_bytes() == one.body[:1000]


@pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
def test_part_longer_than_the_file(one, web, known, monkeypatch):
    if not known:
        file = dataclasses.replace(one.source.files[0], size=0)
        monkeypatch.setitem(
            catalogue.SOURCES, "mnist", dataclasses.replace(one.source, files=(file,))
        )
    one.part.write_bytes(one.body + b"more")
    fetch.fetch("mnist")
    assert (one.folder / IMAGES).read_bytes() == one.body


def test_part_of_something_else(one, web):
    one.part.write_bytes(b"x" * 1000)
    fetch.fetch("mnist")
    assert [r for _, r in web.asked] == ["bytes=1000-", None]
    assert (one.folder / IMAGES).read_bytes() == one.body


def test_broken_connections_are_taken_up(one, web):
    web.cut = len(one.body) // 3
    fetch.fetch("mnist")
    assert [r for _, r in web.asked] == [
        None,
        *(f"bytes={i * web.cut}-" for i in range(1, len(web.asked))),
    ]
    assert (one.folder / IMAGES).read_bytes() == one.body


def test_keeps_what_arrived_for_the_next_run(one, web, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    web.cut = 5000
    with pytest.raises(SpikeloomError, match=rf"ended after 5000 of {len(one.body)} bytes") as e:
        fetch.fetch("mnist")
    assert "run the same command again" in str(e.value)
    assert one.part.read_bytes() == one.body[:5000]
    assert names(one.folder) == [one.part.name]
    web.cut = None
    fetch.fetch("mnist")
    assert web.asked[-1] == (f"/a/{IMAGES}", "bytes=5000-")
    assert (one.folder / IMAGES).read_bytes() == one.body


def test_interrupted(one, web, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 4096)

    def stop(name, done, total):
        if done > 8000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("mnist", progress=stop)
    assert names(one.folder) == [one.part.name]
    done = one.part.stat().st_size
    fetch.fetch("mnist")
    assert web.asked[-1][1] == f"bytes={done}-"
    assert (one.folder / IMAGES).read_bytes() == one.body


def test_wrong_checksum(one, web):
    web.files[f"/a/{IMAGES}"] = wrong = bytes(len(one.body))
    with pytest.raises(SpikeloomError, match=f"checksum {md5(wrong)}, wanted {md5(one.body)}"):
        fetch.fetch("mnist")
    assert names(one.folder) == []
    web.files[f"/b/{IMAGES}"] = one.body
    fetch.fetch("mnist")
    assert names(one.folder) == [IMAGES]


def test_page_in_place_of_the_file(one, web):
    web.files[f"/a/{IMAGES}"] = b"<html>log in first</html>"
    with pytest.raises(SpikeloomError, match=rf"25 bytes, wanted {len(one.body)}"):
        fetch.fetch("mnist")
    assert names(one.folder) == []


def test_more_than_the_file(one, web):
    web.tell_length = False
    web.files[f"/a/{IMAGES}"] = one.body + b"x"
    with pytest.raises(SpikeloomError, match=rf"more than {len(one.body)} bytes"):
        fetch.fetch("mnist")
    assert IMAGES not in names(one.folder)


def test_size_that_nobody_tells(one, web, monkeypatch):
    web.tell_length = False
    file = dataclasses.replace(one.source.files[0], size=0)
    monkeypatch.setitem(catalogue.SOURCES, "mnist", dataclasses.replace(one.source, files=(file,)))
    fetch.fetch("mnist")
    assert (one.folder / IMAGES).read_bytes() == one.body
    monkeypatch.setattr(download, "LARGEST", 1000)
    (one.folder / IMAGES).unlink()
    with pytest.raises(SpikeloomError, match="more than 1000 bytes"):
        fetch.fetch("mnist")
    web.tell_length = True
    one.part.unlink(missing_ok=True)
    with pytest.raises(SpikeloomError, match=rf"{len(one.body)} bytes, wanted at most 1000"):
        fetch.fetch("mnist")


def test_full_disk(one, web, monkeypatch):
    real = download._write
    monkeypatch.setattr(download, "CHUNK", 4096)

    def full(file, data):
        if file.tell() >= 8192:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, data)

    monkeypatch.setattr(download, "_write", full)
    with pytest.raises(SpikeloomError, match="No space left on device") as e:
        fetch.fetch("mnist")
    assert "free space there or set SPIKELOOM_CACHE" in str(e.value)
    assert names(one.folder) == [one.part.name]
    assert len(web.asked) == 1  # another mirror would not help
    monkeypatch.setattr(download, "_write", real)
    done = one.part.stat().st_size
    fetch.fetch("mnist")
    assert web.asked[-1][1] == f"bytes={done}-"
    assert (one.folder / IMAGES).read_bytes() == one.body
