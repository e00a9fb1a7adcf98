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


def test_json_holds_every_option():
    fields = OPTIONS.to_json()
    assert fields.keys() == {f.name for f in dataclasses.fields(OPTIONS)}
    assert fields["config"] == TINY.to_json()
    assert (fields["seed"], fields["warmup"], fields["rounded"]) == (7, 1, None)


def test_differences_are_told_by_name():
    other = dataclasses.replace(
        OPTIONS, lr=0.5, warmup=None, config=dataclasses.replace(TINY, heads=4)
    )
    assert OPTIONS.differences(OPTIONS.to_json()) == []
    found = other.differences(OPTIONS.to_json())
    assert sorted(found) == ["heads: 2 -> 4", "lr: 0.03 -> 0.5", "warmup: 1 -> 0.6"]
    older = OPTIONS.to_json()
    del older["ema"]
    assert OPTIONS.differences(older | {"gone": 3}) == ["ema: None -> 0.0", "gone: 3 -> None"]


@pytest.mark.parametrize(
    "change",
    [
        {"images": 0},
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"epochs": 1},
        {"rounded": 0},
        {"rounded": 3},
        {"batch": 2},
        {"warmup": 0},
        {"weight_decay": 0},
        {"label_smoothing": 0},
        {"augment": 0},
        {"ema": 0},
        {"validation": 0},
    ],
    ids=str,
)
def test_ends_of_the_ranges_are_in_them(change):
    ((name, value),) = change.items()
    assert getattr(dataclasses.replace(OPTIONS, **change), name) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed is -1, wanted 0 to 2..63 - 1; change --seed"),
        ({"seed": 2**63}, "seed is 9223372036854775808, wanted 0 to"),
        ({"lr": 0.0}, "lr is 0.0, wanted a number above 0"),
        ({"rounded": -1}, "rounded is -1, wanted 0 to 3 epochs"),
        ({"warmup": -0.5}, "warmup is -0.5, wanted 0 or more epochs"),
        ({"warmup": float("inf")}, "warmup is inf, wanted"),
        ({"weight_decay": -1e-9}, "weight_decay is -1e-09, wanted 0 up; change --weight-decay"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1, wanted"),
        ({"augment": float("nan")}, "augment is nan, wanted 0 or more"),
        ({"ema": -0.1}, "ema is -0.1, wanted 0 up to below 1"),
    ],
)
def test_values_beyond_the_ends(change, message):
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(OPTIONS, **change)


def test_families_without_a_teacher_say_so():
    with pytest.raises(NotImplementedError, match="QsnnOptions has no teacher"):
        QsnnOptions().of_teacher()
