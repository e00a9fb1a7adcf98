"""Options of a run: what they refuse, and what they mean where not given."""

import dataclasses

import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions
from sw.train.schedule import learning_rate
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
    ("epochs", "warmup", "warms"),
    [
        (1, None, 0.2),
        (4, None, 0.8),
        (10, None, 2),
        (25, None, 5),
        (50, None, 5),
        (300, None, 5),
        (4, 5, 5),
        (4, 0, 0),
        (50, 1.5, 1.5),
    ],
)
def test_warmup_is_a_fifth_of_few_epochs_unless_given(epochs, warmup, warms):
    options = BestformerOptions(epochs=epochs, warmup=warmup)
    assert options.warms == pytest.approx(warms)
    assert options.to_json()["warmup"] == options.warms  # a state says what was done
    rates = [learning_rate(options, epochs * i / 1000) for i in range(1001)]
    if warms < epochs:
        assert max(rates) == pytest.approx(options.lr, rel=1e-2)
        assert rates[-1] == pytest.approx(0, abs=1e-9)
        assert rates.index(max(rates)) == pytest.approx(1000 * warms / epochs, abs=1)
    else:
        assert max(rates) < options.lr
    assert QsnnOptions(epochs=4).warms == 0


def test_teacher_of_few_epochs_warms_up_too():
    options = BestformerOptions(epochs=50, teacher="train", teacher_epochs=3)
    assert options.of_teacher().warms == pytest.approx(0.6)


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
