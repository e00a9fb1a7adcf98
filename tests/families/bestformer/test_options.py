"""Options of a BESTformer's run, and those of its teacher's."""

import dataclasses

import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.options import QsnnOptions
from sw.train import __main__
from tests.train.teachers import OPTIONS, TINY


def test_teacher_of_few_epochs_warms_up_too():
    options = BestformerOptions(epochs=50, teacher="train", teacher_epochs=3)
    assert options.of_teacher().warms == pytest.approx(0.6)


def test_options_of_a_trained_teacher():
    made = OPTIONS.of_teacher()
    changed = {"config", "teacher", "lr", "epochs", "warmup", "rounded", "teacher_epochs"}
    for field in {f.name for f in dataclasses.fields(made)} - changed:
        assert getattr(made, field) == getattr(OPTIONS, field)
    assert made.lr == pytest.approx(OPTIONS.lr / 5)
    assert (made.epochs, made.rounds, made.teacher) == (2, 0, "")
    assert dataclasses.replace(OPTIONS, teacher_epochs=1).of_teacher().warmup == 0


def test_networks_of_one_head_have_no_teacher():
    message = "teacher is 'train', wanted none: only a reversible BESTformer has a second head"
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(OPTIONS, config=dataclasses.replace(TINY, reversible=False))
    with pytest.raises(SpikeloomError, match=message):
        QsnnOptions(teacher="train")
    with pytest.raises(SpikeloomError, match="--teacher given, which --model qsnn does not have"):
        __main__.run(["--model", "qsnn", "--teacher", "train"])
    with pytest.raises(SpikeloomError, match=message):
        __main__.run(["--no-reversible", "--teacher", "train"])


def test_the_teacher_is_the_full_precision_counterpart():
    config = OPTIONS.of_teacher().config
    assert config == dataclasses.replace(TINY, binary=False, reversible=False)
    made = dataclasses.replace(OPTIONS, epochs=9, teacher_epochs=5, warmup=4).of_teacher()
    assert (made.epochs, made.warmup, made.teacher_epochs) == (5, 2, 0)
    assert dataclasses.replace(OPTIONS, epochs=9, warmup=3).of_teacher().warmup == 3


def test_what_is_not_said():
    options = BestformerOptions()
    assert (options.epochs, options.lr, options.weight_decay) == (50, 0.03, 0.06)
    assert options.untaught is None
