"""A BESTformer in training: its loss, and what decays."""

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

from sw.families.bestformer.options import BestformerOptions
from sw.families.bestformer.training import BestformerLearner
from sw.train.learner import make_learner
from sw.train.teacher import load_teacher
from tests.train.teachers import ALWAYS, OPTIONS, TINY

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


@pytest.mark.parametrize("reversible", [True, False])
def test_weights_of_convolutions_and_heads_decay(reversible):
    config = dataclasses.replace(TINY, reversible=reversible)
    options = BestformerOptions(config=config, lr=0.125, weight_decay=0.5)
    learner = BestformerLearner(options)
    assert isinstance(learner.optimiser, torch.optim.AdamW)
    decayed, free = learner.optimiser.param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.5, 0.0)
    assert (decayed["lr"], free["lr"]) == (0.125, 0.125)
    names = {id(p): name for name, p in learner.model.named_parameters()}
    own = {names[id(p)] for p in decayed["params"]}
    rest = {names[id(p)] for p in free["params"]}
    assert own | rest == set(names.values())
    assert not own & rest
    shapes = {name: p.ndim for name, p in learner.model.named_parameters()}
    # gains of the attention have many axes and are no weights
    assert own == {n for n, axes in shapes.items() if axes > 1 and "lambda" not in n}
    assert any("lambda" in name for name in rest)


def test_a_network_of_one_head_learns_the_labels():
    options = BestformerOptions(
        config=dataclasses.replace(TINY, reversible=False), label_smoothing=0.25
    )
    torch.manual_seed(0)
    learner = BestformerLearner(options)
    learner.model.eval()
    x, labels = torch.rand(5, 1, 8, 8), torch.tensor([0, 3, 9, 1, 2])
    loss, logits = learner.loss(x, labels, 0.0)
    (head,) = learner.model(x)
    torch.testing.assert_close(loss, cross_entropy(head, labels, label_smoothing=0.25))
    assert torch.equal(logits, head)
    assert learner.prediction == "argmax of head"


def test_what_is_predicted_is_told():
    options = BestformerOptions(config=TINY)
    both = "argmax of the mean of head, trained on the labels, and head2, on "
    assert BestformerLearner(options).prediction == f"{both}the labels too"
    taught = BestformerLearner(options, lambda x: torch.zeros(len(x)).long())
    assert taught.prediction == f"{both}the teacher's decisions"
