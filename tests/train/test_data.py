"""Data sets of a run and their augmentation."""

import dataclasses

import numpy as np
import pytest
import torch

import sw
from hw.common.errors import SpikeloomError
from sw.data import DataSet, load_digits
from sw.data.augment import augment
from sw.data.catalogue import SOURCES
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions
from sw.families.qsnn.training import QsnnLearner
from sw.train.data import augmentation, training_data
from sw.train.loop import train
from tests.datasets.spoken import SOURCE, TEXTS
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


def test_sequences_train_with_their_lengths(tmp_path, monkeypatch):
    """From the files to a network that says it is a stream; padding changes nothing measured."""
    monkeypatch.setitem(SOURCES, "vowels", SOURCE)
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text)
    sizes = {"net": "vgg", "widths": (4, 4), "kernel": 1, "channels": 2, "height": 1, "width": 1}
    config = QsnnConfig(**sizes, classes=3, steps=5, stream=True, membrane_bits=2)
    options = QsnnOptions(
        config=config, data="vowels", epochs=2, rounded=1, batch=2, validation=1, images=3
    )
    data = training_data(options, tmp_path)
    kept = np.concatenate([data.train_lengths, data.validation_lengths])
    assert sorted(kept.tolist()) == [2, 3, 5]  # the first three
    seen, real = [], QsnnLearner.loss

    def loss(self, x, labels, progress, lengths=None):
        seen.extend(lengths.tolist())
        return real(self, x, labels, progress, lengths)

    monkeypatch.setattr(QsnnLearner, "loss", loss)
    result = train(options, tmp_path / "a.safetensors", data_dir=tmp_path)
    assert sorted(seen) == sorted(data.train_lengths.tolist() * 2)
    net = sw.load(tmp_path / "a.safetensors")
    assert (net.stream, net.steps, net.lower().stream) == (True, 5, True)
    got = net.run_sequences(data.test_images, data.test_lengths)
    assert (got.predictions == data.test_labels).mean() == result.test_accuracy
    fewer = dataclasses.replace(options, config=dataclasses.replace(config, steps=4))
    with pytest.raises(SpikeloomError, match="longest sequence has 5 frames, the configuration 4 "):
        training_data(fewer, tmp_path)


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
