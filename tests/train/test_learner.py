"""Learners by the family of their configuration, and hooks that are missing."""

import pytest
import torch

from hw.common.errors import SpikeloomError
from sw import families
from sw.families import checked
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.families.bestformer.options import BestformerOptions
from sw.families.bestformer.training import BestformerLearner
from sw.families.learner import Hooks
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import Qsnn
from sw.families.qsnn.options import QsnnOptions
from sw.families.qsnn.training import QsnnLearner
from sw.train.learner import hooks, make_learner
from tests.families.entries import other, trained

BEST = BestformerConfig(height=8, width=8, embed_dim=8, depth=1, heads=2, mlp_ratio=1, steps=1)
QSNN = QsnnConfig(widths=(4,), blocks=(1,), height=8, width=8)


def test_a_module_without_hooks_is_named(monkeypatch):
    family = other(training=trained(hooks="sw.families.qsnn.keys"))
    checked([family])
    with pytest.raises(SpikeloomError, match=r"other: sw\.families\.qsnn\.keys holds no HOOKS"):
        hooks(family)
    none = Hooks(network=None, learner=None)  # type: ignore[arg-type]
    monkeypatch.setattr("sw.families.qsnn.keys.HOOKS", none, raising=False)
    with pytest.raises(SpikeloomError, match=r"other: its hooks in .* have no network; state one"):
        hooks(family)


@pytest.mark.parametrize(
    ("options", "learner", "network"),
    [
        (BestformerOptions(config=BEST), BestformerLearner, Bestformer),
        (QsnnOptions(config=QSNN), QsnnLearner, Qsnn),
    ],
    ids=["bestformer", "qsnn"],
)
def test_the_family_is_that_of_the_configuration(options, learner, network):
    torch.manual_seed(0)
    made = make_learner(options)
    assert type(made) is learner
    assert type(made.model) is network
    assert made.model.config == options.config
    torch.manual_seed(0)
    again = make_learner(options).model.state_dict()
    assert all(torch.equal(t, again[name]) for name, t in made.model.state_dict().items())


def test_the_teacher_is_handed_on():
    def teacher(x):
        return torch.zeros(len(x)).long()

    made = make_learner(BestformerOptions(config=BEST), teacher)
    assert isinstance(made, BestformerLearner)
    assert made.teacher is teacher


def test_options_of_another_family_are_refused():
    message = (
        "Training: BestformerOptions hold the configuration of a Q-SNN, wanted options of that "
        "family; use QsnnOptions"
    )
    with pytest.raises(SpikeloomError) as error:
        make_learner(BestformerOptions(config=QSNN))
    assert str(error.value) == message


def test_hooks_of_the_real_families():
    for family, learner, network in (
        ("bestformer", BestformerLearner, Bestformer),
        ("qsnn", QsnnLearner, Qsnn),
    ):
        found = hooks(families.named(family, ""))
        assert (found.learner, found.network) == (learner, network)
