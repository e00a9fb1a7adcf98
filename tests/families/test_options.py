"""Options of a run: what they refuse, and what they mean where not given."""

import dataclasses

import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions
from tests.train.small import OPTIONS, TINY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0, wanted 1 or more; change --epochs"),
        ({"batch": 1}, "batch is 1, wanted 2 or more"),
        ({"lr": float("nan")}, "lr is nan, wanted a number above 0"),
        ({"label_smoothing": 1.0}, "wanted 0 up to below 1; change --label-smoothing"),
        ({"images": -1}, "images is -1, wanted 0 or more images; change --images"),
        ({"rounded": 4}, "rounded is 4, wanted 0 to 3 epochs; change --rounded"),
        ({"ema": 1.0}, "ema is 1.0, wanted 0 up to below 1"),
        ({"precision": "int8"}, "precision is 'int8', wanted one of float32, float16, bfloat16"),
        ({"teacher_epochs": -1}, "teacher_epochs is -1, .*change --teacher-epochs"),
        ({"validation": -1}, "validation is -1, wanted 0 or more images"),
    ],
)
def test_option_mistakes(change, message):
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(OPTIONS, **change)


@pytest.mark.parametrize(
    ("options", "rounds"),
    [
        (BestformerOptions(epochs=9), 0),
        (BestformerOptions(epochs=29), 2),
        (BestformerOptions(), 5),
        (BestformerOptions(rounded=0), 0),
        (BestformerOptions(rounded=50), 50),
        (BestformerOptions(config=dataclasses.replace(TINY, binary=False)), 0),
        (BestformerOptions(config=dataclasses.replace(TINY, reversible=False)), 0),
        (QsnnOptions(), 10),
        (QsnnOptions(config=QsnnConfig(regulated=False)), 0),
        (QsnnOptions(config=QsnnConfig(alpha=None)), 0),
    ],
)
def test_a_tenth_of_the_epochs_rounds_where_there_can_be_hardware(options, rounds):
    assert options.rounds == rounds


@pytest.mark.parametrize(
    ("data", "n", "held"),
    [("digits", 1437, 237), ("mnist", 60_000, 5000), ("cifar10", 20_000, 2000), ("mnist", 9, 0)],
)
def test_held_out_images(data, n, held):
    assert BestformerOptions(data=data).held_out(n) == held
    assert BestformerOptions(data=data, validation=4).held_out(n) == 4
