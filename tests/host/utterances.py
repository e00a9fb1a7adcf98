"""A vowels of three test sequences, for the shipped network that reads such."""

import numpy as np
import pytest

from sw.data import DataSet

LENGTHS = np.array([4, 2, 3])
SHAPE = (12, 1, 1)


def made():
    """Frames of noise; a sequence's label is its number."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, *SHAPE), dtype=np.uint8)
    numbers = np.arange(3)
    return DataSet(
        name="vowels",
        train_images=frames,
        train_labels=numbers,
        train_lengths=LENGTHS,
        test_images=frames,
        test_labels=numbers,
        test_lengths=LENGTHS,
        classes=tuple("abcdefghi"),
        split="made up",
    )


@pytest.fixture
def vowels(monkeypatch):
    """The data set as if it were here; every name of sequences loads it."""
    data = made()
    monkeypatch.setattr("sw.host.sequences.load", lambda name: data)
    return data
