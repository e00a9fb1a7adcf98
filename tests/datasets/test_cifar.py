"""Records of CIFAR-10 and CIFAR-100, and archives of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data import cifar, load
from sw.data.catalogue import SOURCES
from sw.data.cifar import layout, parse_records, read_cifar
from tests.datasets.conftest import md5, steady, tar


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
