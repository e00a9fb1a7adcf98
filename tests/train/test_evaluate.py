"""Accuracy and spike rates against a count by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sw.nn.network import Network
from sw.train.evaluate import evaluate


class Levels(Network):
    """Predicts the grey level of an image, and spikes by it: two neurons, two steps."""

    def __init__(self):
        super().__init__(
            SimpleNamespace(channels=1, height=1, width=1, steps=2, mean=(0.0,), std=(1 / 255,))
        )
        self.free = torch.nn.Parameter(torch.zeros(1))
        self.drop = torch.nn.Dropout()
        self.batches = []

    def mean_logits(self, x, trace=None, lengths=None):
        assert not self.training
        assert not self.drop.training
        assert not torch.is_grad_enabled()
        self.batches.append(len(x))
        level = x.reshape(len(x), -1)[:, :1].round()
        trace["a"] = torch.stack([level >= 1, level >= 2]).float()
        trace["b"] = torch.stack([level >= 3, level * 0 > 1]).float().expand(2, -1, 3)
        return torch.nn.functional.one_hot(level[:, 0].long(), 4).float()


LEVELS = np.array([0, 1, 2, 3, 3, 2, 1, 0, 3, 2], np.uint8)
LABELS = np.array([0, 1, 2, 3, 3, 2, 0, 1, 3, 3], np.int64)  # of the last four one is right


@pytest.mark.parametrize(
    ("batch", "batches"), [(128, [10]), (10, [10]), (4, [4, 4, 2]), (3, [3, 3, 3, 1])]
)
def test_every_image_counts_once_whatever_the_batch(batch, batches):
    model = Levels()
    accuracy, rates = evaluate(model, LEVELS[:, None, None, None], LABELS, batch)
    assert accuracy == 0.7
    assert rates == {"a": [0.8, 0.6], "b": [0.3, 0.0]}
    assert model.batches == batches


def test_rates_are_rounded_to_five_digits():
    _, rates = evaluate(Levels(), LEVELS[:3, None, None, None], LABELS[:3])
    assert rates == {"a": [0.66667, 0.33333], "b": [0.0, 0.0]}


def test_frames_are_images_too():
    frames = np.stack([LEVELS, LEVELS], 1)[:, :, None, None, None]
    assert evaluate(Levels(), frames, LABELS)[0] == 0.7


def test_every_module_is_in_its_mode_again():
    model = Levels().train()
    model.drop.eval()
    evaluate(model, LEVELS[:, None, None, None], LABELS)
    assert model.training
    assert not model.drop.training
