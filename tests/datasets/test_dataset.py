"""Loading by name, sizes, splits, and the command."""

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data import NAMES, DataSet, __main__, load, load_digits, split_validation
from sw.data.catalogue import SOURCES
from sw.data.dataset import resize
from tests.datasets.conftest import steady

REPO = Path(__file__).resolve().parents[2]


def made(n=40, classes=3):
    rng = np.random.default_rng(0)
    return DataSet(
        name="made",
        train_images=np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1),
        train_labels=rng.integers(0, classes, n),
        test_images=np.zeros((2, 1, 1, 1), np.uint8),
        test_labels=np.zeros(2, np.int64),
        classes=tuple("abc"[:classes]),
        split="made up",
    )


def test_digits_are_the_same_as_ever():
    old, new = load_digits(16), load("digits", 16)
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        assert (getattr(old, name) == getattr(new, name)).all()
    assert (new.factor, new.shape, len(new.train_labels)) == (2, (1, 16, 16), 1437)
    assert load("digits").shape == (1, 8, 8)
    assert "RandomState(0)" in new.split


@steady
@given(st.integers(0, 39), st.integers(0, 2**32 - 1))
def test_validation(n, seed):
    data = made()
    got = split_validation(data, n, seed)
    rest, held = got.train_images.ravel().tolist(), got.validation_images.ravel().tolist()
    assert len(held) == n == len(got.validation_labels)
    assert sorted(rest + held) == list(range(40))
    assert rest == sorted(rest)
    assert held == sorted(held) == sorted(np.random.RandomState(seed).permutation(40)[:n].tolist())
    assert (got.validation_labels == data.train_labels[held]).all()
    assert (got.train_labels == data.train_labels[rest]).all()


def test_validation_is_told():
    split = split_validation(made(), 5, 7).split
    assert split == (
        "made up; validation: first 5 of numpy RandomState(7).permutation(40) of train"
    )


@pytest.mark.parametrize(
    ("n", "seed", "said"),
    [(-1, 0, "wanted 0 to 39"), (40, 0, "wanted 0 to 39"), (5, -1, "seed -1"), (5, 2**32, "seed")],
)
def test_validation_that_cannot_be(n, seed, said):
    with pytest.raises(SpikeloomError, match=said):
        split_validation(made(), n, seed)


def test_validation_twice():
    with pytest.raises(SpikeloomError, match="has 5 validation images already"):
        split_validation(split_validation(made(), 5), 5)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range(label):
    data = made()
    labels = data.train_labels.copy()
    labels[17] = label
    with pytest.raises(
        SpikeloomError, match=f"made, train split: label {label} of image 17, wanted 0 to 2"
    ):
        dataclasses.replace(data, train_labels=labels)
    with pytest.raises(SpikeloomError, match="40 images and 39 labels"):
        dataclasses.replace(data, train_labels=data.train_labels[:-1])


@pytest.mark.parametrize(
    ("side", "size", "factor"),
    [
        (28, 28, 1),
        (28, 56, 2),
        (28, 32, 1),
        (28, 14, 1),
        (28, 16, 1),
        (28, 7, 1),
        (5, 8, 1),
        (4, 1, 1),
        (3, 2, 1),
    ],
)
def test_resize(side, size, factor):
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (3, 2, side, side), dtype=np.uint8)
    got, found = resize(images, size)
    assert (got.shape, got.dtype, found) == ((3, 2, size, size), np.uint8, factor)
    k = 1 if size > side else -(-side // size)
    if factor > 1:
        assert (got[..., ::factor, ::factor] == images).all()
        return
    before = (k * size - side) // 2
    for y, x in np.ndindex(size, size):
        total = np.zeros((3, 2), int)
        for i, j in np.ndindex(k, k):
            r, c = y * k + i - before, x * k + j - before
            if 0 <= r < side and 0 <= c < side:
                total += images[..., r, c]
        assert (got[..., y, x] == np.floor(total / k**2 + 0.5)).all()


def test_mean_of_white_is_white():
    assert (resize(np.full((1, 1, 28, 28), 255, np.uint8), 7)[0] == 255).all()


@pytest.mark.parametrize("size", [0, -8, 257])
def test_size_that_cannot_be(small, size):
    with pytest.raises(SpikeloomError, match=f"mnist: image side is {size} pixels, wanted 1 to"):
        load("mnist", size)


def test_steps_of_still_images(small):
    with pytest.raises(SpikeloomError, match="only event data have steps"):
        load("mnist", steps=4)


def test_missing_is_one_sentence_with_the_command(cache):
    for name in NAMES[1:]:
        with pytest.raises(SpikeloomError) as e:
            load(name)
        said = str(e.value)
        assert said.endswith(f"run python -m sw.data fetch {name}")
        assert str(cache / name) in said
        assert "\n" not in said
        assert ". " not in said


def test_unknown():
    with pytest.raises(SpikeloomError, match="'imagenet' is not known, wanted one of digits"):
        load("imagenet")


@pytest.mark.parametrize("kind", ["packed", "plain"])
@pytest.mark.parametrize("below", ["", "mnist"])
def test_own_folder_is_only_read(small, tmp_path, kind, below, capsys):
    mine = tmp_path / "mine" / below
    mine.mkdir(parents=True)
    for name, data in getattr(small, kind).items():
        (mine / name).write_bytes(data)
        (mine / name).chmod(0o444)
    mine.chmod(0o555)
    before = {p: p.stat().st_mtime_ns for p in [tmp_path / "mine", *mine.iterdir()]}
    assert load("mnist", data_dir=tmp_path / "mine").train_images.shape == (30, 1, 28, 28)
    assert __main__.main(["fetch", "mnist", "--data-dir", str(tmp_path / "mine")]) == 0
    assert "mnist: whole in" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in [tmp_path / "mine", *mine.iterdir()]}
    assert not small.folder.exists()
    mine.chmod(0o755)


