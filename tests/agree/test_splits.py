"""Test images of data sets and of stored splits; damaged ones are one sentence."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.agree import data_split, digits_split, fixture, fixture_split, main
from tests.fixtures import FIXTURES

IMAGES, LABELS = np.zeros((4, 16, 16), np.uint8), np.zeros(4, np.int64)


def fails(tmp_path, capsys):
    shutil.copy(FIXTURES / "best_digits.weights.npz", tmp_path / "a.weights.npz")
    shutil.copy(FIXTURES / "best_digits.json", tmp_path / "a.json")
    assert main(["--fixture", str(tmp_path / "a")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": LABELS}, "has no array 'images'"),
        ({"images": IMAGES}, "has no array 'labels'"),
        ({"images": IMAGES.astype(float), "labels": LABELS}, "images are float64 (4, 16, 16)"),
        ({"images": IMAGES[:, 0, 0], "labels": LABELS}, "images are uint8 (4,)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "images are uint8 (0, 16, 16)"),
        ({"images": IMAGES, "labels": LABELS[:3]}, "labels are int64 (3,)"),
        ({"images": IMAGES, "labels": LABELS, "pred": LABELS / 2}, "pred are float64 (4,)"),
        ({"test_images": IMAGES}, "has no array 'test_labels'"),
    ],
)
def test_other_forms(tmp_path, capsys, arrays, message):
    np.savez(tmp_path / "a.io.npz", **arrays)
    line = fails(tmp_path, capsys)
    assert message in line
    assert line.endswith("and a label of each")


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_damaged(tmp_path, capsys, content):
    (tmp_path / "a.io.npz").write_bytes(content)
    assert "a.io.npz: cannot be read" in fails(tmp_path, capsys)


@pytest.mark.parametrize("index", [np.array([0, 1, 2, 400]), np.array([0.0] * 4), None])
def test_an_index_of_no_images_leaves_the_few(tmp_path, index):
    more = {} if index is None else {"test_index": index}
    np.savez(tmp_path / "a.io.npz", images=IMAGES, labels=LABELS, **more)
    images, labels = fixture_split(tmp_path / "a")
    assert images.shape == IMAGES.shape
    assert len(labels) == 4


def net(size=(16, 16), channels=1):
    """Stands in for a float network of which only the input counts."""
    return SimpleNamespace(name="net", size=size, channels=channels)


@pytest.fixture
def digits(monkeypatch):
    """A data set of 600 training and 7 test images at any size."""

    def load(name, side):
        side = side or 8
        train = np.arange(600 * side * side).astype(np.uint8).reshape(600, 1, side, side)
        test = np.full((7, 1, side, side), 9, np.uint8)
        return SimpleNamespace(
            train_images=train, test_images=test, test_labels=np.arange(7), shape=(1, side, side)
        )

    monkeypatch.setattr("sw.agree.splits.load", load)
    return load


@pytest.mark.parametrize(("size", "side"), [((16, 16), 16), (None, 8)])
def test_split_of_a_data_set(digits, size, side):
    split = data_split(net(size), "digits")
    wanted = digits("digits", side)
    np.testing.assert_array_equal(split.images, wanted.test_images)
    np.testing.assert_array_equal(split.labels, wanted.test_labels)
    np.testing.assert_array_equal(split.calibration, wanted.train_images[:512])
    assert split.stored is None


def test_data_set_of_another_form(digits):
    with pytest.raises(SpikeloomError, match=r"images of digits are square, the network reads \(8"):
        data_split(net((8, 16)), "digits")
    with pytest.raises(SpikeloomError, match=r"digits have 1 channels, .* reads 3; choose"):
        data_split(net(channels=3), "digits")


def test_sequences_are_not_compared():
    with pytest.raises(SpikeloomError, match="vowels has sequences, and only images are compared"):
        data_split(net((1, 1), channels=12), "vowels")


def test_digits_need_a_size(digits):
    images, labels = digits_split(net())
    assert images.shape == (7, 1, 16, 16)
    assert len(labels) == 7
    with pytest.raises(SpikeloomError, match="its image size is not known; give --fixture instead"):
        digits_split(net(None))


PRED = np.array([3, 1, 2, 0])


@pytest.mark.parametrize(
    ("arrays", "stored"),
    [
        ({}, None),
        ({"pred": PRED}, PRED),
        ({"pred_alpha1": PRED, "pred": LABELS}, PRED),
        ({"test_pred": PRED}, None),  # of the whole split, which is not here
    ],
)
def test_stored_predictions_of_few_images(tmp_path, arrays, stored):
    np.savez(tmp_path / "a.io.npz", images=IMAGES, labels=LABELS, **arrays)
    split = fixture(tmp_path / "a")
    np.testing.assert_array_equal(split.stored, stored)
    np.testing.assert_array_equal(split.calibration, IMAGES)


def test_whole_split_that_is_stored_comes_first(tmp_path):
    whole = {"test_images": IMAGES + 1, "test_labels": PRED, "test_pred": PRED + 1}
    np.savez(tmp_path / "a.io.npz", images=IMAGES, labels=LABELS, pred=LABELS, **whole)
    split = fixture(tmp_path / "a")
    np.testing.assert_array_equal(split.images, IMAGES + 1)
    np.testing.assert_array_equal(split.labels, PRED)
    np.testing.assert_array_equal(split.stored, PRED + 1)


@pytest.mark.parametrize(
    ("change", "is_whole"),
    [
        ({}, True),
        ({"test_index": np.array([6, 2, 1, 1])}, False),  # another image
        ({"test_index": np.array([6, 2, 1, 7])}, False),  # beyond the last
        ({"test_index": np.array([6, 2, 1, -7])}, False),
        ({"test_labels": np.arange(1, 8)}, False),
        ({"test_labels": np.arange(6)}, False),
    ],
)
def test_few_images_stand_for_the_data_set_that_holds_them(
    tmp_path, digits, monkeypatch, change, is_whole
):
    found = digits("digits", 8)
    found.test_images = np.arange(7 * 64, dtype=np.int64).astype(np.uint8).reshape(7, 1, 8, 8)
    monkeypatch.setattr("sw.agree.splits.load", lambda name, side: found)
    rows = [6, 2, 1, 0]
    arrays = {
        "images": found.test_images[rows],
        "labels": LABELS,
        "pred": PRED,
        "test_index": np.array(rows),
        "test_labels": np.arange(7),
        "test_pred": np.arange(7) + 1,
    }
    np.savez(tmp_path / "a.io.npz", **{**arrays, **change})
    (tmp_path / "a.json").write_text('{"data": "digits"}', encoding="utf-8")
    split = fixture(tmp_path / "a", net((8, 8)))
    if is_whole:
        np.testing.assert_array_equal(split.images, found.test_images)
        np.testing.assert_array_equal(split.stored, np.arange(7) + 1)
    else:
        np.testing.assert_array_equal(split.images, found.test_images[rows])
        np.testing.assert_array_equal(split.stored, PRED)
    assert len(fixture(tmp_path / "a").images) == 4  # no network, no data set
