"""``sw.agree`` measures on the network's own data set, and tells how far it is."""

import dataclasses
import json

import pytest

import sw
from sw.agree import Reference, command, data_split, main, measure
from sw.frontend.loader import SHIPPED, shipped

pytest.importorskip("torch")


@pytest.mark.parametrize("name", shipped())
def test_own_data_set(name):
    fields = json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))
    assert command._own(sw.load(name)) == fields["data"]


@pytest.mark.parametrize("meta", [{}, {"data": "a set of my own"}])
def test_digits_where_it_names_no_known_one(meta):
    assert command._own(dataclasses.replace(sw.load("digits"), meta=meta)) == "digits"


def test_own_data_set_that_is_not_there(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    assert main(["mnist-tiny"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: mnist: ")
    assert said.err.endswith("; run python -m sw.data fetch mnist\n")


def test_images_are_counted_and_batches_change_nothing(monkeypatch):
    """Each image once in the float network and once in the integer one, in parts of any size."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(measure, "LOCAL_IMAGES", 64)
    net = sw.load("digits-qsnn")
    split = data_split(net, "digits")
    told = []
    reference = Reference(net, split.images, split.labels, tell=told.append)
    assert told == [64, 64, 64, 64, 64, 40]
    got = reference.compare(net.lower())
    assert sum(told) == 2 * 360
    fields = json.loads((SHIPPED / "digits-qsnn.json").read_text(encoding="utf-8"))
    assert got.images == 360
    assert got.integer_accuracy == pytest.approx(fields["integer_test_accuracy"], abs=1e-9)
    assert got.agreement == pytest.approx(fields["equal_predictions"], abs=1.5 / 360)
