"""A run of seconds: few digits, a small network."""

import dataclasses

import pytest

from sw.data import load
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions

TINY = BestformerConfig(height=8, width=8, embed_dim=16, depth=1, heads=2, mlp_ratio=1, steps=2)
OPTIONS = BestformerOptions(config=TINY, epochs=3, warmup=1, batch=32, seed=7, validation=30)


@pytest.fixture
def few_digits(monkeypatch):
    """Train on 100 images, test on 40."""

    def few(name, size, data_dir, *, steps):
        assert (name, data_dir, steps) == ("digits", None, None)
        digits = load(name, size)
        return dataclasses.replace(
            digits,
            train_images=digits.train_images[:100],
            train_labels=digits.train_labels[:100],
            test_images=digits.test_images[:40],
            test_labels=digits.test_labels[:40],
        )

    monkeypatch.setattr("sw.train.data.load", few)


def files(folder):
    return sorted(path.name for path in folder.iterdir())
