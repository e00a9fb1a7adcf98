"""Data sets of a run and their augmentation."""

import dataclasses

import numpy as np
import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.data import DataSet, load_digits
from sw.data.augment import augment
from sw.families.bestformer.options import BestformerOptions
from sw.train.data import augmentation
from sw.train.loop import train
from tests.train.small import OPTIONS, TINY


def test_data_that_do_not_fit_the_configuration(few_digits, tmp_path):
    out = tmp_path / "a.safetensors"
    mistakes = {
        "images of 3x8x8 in 10 classes, wanted 1x8x8 in 10 classes": {"channels": 3},
        "images of 1x8x8 in 5 classes, wanted 1x8x8 in 10 classes": {"classes": 5},
        "images are square, the configuration's are 8x16": {"width": 16},
    }
    for message, config in mistakes.items():
        options = dataclasses.replace(OPTIONS, config=dataclasses.replace(TINY, **config))
        with pytest.raises(SpikeloomError, match=message):
            train(options, out)
    with pytest.raises(SpikeloomError, match=r"data is 'faces', wanted one of digits, mnist, "):
        train(dataclasses.replace(OPTIONS, data="faces"), out)
    options = dataclasses.replace(OPTIONS, config=dataclasses.replace(TINY, height=12, width=12))
    with pytest.raises(SpikeloomError, match="side is 12, wanted a multiple of 8"):
        train(options, out)
    with pytest.raises(SpikeloomError, match="do not fill a batch of 32; lower --validation"):
        train(dataclasses.replace(OPTIONS, validation=80), out)
    with pytest.raises(SpikeloomError, match=r"--images is 101, there are 100 .*choose fewer"):
        train(dataclasses.replace(OPTIONS, images=101), out)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_augmented_digits_stay_in_range_and_alike(factor):
    images = torch.from_numpy(load_digits(8 * factor).train_images[:50])
    assert torch.equal(augment(images, factor, 0.0), images.float())
    torch.manual_seed(0)
    moved = augment(images, factor)
    torch.manual_seed(0)
    assert torch.equal(augment(images, factor), moved)
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 255
    assert not torch.equal(moved, images.float())
    alike = np.corrcoef(moved.flatten(1).numpy(), images.flatten(1).numpy())[:50, 50:]
    assert np.diag(alike).mean() > np.median(alike) + 0.15


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("digits", (1, 16, 16), ("augment", 2, 0.25)),
        ("mnist", (1, 28, 28), ("augment", 1, 0.25)),
        ("fashion-mnist", (1, 28, 28), ("augment_photographs", 0.25)),
        ("cifar10", (3, 32, 32), ("augment_photographs", 0.25)),
        ("n-mnist", (2, 2, 34, 34), ("augment_events", 0.25)),
    ],
)
def test_each_data_set_has_its_augmentation(monkeypatch, name, shape, wanted):
    calls = []
    for function in ("augment", "augment_photographs", "augment_events"):
        name_of = f"sw.train.data.{function}"
        monkeypatch.setattr(name_of, lambda _, *a, f=function: calls.append((f, *a)))
    factor = 2 if name == "digits" else 1
    images, labels = np.zeros((1, *shape), np.uint8), np.zeros(1, int)
    data = DataSet(
        name=name,
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        classes=("a",),
        split="",
        factor=factor,
    )
    augmentation(BestformerOptions(augment=0.25), data)(torch.from_numpy(images))
    assert calls == [wanted]
