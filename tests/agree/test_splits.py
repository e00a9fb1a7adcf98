"""Stored splits that are damaged or of another form are one sentence."""

import shutil

import numpy as np
import pytest

from sw.agree import fixture_split, main
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
