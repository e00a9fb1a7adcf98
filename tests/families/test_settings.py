"""Settings that no network can have: one bounded message each, whatever was given."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.families.settings import MOST_COUNT, Settings, per_channel
from sw.frontend.loader import SHIPPED
from tests.frontend.states import make_state

PATH = Path("x.pt")
MOST = 300  #: Characters of a message, its file's name included.
NUMBERS = ("map_theta", "mean", "std", "dt", "alpha")
FIELDS = (
    *("heads", "steps", "attention", "similarity", "membrane_bits", "strides", "image_size"),
    *NUMBERS,
)
LONG = "x" * 9000


def refused(field: str, value: object) -> str:
    with pytest.raises(SpikeloomError) as caught:
        Settings.merge(PATH, {}, **{field: value})
    message = str(caught.value)
    assert len(message) <= MOST, message
    assert message.startswith(f"{PATH}: {field.replace('_size', ' size')} must be "), message
    return message


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value",
    [10**400, 10**5000, -(10**400), float("inf"), float("nan"), Fraction(10**400), LONG],
    ids=["large", "unprintable", "negative", "infinite", "nan", "fraction", "long text"],
)
def test_absurd_values(field, value):
    assert "not " in refused(field, value)


@pytest.mark.parametrize("field", [f for f in FIELDS if f not in ("attention", "alpha")])
def test_long_lists(field):
    refused(field, [LONG] * 2)
    refused(field, [10**400] * 3)


@pytest.mark.parametrize("value", [10**400, LONG, None, "batch", {"b": 1.0}, 0, True, float("nan")])
def test_alpha_of_one_neuron(value):
    said = refused("alpha", {"lif": value})
    assert "alpha must be above 0 or 'batch', not " in said


def test_messages_quote_the_start_of_a_value():
    assert refused("mean", LONG).endswith(f"not '{'x' * 56}...")
    assert refused("steps", 0).endswith("whole number of 1 or more, not 0")
    assert refused("steps", MOST_COUNT + 1).endswith(f"at most {MOST_COUNT}, not {MOST_COUNT + 1}")
    assert refused("std", 10**5000).endswith("not a value of type int of 16610 bits")


@pytest.mark.parametrize(("what", "value"), [("mean", 3.0), ("std", -1.0)])
def test_as_many_values_as_there_are(what, value):
    with pytest.raises(SpikeloomError) as caught:
        per_channel(PATH, what, (value,) * 9000, 0.0, 3)
    assert len(str(caught.value)) <= 400


def test_what_a_network_can_have():
    told = Settings.merge(
        PATH,
        {"mean": 0, "std": [0.25, 1], "hp": {"T": 2, "num_bits_u": 4}, "height": 3, "width": 5},
        alpha={"lif": 2, "lif2": np.float32(0.5)},
        strides=2,
        heads=np.int64(4),
        dt=Fraction(1, 4),
    )
    assert told == Settings(
        mean=(0.0,),
        std=(0.25, 1.0),
        steps=2,
        membrane_bits=4,
        image_size=(3, 5),
        alpha={"lif": 2.0, "lif2": 0.5},
        strides=(2,),
        heads=4,
        dt=0.25,
    )
    assert all(type(v) is float for v in told.mean + told.std)
    assert Settings.merge(PATH, {}, alpha="batch").alpha == "batch"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("mean", "mean"),
        ("std", "std"),
        ("steps", "steps"),
        ("membrane_bits", "membrane_bits"),
        ("membrane_alpha", "alpha"),
        ("height", "image size"),
    ],
)
@pytest.mark.parametrize("value", [10**400, LONG, [10**400]], ids=["large", "text", "list"])
def test_beside_a_file(field, name, value, tmp_path):
    shutil.copy(SHIPPED / "digits-qsnn.safetensors", tmp_path / "x.safetensors")
    beside = json.loads((SHIPPED / "digits-qsnn.json").read_text(encoding="utf-8"))
    (tmp_path / "x.json").write_text(json.dumps(beside | {field: value}), encoding="utf-8")
    with pytest.raises(SpikeloomError) as caught:
        sw.load(tmp_path / "x.safetensors")
    message = str(caught.value).removeprefix(str(tmp_path))
    assert f"{name} must be " in message
    assert len(message) <= MOST


def test_a_long_name_beside_a_file(tmp_path):
    shutil.copy(SHIPPED / "digits-qsnn.safetensors", tmp_path / "x.safetensors")
    beside = json.loads((SHIPPED / "digits-qsnn.json").read_text(encoding="utf-8"))
    (tmp_path / "x.json").write_text(json.dumps(beside | {"name": LONG}), encoding="utf-8")
    assert sw.load(tmp_path / "x.safetensors").name == LONG[:100]


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (127.5, 0.5, "mean must be 0 to 1"),
        (0.5, 63.75, "std must be above 0 and at most 4"),
        (0.5, 0.0, "std must be above 0"),
        (-0.1, 0.5, "mean must be 0 to 1"),
        (0.5, -0.2, "std must be above 0"),
    ],
)
def test_normalisations_out_of_range(mean, std, words, tmp_path):
    np.savez(tmp_path / "a.npz", **make_state(0))
    with pytest.raises(SpikeloomError, match=words):
        sw.load(tmp_path / "a.npz", mean=mean, std=std)
