"""Sequences of .ts files, and their bytes."""

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.data.sequences import parse_ts, quantise, read_sequences, repeated, span
from tests.datasets.spoken import LENGTHS, SOURCE, TEXTS, sequences, text


def test_parts():
    got, labels = parse_ts(text("TRAIN"), 2, 3, "x")
    assert labels.tolist() == [0, 1, 2, 0]
    assert labels.dtype == np.int64
    for a, b in zip(got, sequences("TRAIN"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2:3:1", r"line 2: no sequence .*; the file is damaged"),
        ("1,2:3,x:1", "line 2: no sequence"),
        ("1,2:3,4:one", "line 2: no sequence"),
        ("1,2:1", "line 2: 1 channels and label 1, wanted 2 and 1 to 3; the file is of another"),
        ("1,2:3,4:4", "line 2: 2 channels and label 4, wanted 2 and 1 to 3"),
        ("1,2:3,4:0", "2 channels and label 0"),
    ],
)
def test_lines_that_are_no_sequence(line, message):
    with pytest.raises(SpikeloomError, match=message):
        parse_ts(f"@data\n{line}\n", 2, 3, "x")


def test_bytes_span_the_training_data():
    low, high = span([np.array([[0.0, -3.0]]), np.array([[2.0, -2.0], [1.0, -1.0]])])
    assert (low.tolist(), high.tolist()) == ([0, -3], [2, -1])
    values = np.array([[0.0, -3.0], [2.0, -1.0], [1.0, -2.0], [-9.0, 9.0], [0.004, -2.996]])
    got = quantise(values, low, high)
    assert got.dtype == np.uint8
    # 127.5 is a tie, which goes to the even one
    assert got.tolist() == [[0, 0], [255, 255], [128, 128], [0, 255], [1, 1]]


def test_a_short_one_begins_anew():
    rows = np.arange(3)[:, None]
    assert repeated(rows, 7).ravel().tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert repeated(rows, 3).ravel().tolist() == [0, 1, 2]


def test_both_splits(tmp_path):
    paths = [tmp_path / name for name in TEXTS]
    for path in paths:
        path.write_bytes(TEXTS[path.name])
    found = read_sequences(SOURCE, paths)
    low, high = span(sequences("TRAIN"))
    for part, (images, labels, lengths) in zip(("TRAIN", "TEST"), found, strict=True):
        assert images.shape == (len(LENGTHS[part]), 5, 2, 1, 1)
        assert lengths.tolist() == list(LENGTHS[part])
        assert len(labels) == len(images)
        for image, sequence in zip(images, sequences(part), strict=True):
            np.testing.assert_array_equal(
                image[: len(sequence), :, 0, 0], quantise(sequence, low, high)
            )
            again = image[len(sequence) :]
            np.testing.assert_array_equal(again, image[: len(again)])
