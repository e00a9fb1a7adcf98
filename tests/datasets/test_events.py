"""Event data, with a stand-in for the package tonic that walks folders as it does."""

import dataclasses
import io
import os
import sys
import types
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data import events, fetch, load
from sw.data.catalogue import SOURCES
from sw.data.events import frames
from tests.datasets.conftest import md5, steady, tar

TYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.uint64), ("p", bool)])


def some(n, width, seed=0):
    rng = np.random.default_rng(seed)
    e = np.zeros(n, TYPE)
    e["x"], e["y"] = rng.integers(0, width, (2, n))
    e["t"], e["p"] = np.sort(rng.integers(10**6, 2 * 10**6, n)), rng.integers(0, 2, n)
    return e


@steady
@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 6), st.integers(0, 5))
def test_frames(n, steps, size, seed):
    e = some(n, 6, seed)
    want = np.zeros((steps, 2, size, size), int)
    for x, y, t, p in e.tolist():
        first, last = int(e["t"][0]), int(e["t"][-1])
        want[(t - first) * steps // (last - first + 1), int(p), y * size // 6, x * size // 6] += 1
    got = frames(e, steps, size, (2, 6, 6), "x")
    assert got.dtype == np.uint8
    assert (got == want).all()
    assert got.sum() == n


def test_counts_are_clipped():
    e = np.zeros(300, TYPE)
    assert frames(e, 1, 6, (2, 6, 6), "x").max() == 255


@pytest.mark.parametrize(("field", "value"), [("x", 6), ("y", 7), ("x", -1)])
def test_event_outside_the_sensor(field, value):
    e = some(5, 6)
    e[field][2] = value
    with pytest.raises(SpikeloomError, match=f"x: an event has {field} from .*wanted 0 to 5"):
        frames(e, 2, 6, (2, 6, 6), "x")


class Fake:
    """A data set of tonic: recordings are .npy files in folders named by label."""

    def __init__(self, save_to, train=None):
        self.location_on_system = os.path.join(save_to, type(self).__name__)
        self.data, self.targets = [], []
        top = {None: "", True: "Train", False: "Test"}[train]
        place = os.path.join(self.location_on_system, top)
        if not os.path.isdir(place):
            self.download()
        for path, _, files in os.walk(place):
            for file in sorted(files):
                if file.endswith(".npy"):
                    self.data.append(os.path.join(path, file))
                    self.targets.append(self.label(os.path.basename(path)))

    @staticmethod
    def label(folder):
        return int(folder)

    def download(self):
        raise AssertionError("tonic must not fetch")

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        return np.load(self.data[i]), self.targets[i]


class NMNIST(Fake):
    pass


class CIFAR10DVS(Fake):
    @staticmethod
    def label(folder):
        return SOURCES["cifar10-dvs"].classes.index(folder)


@pytest.fixture
def tonic(monkeypatch):
    module = types.ModuleType("tonic")
    module.datasets = types.SimpleNamespace(NMNIST=NMNIST, CIFAR10DVS=CIFAR10DVS)
    monkeypatch.setitem(sys.modules, "tonic", module)
    return module


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def offer(web, monkeypatch, name, archives, **counts):
    """Put ``archives`` (file name -> bytes) on the server as those of data set ``name``."""
    source = SOURCES[name]
    files = []
    for file in source.files:
        data = archives[file.name]
        web.files[f"/{file.remote}"] = data
        files.append(dataclasses.replace(file, digest=md5(data)))
    monkeypatch.setitem(
        SOURCES,
        name,
        dataclasses.replace(source, files=tuple(files), mirrors=(web.url,), **counts),
    )


@pytest.fixture
def n_mnist(web, cache, monkeypatch):
    recordings = {
        f"{part}/{i % 3}/{i:05}.npy": some(50, 34, i + 100 * (part == "Test"))
        for part, n in (("Train", 6), ("Test", 3))
        for i in range(n)
    }
    offer(
        web,
        monkeypatch,
        "n-mnist",
        {
            f"{part.lower()}.zip": zipped(
                {k: npy(v) for k, v in recordings.items() if k.startswith(part)}
            )
            for part in ("Train", "Test")
        },
        train=6,
        test=3,
    )
    return recordings


def test_fetched_unpacked_read(n_mnist, tonic, web, cache):
    folder = fetch.fetch("n-mnist")
    assert folder == cache / "n-mnist" / "NMNIST"
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        ".unpacked",
        "Test",
        "Train",
        "test.zip",
        "train.zip",
    ]
    told = []
    data = load("n-mnist", 17, steps=4, progress=lambda *a: told.append(a))
    assert told[-1] == ("n-mnist", 3, 3)
    assert data.shape == (4, 2, 17, 17)
    assert data.train_labels.tolist() == [0, 0, 1, 1, 2, 2]
    order = sorted(k for k in n_mnist if k.startswith("Train"))
    for image, name in zip(data.train_images, order, strict=True):
        assert (image == frames(n_mnist[name], 4, 17, (2, 34, 34), "x")).all()
    assert data.split.endswith("4 steps of equal time")
    asked = len(web.asked)
    fetch.fetch("n-mnist")
    assert len(web.asked) == asked


