"""A BESTformer in training: its loss, and what decays."""

import dataclasses

import torch
from torch.nn.functional import cross_entropy

from sw.train.learner import make_learner
from sw.train.teacher import load_teacher
from tests.train.teachers import ALWAYS, OPTIONS

CPU = torch.device("cpu")


def test_the_second_head_learns_what_the_teacher_decides(module, tmp_path):
    options = dataclasses.replace(OPTIONS, teacher=f"{module(ALWAYS)}:Always", label_smoothing=0.2)
    decide, _ = load_teacher(options, tmp_path / "a.safetensors", CPU)
    x, labels = torch.rand(5, 1, 8, 8), torch.tensor([0, 3, 9, 1, 2])
    assert decide(x).tolist() == [3] * 5
    losses = []
    for teacher in (decide, None):
        torch.manual_seed(2)
        learner = make_learner(options, teacher)
        learner.model.eval()  # so that one more pass gives the same logits
        loss, predicted = learner.loss(x, labels, 0.0)
        first, second = learner.model(x)
        assert torch.equal(predicted.argmax(1), (first + second).argmax(1))
        target = labels if teacher is None else torch.full((5,), 3)
        want = [
            cross_entropy(head, wanted, label_smoothing=0.2)
            for head, wanted in ((first, labels), (second, target))
        ]
        torch.testing.assert_close(loss, (want[0] + want[1]) / 2)
        losses.append(loss.item())
    assert abs(losses[0] - losses[1]) > 1e-4
