"""Loading by name, from the cache or from a folder of the user's."""

import dataclasses

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.data import NAMES, __main__, load
from sw.data.catalogue import SOURCES
from tests.datasets.spoken import TEXTS


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


def test_sequences(pip, capsys, tmp_path):
    with pytest.raises(SpikeloomError, match=r"Small_TRAIN\.ts is not in .*; run python -m sw\.da"):
        load("vowels")
    assert __main__.main(["fetch", "vowels"]) == 0
    data = load("vowels")
    assert (data.shape, len(data.classes)) == ((5, 2, 1, 1), 3)
    assert data.train_lengths.tolist() == [3, 5, 2, 4]
    assert data.test_lengths.tolist() == [2, 5, 3]
    assert data.test_labels.tolist() == [0, 1, 2]
    for size in (2, 8):
        with pytest.raises(SpikeloomError, match=f"side is {size} pixels, wanted 1; its frames ar"):
            load("vowels", size)
    with pytest.raises(SpikeloomError, match="only event data have steps"):
        load("vowels", steps=5)
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text)
    mine = load("vowels", data_dir=tmp_path)
    assert (mine.train_images == data.train_images).all()
    (tmp_path / "Small_TEST.ts").write_bytes(text[:-2])
    with pytest.raises(SpikeloomError, match=r"TEST\.ts: MD5 sum .*put the published one there"):
        load("vowels", data_dir=tmp_path)


def test_vowels_as_published(fetched):
    fetched("vowels")
    data = load("vowels")
    assert (data.train_images.shape, data.test_images.shape[0]) == ((270, 29, 12, 1, 1), 370)
    assert np.bincount(data.train_labels).tolist() == [30] * 9
    assert np.bincount(data.test_labels).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert (data.train_lengths.sum(), data.test_lengths.sum()) == (4274, 5687)
    assert (data.train_lengths.min(), data.test_lengths.max()) == (7, 29)
    spans = data.train_images.min(axis=(0, 1)), data.train_images.max(axis=(0, 1))
    assert [set(span.ravel().tolist()) for span in spans] == [{0}, {255}]


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
