"""Sizes, splits and labels."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.common.errors import SpikeloomError
from sw.data import DataSet, split_validation
from sw.data.dataset import resize
from tests.datasets.conftest import steady


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


def test_lengths_go_with_their_sequences():
    data = made()
    assert not data.has_lengths
    assert not len(split_validation(data, 5).validation_lengths)
    data = dataclasses.replace(data, train_lengths=np.arange(40) + 1, test_lengths=np.ones(2, int))
    got = split_validation(data, 5)
    assert got.has_lengths
    assert (got.train_lengths == got.train_images.ravel() + 1).all()
    assert (got.validation_lengths == got.validation_images.ravel() + 1).all()


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
