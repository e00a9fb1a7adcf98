"""The steps of a build: their names, and what each of them refuses."""

import dataclasses

import pytest

import boards
from boards.dies import DIES
from hw.arch import Config, SpikeloomError
from hw.build import NAMES, build
from tests.build.folders import files
from tests.synth.designs import echo


def test_model_that_does_not_fit(tmp_path):
    small = dataclasses.replace(boards.get("ulx3s"), config=Config(rows=8, col_depth=64))
    with pytest.raises(SpikeloomError, match="col"):
        build(small, output=tmp_path / "o")
    assert sorted(p.name for p in files(tmp_path / "o")) == [
        "load.json",
        "lower.json",
        "made.json",
        "model.json",
        "network.npz",
        "target.json",
    ]


def test_design_that_does_not_fit(tmp_path, monkeypatch):
    die = DIES["LFE5U-85F"]
    small = dataclasses.replace(die, resources={**die.resources, "ff": 10})
    monkeypatch.setitem(DIES, "LFE5U-85F", small)
    with pytest.raises(SpikeloomError, match=r"has 10 flip-flop, but this design needs \d+;"):
        build("ulx3s", output=tmp_path / "o", design=echo)
    assert not (tmp_path / "o" / "check.json").exists()


def test_step_names():
    assert NAMES == (
        "load",
        "lower",
        "compile",
        "elaborate",
        "synthesise",
        "check",
        "constrain",
        "route",
        "pack",
        "report",
        "page",
    )
