"""What a build asks of the software: files, descriptions, images of memories, accuracy."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

import sw
from hw.arch import Config
from hw.build import network
from hw.common.errors import SpikeloomError
from sw.compiler import Program
from sw.frontend.loader import SHIPPED
from sw.lower import choices


def test_source(tmp_path):
    assert network.source("digits") == SHIPPED / "digits.safetensors"
    mine = tmp_path / "a.npz"
    with pytest.raises(SpikeloomError) as e:
        network.source(str(mine))
    assert str(e.value) == f"model {str(mine)!r}: there is no file {mine}"
    mine.write_bytes(b"")
    assert network.source(str(mine)) == mine


def test_description(model, tmp_path):
    """What the side file tells comes before what the network holds; only what a report shows."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(model.read_bytes())
    side = {"test_accuracy": 0.5, "command": "train", "epochs": 9, "name": "other"}
    path.with_suffix(".json").write_text(json.dumps(side), encoding="utf-8")
    net = SimpleNamespace(
        name="its own", meta={"data": "mnist", "test_accuracy": 0.1, "split": "s", "rate": 1}
    )
    assert network.describe(net, path) == {
        "name": "its own",
        "source": "m.safetensors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "accuracy": {"data": "mnist", "split": "s", "test_accuracy": 0.5, "command": "train"},
    }
    assert network.describe(SimpleNamespace(name="x"), path)["accuracy"] == {
        "test_accuracy": 0.5,
        "command": "train",
    }


def test_network_and_program_of_files(tmp_path):
    net, config = sw.load("digits"), Config(rows=8)
    integer = net.lower()
    assert network.lower(net, False, tmp_path / "network.npz") == list(choices(integer))
    held = network.integer(tmp_path / "network.npz")
    wanted = integer.compile(config)
    network.compile_into(held, config, tmp_path)
    found = network.program(tmp_path / "program.npz")
    np.testing.assert_array_equal(found.words, wanted.words)
    np.testing.assert_array_equal(found.columns, wanted.columns)
    assert found.config == config
    text = (tmp_path / "program.txt").read_text(encoding="utf-8")
    assert text == wanted.disassemble()
    names = {p.name for p in (tmp_path / "images").iterdir()}
    assert names == {"prog.hex", *(f"col_{n:02}.hex" for n in range(config.cols))}
    assert isinstance(found, Program)


def test_stream_is_lowered_so(tmp_path):
    network.lower(sw.load("digits-qsnn"), True, tmp_path / "n.npz")
    assert network.integer(tmp_path / "n.npz").stream
    network.lower(sw.load("digits-qsnn"), False, tmp_path / "n.npz")
    assert not network.integer(tmp_path / "n.npz").stream


def test_fitted_is_as_deep_as_needed():
    net = sw.load("digits").lower()
    with pytest.raises(SpikeloomError, match="col_depth >= "):
        net.compile(Config(col_depth=64))
    config = network.fitted(net, Config(col_depth=64))
    assert net.compile(config).config == config


def test_images_as_readmemh_takes_them(tmp_path):
    """The high part of a word of several parts stands first."""
    program = SimpleNamespace(
        words=np.array([1, 0xDEADBEEF], np.uint32),
        columns=np.array([[[0xA, 0xB0000000]], [[2, 3]]], np.uint32),
    )
    network.write_images(program, tmp_path / "images")
    held = {p.name: p.read_text(encoding="utf-8") for p in (tmp_path / "images").iterdir()}
    assert held == {
        "prog.hex": "00000001\ndeadbeef\n",
        "col_00.hex": "b00000000000000a\n",
        "col_01.hex": "0000000300000002\n",
    }


class Net:
    """Stands in for an integer network: says that every image shows its first pixel."""

    stream = per_step_input = False
    channels, height, width = 1, 4, 4

    def __init__(self, **fields):
        self.parts = []
        self.__dict__.update(fields)

    def run(self, images):
        self.parts.append(len(images))
        return SimpleNamespace(predictions=images.reshape(len(images), -1)[:, 0].astype(int))


@pytest.fixture
def data(monkeypatch):
    """A data set of 25 images, the labels of 3 of which are not their first pixel."""
    images = np.zeros((25, 1, 4, 4), np.uint8)
    images[:, 0, 0, 0] = np.arange(25)
    labels = np.arange(25)
    labels[[2, 17, 24]] += 1
    found = SimpleNamespace(test_images=images, test_labels=labels)

    def load(name, size):
        if name != "mine":
            raise SpikeloomError(f"{name} is not here")
        assert size == 4
        return found

    monkeypatch.setattr(network, "load_data", load)
    monkeypatch.setattr(network, "BATCH", 10)
    return found


def accuracy(net, **known):
    notes = []
    value = network.accuracy({"accuracy": known}, "m.npz", lambda: net, notes.append)
    return value, notes


def test_accuracy_that_is_known_is_not_measured():
    known = {"accuracy": {"integer_test_accuracy": 0.5, "data": "mine"}}
    assert network.accuracy(known, "m", None, None) == {}


def test_accuracy_is_measured_on_all_images(data):
    net = Net()
    value, notes = accuracy(net, data="mine", test_accuracy=0.9)
    assert value == {
        "accuracy": {
            "data": "mine",
            "test_accuracy": 0.9,
            "integer_test_images": 25,
            "integer_test_accuracy": 1 - 3 / 25,
            "integer_test_wrong": 3,
        }
    }
    assert net.parts == [10, 10, 5]
    assert notes == ["golden model on 25 test images of mine"]


def test_accuracy_of_many_images_is_of_the_first(data, monkeypatch):
    monkeypatch.setattr(network, "MEASURED", 15)
    net = Net()
    value, _ = accuracy(net, data="mine")
    assert value["accuracy"]["integer_test_images"] == 15
    assert value["accuracy"]["integer_test_wrong"] == 1
    assert net.parts == [10, 5]


def test_images_without_channels_are_of_one(data):
    data.test_images = data.test_images[:, 0]
    assert accuracy(Net(), data="mine")[0]["accuracy"]["integer_test_wrong"] == 3


HOW = "python -m sw.agree m.npz measures it"


@pytest.mark.parametrize(
    ("fields", "known", "note"),
    [
        ({"stream": True}, {"data": "mine"}, "the network reads no still images"),
        ({"per_step_input": True}, {"data": "mine"}, "the network reads no still images"),
        ({}, {}, f"its data set is not named; {HOW} on --data NAME"),
        ({}, {"data": 3}, f"its data set is not named; {HOW} on --data NAME"),
        ({"width": 5}, {"data": "mine"}, f"images of 4x5 are not square; then {HOW}"),
        ({}, {"data": "other"}, f"other is not here; then {HOW}"),
        ({"channels": 3}, {"data": "mine"}, "images of mine have another shape"),
    ],
)
def test_why_accuracy_is_not_measured(fields, known, note, data):
    net = Net(**fields)
    assert accuracy(net, **known) == ({"integer_accuracy_note": f"not measured: {note}"}, [])
    assert net.parts == []


def test_measurable(monkeypatch):
    asked = []
    monkeypatch.setattr(network, "is_present", lambda source: asked.append(source.name) or True)
    assert network.measurable({"accuracy": {"data": "mnist"}}) is True
    assert asked == ["mnist"]
    for known in ({}, {"accuracy": {}}, {"accuracy": None}, {"accuracy": {"data": "none"}}):
        assert network.measurable(known) is False
    monkeypatch.setattr(network, "is_present", lambda source: False)
    assert network.measurable({"accuracy": {"data": "mnist"}}) is False
