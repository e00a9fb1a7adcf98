"""What the configurations of all families check and read alike."""

import math
from dataclasses import dataclass

import pytest

from hw.common.errors import SpikeloomError
from sw.families.fields import own_fields, per_channel


class RefusedError(Exception):
    """With field, got, wanted, cure."""


def refuse(*told):
    raise RefusedError(*told)


@pytest.mark.parametrize("field", ["mean", "std"])
@pytest.mark.parametrize(
    ("got", "channels", "values"),
    [
        (0.5, 1, (0.5,)),
        (1, 3, (1.0, 1.0, 1.0)),
        ([0.25], 2, (0.25, 0.25)),
        ((0.25, 0.5, 2), 3, (0.25, 0.5, 2.0)),
    ],
)
def test_one_number_stands_for_all_channels(field, got, channels, values):
    found = per_channel(field, got, channels, refuse)
    assert found == values
    assert all(type(v) is float for v in found)


@pytest.mark.parametrize(
    ("field", "got", "channels", "wanted"),
    [
        ("mean", (0.1, 0.2), 3, "3 numbers, one per channel"),
        ("mean", (0.1, 0.2), 1, "1 numbers, one per channel"),
        ("mean", (), 1, "1 numbers, one per channel"),
        ("mean", math.nan, 1, "finite numbers"),
        ("std", (1.0, math.inf), 2, "finite numbers"),
        ("mean", "0.5", 1, "finite numbers"),
        ("mean", None, 1, "finite numbers"),
        ("std", 0.0, 2, "numbers above 0"),
        ("std", (0.5, -0.5), 2, "numbers above 0"),
    ],
)
def test_numbers_that_are_refused(field, got, channels, wanted):
    with pytest.raises(RefusedError) as error:
        per_channel(field, got, channels, refuse)
    assert error.value.args == (field, got, wanted, "correct it")


def test_a_mean_may_be_zero_or_below():
    assert per_channel("mean", (0.0, -0.5), 2, refuse) == (0.0, -0.5)


@dataclass
class Sizes:
    height: int = 1
    width: int = 2
    binary: bool = True


def test_own_fields_are_taken_and_others_left():
    fields = {"model": "net", "width": 5, "seconds": 3, "height": 4, "binary": False}
    found = own_fields(Sizes, fields, "net", "a.json")
    assert found == {"height": 4, "width": 5, "binary": False}
    assert list(found) == ["height", "width", "binary"]


def test_optional_fields_may_be_missing():
    fields = {"model": "net", "height": 4, "width": 5}
    assert own_fields(Sizes, fields, "net", "a.json", ("binary",)) == {"height": 4, "width": 5}
    with pytest.raises(SpikeloomError, match=r"^a\.json: lacks binary; add the fields that sw"):
        own_fields(Sizes, fields, "net", "a.json")
    with pytest.raises(SpikeloomError, match="lacks height, width; "):
        own_fields(Sizes, {"model": "net"}, "net", "a.json", ("binary",))


@pytest.mark.parametrize("model", [{"model": "other"}, {}])
def test_the_model_comes_first(model):
    got = repr(model.get("model"))
    with pytest.raises(SpikeloomError, match=rf"^b\.json: model is {got}, wanted 'net'; give a"):
        own_fields(Sizes, model, "net", "b.json")