def test_own_folder_without_a_file(small, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    assert __main__.main(["fetch", "mnist", "--data-dir", str(tmp_path / "mine")]) == 1
    said = capsys.readouterr().err
    assert "train-images-idx3-ubyte or train-images-idx3-ubyte.gz is neither in" in said
    assert "run python -m sw.data fetch mnist" in said
    with pytest.raises(SpikeloomError, match="is no folder"):
        load("mnist", data_dir=tmp_path / "none")


def test_own_folder_with_a_damaged_file(small, tmp_path):
    for name, data in small.plain.items():
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(
        SpikeloomError, match=r"the MD5 sum of its contents is.*put the published one"
    ):
        load("mnist", data_dir=tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(SpikeloomError, match="holds more than"):
        load("mnist", data_dir=tmp_path)


def test_files_that_do_not_belong_together(small, monkeypatch, web):
    files = list(small.source.files)
    files[1] = files[3]
    monkeypatch.setitem(SOURCES, "mnist", dataclasses.replace(small.source, files=tuple(files)))
    small.offer("a")
    __main__.main(["fetch", "mnist"])
    with pytest.raises(SpikeloomError, match="30 images and 20 labels"):
        load("mnist")


def test_command(small, web, capsys):
    small.offer("a")
    assert __main__.main(["list"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:-1]] == list(NAMES)
    assert " no " in next(line for line in said.splitlines() if line.startswith("mnist"))
    assert __main__.main(["fetch", "mnist", "digits"]) == 0
    done = capsys.readouterr()
    assert f"mnist: fetched, whole in {small.folder}\n" in done.out
    assert "digits: lies inside scikit-learn, nothing to fetch\n" in done.out
    assert done.err == ""  # no terminal, no bar
    assert __main__.main(["fetch", "mnist"]) == 0
    said = capsys.readouterr().out
    assert said == f"mnist: was whole already in {small.folder}, nothing fetched\n"
    assert __main__.main(["list", "mnist"]) == 0
    assert " yes " in capsys.readouterr().out


def test_bar_on_a_terminal(small, web, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    small.offer("a")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert __main__.main(["fetch", "mnist"]) == 0
    assert "100%" in sys.stderr.getvalue()


def test_command_with_a_mistake(small, capsys, tmp_path):
    assert __main__.main(["fetch", "minst"]) == 1
    assert capsys.readouterr().err.startswith("error: Data set 'minst' is not known")
    assert __main__.main(["fetch", "mnist"]) == 1
    assert "HTTP status 404" in capsys.readouterr().err
    assert __main__.main(["list", "--data-dir", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert __main__.main(["fetch", "mnist", "--mirror", "here"]) == 1
    assert "begins with http://" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["get"],
        ["fetch"],
        ["list", "--mirror", "http://x/"],
        ["fetch", "mnist", "--mirror", "http://x/", "--data-dir", "."],
    ],
)
def test_wrong_usage(argv, capsys):
    with pytest.raises(SystemExit) as e:
        __main__.main(argv)
    assert e.value.code == 2
    assert "usage: python -m sw.data" in capsys.readouterr().err


def test_interrupted(small, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "fetch", stop)
    assert __main__.main(["fetch", "mnist"]) == 130
    assert capsys.readouterr().err.startswith("interrupted; the same command goes on")


def test_needs_neither_torch_nor_tonic():
    """What the command and the idx and CIFAR files need is numpy and tqdm."""
    code = (
        "import sys, sw.data, sw.data.__main__; sw.data.__main__.main(['list']); "
        "sys.exit(bool({'torch', 'tonic', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr


def test_catalogue_is_consistent():
    for source in SOURCES.values():
        assert len(set(source.classes)) == len(source.classes)
        assert bool(source.files) == bool(source.mirrors) == (source.kind != "embedded")
        assert all(m.startswith("http") and m.endswith("/") for m in source.mirrors)
        for file in source.files:
            assert len(bytes.fromhex(file.digest)) == 16
            if source.kind == "idx":
                assert file.plain
                n = source.train if "train" in file.name else source.test
                bytes_each = 784 if "images" in file.name else 1
                head = 16 if "images" in file.name else 8
                assert file.plain.size == head + n * bytes_each
    digests = [f.digest for s in SOURCES.values() for f in s.files]
    assert len(set(digests)) == len(digests)