def test_frames_are_kept(n_mnist, tonic, cache):
    folder = fetch.fetch("n-mnist")
    first = load("n-mnist", steps=3)
    kept = folder / "frames-3x34.npz"
    assert kept.is_file()
    for path in folder.glob("T*/*/*.npy"):
        path.unlink()
    again = load("n-mnist", steps=3)
    assert (again.train_images == first.train_images).all()
    kept.write_bytes(kept.read_bytes()[:-100])
    with pytest.raises(SpikeloomError, match=r"0 recordings in .*, wanted 6"):
        load("n-mnist", steps=3)


def test_own_folder(n_mnist, tonic, cache, tmp_path):
    folder = fetch.fetch("n-mnist")
    mine = tmp_path / "mine"
    mine.mkdir()
    os.replace(folder, mine / "NMNIST")
    before = sorted(mine.rglob("*"))
    assert len(load("n-mnist", data_dir=mine).train_labels) == 6
    assert sorted(mine.rglob("*")) == before
    fetch.verify("n-mnist", mine)


def test_not_unpacked(n_mnist, tonic, cache):
    folder = fetch.fetch("n-mnist")
    (folder / ".unpacked").unlink()
    with pytest.raises(SpikeloomError, match=r"not unpacked in .*run python -m sw.data fetch n-m"):
        load("n-mnist")
    fetch.fetch("n-mnist")
    load("n-mnist")


def test_tonic_never_fetches(n_mnist, tonic, cache, tmp_path):
    folder = fetch.fetch("n-mnist")
    os.replace(folder / "Test", tmp_path / "Test")
    with pytest.raises(SpikeloomError, match="recordings or archives are missing"):
        load("n-mnist")


def test_damaged_recording(n_mnist, tonic, cache):
    folder = fetch.fetch("n-mnist")
    (folder / "Train/1/00001.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(SpikeloomError, match=r"00001.npy: cannot be read \(\w+"):
        load("n-mnist")
    assert not list(folder.glob("frames*"))


def test_without_tonic(n_mnist, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "tonic", None)
    fetch.fetch("n-mnist")
    with pytest.raises(SpikeloomError, match="not installed: run pip install 'tonic"):
        load("n-mnist")


def test_reader_that_tonic_lacks(n_mnist, tonic, cache, monkeypatch):
    fetch.fetch("n-mnist")

    def lacks(self, i):
        raise ModuleNotFoundError("No module named 'aedat'", name="aedat")

    monkeypatch.setattr(NMNIST, "__getitem__", lacks)
    with pytest.raises(SpikeloomError, match=r"needs the package aedat, .* pip install aedat"):
        load("n-mnist")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"steps": 0}, "0 steps, wanted 1 to"), ({"size": 35}, "at most the sensor's 34")],
)
def test_what_cannot_be(n_mnist, tonic, cache, options, said):
    fetch.fetch("n-mnist")
    with pytest.raises(SpikeloomError, match=said):
        load("n-mnist", **options)


def test_archive_that_leaves_its_folder(web, cache, monkeypatch):
    bad = zipped({"Train/0/0.npy": b"", "../../../out": b""})
    offer(web, monkeypatch, "n-mnist", {"train.zip": bad, "test.zip": zipped({})})
    with pytest.raises(SpikeloomError, match="outside its folder"):
        fetch.fetch("n-mnist")
    assert not list(cache.parent.rglob("out"))
    assert not (cache / "n-mnist/NMNIST/Train").exists()


def test_tar_archives(web, cache, monkeypatch):
    offer(
        web,
        monkeypatch,
        "dvs-gesture",
        {
            f"ibmGesture{part}.tar.gz": tar({f"ibmGesture{part}/user01_led/0.npy": b"x"})
            for part in ("Train", "Test")
        },
    )
    folder = fetch.fetch("dvs-gesture")
    assert (folder / "ibmGestureTest/user01_led/0.npy").read_bytes() == b"x"


def test_cifar_10_dvs(web, cache, monkeypatch, tonic):
    monkeypatch.setattr(events, "PER_CLASS", 12)
    monkeypatch.setattr(events, "TRAIN_PER_CLASS", 10)
    classes = SOURCES["cifar10-dvs"].classes
    one = npy(np.zeros(0, TYPE))
    inner = {
        f"{c}.zip": zipped({f"{c}/cifar10_{c}_{i}.npy": one for i in range(12)}) for c in classes
    }
    offer(web, monkeypatch, "cifar10-dvs", {"CIFAR10DVS.zip": zipped(inner)})
    folder = fetch.fetch("cifar10-dvs")
    assert not list(folder.glob("airplane.zip"))
    data = load("cifar10-dvs", 8, steps=2)
    assert data.train_images.shape == (100, 2, 2, 8, 8)
    assert data.test_labels.tolist() == [c for c in range(10) for _ in range(2)]
    recordings = events._open(SOURCES["cifar10-dvs"], folder)
    _, test = events._orders(recordings, SOURCES["cifar10-dvs"])
    assert {os.path.basename(recordings.data[i]).split("_")[-1] for i in test} == {
        "10.npy",
        "11.npy",
    }
    next((folder / "dog").iterdir()).unlink()
    with pytest.raises(SpikeloomError, match="119 recordings of 10 classes, wanted 12 of each"):
        load("cifar10-dvs", 8, steps=3)
