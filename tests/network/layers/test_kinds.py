"""The table of layer kinds, and the wrong entries that its check names."""

import dataclasses
import pathlib

import pytest

from hw.common.errors import SpikeloomError
from sw.network import layers
from sw.network.layers import BinaryLayer, SpikePool, kinds
from sw.network.layers.base import LaneLayer


def test_every_file_has_its_kind():
    here = pathlib.Path(layers.__file__).parent
    files = {p.stem for p in here.glob("*.py")} - {"__init__", "base", "kinds"}
    assert {kind.__module__.rpartition(".")[2] for kind in kinds.KINDS} == files
    assert len(kinds.KINDS) == len(files)


def test_kinds_have_the_names_of_their_classes():
    assert kinds.layer_kinds() == {kind: kind.__name__ for kind in kinds.KINDS}


def refused(monkeypatch, wrong, message):
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, wrong))
    with pytest.raises(SpikeloomError, match=message):
        kinds.layer_kinds()


def test_a_kind_that_is_an_object(monkeypatch):
    refused(monkeypatch, SpikePool(name="a", source="b"), "layer kind SpikePool.*: is no Layer")


def test_a_kind_that_inherits_its_fields_only(monkeypatch):
    """Its own fields would be missing in files."""
    refused(monkeypatch, type("Plain", (SpikePool,), {}), "layer kind Plain: is no dataclass")


def test_two_kinds_of_a_name(monkeypatch):
    other = dataclasses.dataclass(frozen=True, kw_only=True)(type("Head", (SpikePool,), {}))
    refused(monkeypatch, other, "layer kind Head: is in the table twice; give one another name")


def test_everything_that_lacks_is_named(monkeypatch):
    lacks = {"reads": layers.Layer.reads, "shapes": layers.Layer.shapes}
    part = dataclasses.dataclass(frozen=True, kw_only=True)(type("Part", (SpikePool,), lacks))
    refused(monkeypatch, part, "layer kind Part: has no reads, shapes; state it")


def test_lanes_need_sums_where_they_are_used(monkeypatch):
    """A golden function of its own needs none."""
    changes = {"sums": LaneLayer.sums}
    part = dataclasses.dataclass(frozen=True, kw_only=True)(type("Part", (BinaryLayer,), changes))
    own = {**changes, "golden": lambda self, run, tensors: {}}
    free = dataclasses.dataclass(frozen=True, kw_only=True)(type("Free", (BinaryLayer,), own))
    monkeypatch.setattr(kinds, "KINDS", (free,))
    assert kinds.layer_kinds() == {free: "Free"}
    refused(monkeypatch, part, "layer kind Part: has no sums; state it")
