"""Learners of all families: signs of weights that have none, and which weights decay."""

import dataclasses

import pytest
import torch

from sw.families.bestformer.training import BestformerLearner
from sw.families.learner import Hooks, Learner, decayed
from sw.nn.binary import BinaryConv1d, binarise
from sw.train.checkpoint import load_checkpoint
from sw.train.learner import make_learner
from sw.train.loop import train
from tests.train.phases import OPTIONS


def test_weights_on_their_filters_mean_are_given_the_plus_sign(tmp_path, monkeypatch):
    name = "block.0.mlp.mlp1_conv"
    found = make_learner(OPTIONS)
    weight = found.model.get_parameter(f"{name}.weight")
    with torch.no_grad():
        steps = torch.tensor([0, 0, *range(1, 8), *range(-7, 0)]) / 8  # of mean 0, exactly
        weight[1] = steps.view_as(weight[1])
    before = binarise(weight.detach())
    counts = found.zero_weights()
    assert counts == {name: 2}
    assert found.sign() == counts
    assert found.zero_weights() == {}
    after = binarise(weight.detach())
    assert torch.equal(after, torch.where(before == 0, 1.0, before))

    real = BestformerLearner.zero_weights
    calls = []

    def once(self):  # the first time some weight is found
        calls.append(self)
        return {name: 3} if len(calls) == 1 else real(self)

    monkeypatch.setattr(BestformerLearner, "zero_weights", once)
    train(dataclasses.replace(OPTIONS, epochs=1), tmp_path / "a.safetensors")
    _, fields = load_checkpoint(tmp_path / "a.safetensors")
    assert fields["weights_given_a_sign"] == {name: 3}


class Pair(torch.nn.Module):
    """Two binary layers and a norm."""

    def __init__(self):
        super().__init__()
        self.first, self.second = BinaryConv1d(4, 2), BinaryConv1d(2, 2)
        self.norm = torch.nn.BatchNorm1d(2)


class PairLearner(Learner):
    def __init__(self, found):
        self.model, self.found = Pair(), found  # type: ignore[assignment]

    def loss(self, x, labels, progress, lengths=None):
        raise NotImplementedError

    def zero_weights(self):
        return self.found


def test_only_zeros_move_and_by_little():
    learner = PairLearner({"first": 3})
    weights = torch.tensor([[1.0, 3.0, 2.0, 2.0], [0.5, 0.5, 0.5, 0.5]])[:, :, None]
    with torch.no_grad():
        learner.model.first.weight.copy_(weights)
        learner.model.second.weight.fill_(0.5)  # which is not named
    assert learner.sign() == {"first": 3}
    moved = learner.model.first.weight.detach() - weights
    want = [[0, 0, 3e-4, 3e-4], [5e-5, 5e-5, 5e-5, 5e-5]]  # of the filter's largest weight
    torch.testing.assert_close(moved[..., 0], torch.tensor(want), rtol=1e-2, atol=0)
    assert (learner.model.second.weight == 0.5).all()


def test_weights_of_a_filter_of_zeros_move_too():
    learner = PairLearner({"first": 4})
    with torch.no_grad():
        learner.model.first.weight.zero_()
    learner.sign()
    assert (learner.model.first.weight == torch.tensor(1e-6)).all()


def test_decay_is_of_the_weights_alone():
    model, seen = Pair(), []

    def is_weight(name, tensor):
        seen.append((name, tuple(tensor.shape)))
        return name.endswith("first.weight") or name == "norm.bias"

    options = dataclasses.replace(OPTIONS, weight_decay=0.25)
    weights, free = decayed(model, options, is_weight)  # type: ignore[arg-type]
    assert (weights["weight_decay"], free["weight_decay"]) == (0.25, 0.0)
    assert [id(p) for p in weights["params"]] == [id(model.first.weight), id(model.norm.bias)]
    assert [id(p) for p in free["params"]] == [id(model.second.weight), id(model.norm.weight)]
    assert seen == [(name, tuple(p.shape)) for name, p in model.named_parameters()]


def test_a_learner_must_have_a_loss_and_tell_its_zeros():
    class Half(Learner):
        def loss(self, x, labels, progress, lengths=None):
            raise NotImplementedError

    with pytest.raises(TypeError, match="zero_weights"):
        Half()  # type: ignore[abstract]
    with pytest.raises(TypeError):
        Hooks(network=Pair)  # type: ignore[call-arg]
