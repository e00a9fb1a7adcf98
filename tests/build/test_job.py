"""What one build is about: its board, model and design, and what its steps have left."""

import dataclasses
import json

import pytest

import boards
import sw
from hw.arch import Config
from hw.build.job import Job, board_design
from hw.build.pipeline import Event
from hw.common.errors import SpikeloomError
from hw.soc.top import Top
from hw.targets.ecp5 import Ecp5
from hw.targets.target import Pin
from hw.targets.xc7 import Xc7
from sw.frontend.loader import SHIPPED


@pytest.fixture
def job(tmp_path):
    """A build of the digits for the Arty, which tells its events to ``told``."""
    told = []
    job = Job(boards.get("arty_a7"), "digits", tmp_path, told.append)
    job.told = told
    return job


@pytest.mark.parametrize(("name", "primitives"), [("arty_a7", "xc7"), ("ulx3s", "ecp5")])
def test_design_of_a_board(name, primitives):
    board = dataclasses.replace(boards.get(name), core_clock=48_000_000, config=Config(rows=8))
    program = object()
    design = board_design(board, program)
    assert isinstance(design, Top)
    assert (design.config, design.clk_freq) == (Config(rows=8), 48_000_000)
    assert (design.program, design.primitives) == (program, primitives)


def test_defaults(job):
    assert job.design is board_design
    assert (job.stream, job.fit) == (False, False)


def test_board_and_model(job):
    assert job.board is job.given
    assert job.source == SHIPPED / "digits.safetensors"
    assert job.network.name == "digits"
    assert job.network is job.network
    job.model = "no/such.npz"
    assert job.source.name == "digits.safetensors"  # found once
    with pytest.raises(SpikeloomError, match="there is no file"):
        _ = dataclasses.replace(job).source


@pytest.mark.parametrize(("name", "kind"), [("arty_a7", Xc7), ("ulx3s", Ecp5)])
def test_target(job, name, kind):
    job.given = boards.get(name)
    assert type(job.target) is kind
    assert job.target.board is job.given


def test_fitted_board(job, tmp_path):
    """The core is as deep as the network of the step 'lower' needs; all else is the board's."""
    net = sw.load("digits").lower()
    small = dataclasses.replace(job.given, config=Config(col_depth=64))
    job.given, job.fit = small, True
    with pytest.raises(SpikeloomError, match=r"network\.npz"):
        _ = job.board
    net.save(tmp_path / "network.npz")
    config = job.board.config
    assert job.board == dataclasses.replace(small, config=config)
    assert config.col_depth > 64
    program = net.compile(config)
    program.save(tmp_path / "program.npz")
    assert job.integer().name == "digits"
    assert job.program().config == config


def test_notes_are_events(job):
    job.note("lower", "so it is")
    assert job.told == [Event("lower", "note", "so it is")]


def test_outputs_are_brought(job, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"of {name}", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    job.bring(work, "a", "c")
    assert {p.name: p.read_text(encoding="utf-8") for p in work.iterdir()} == {
        "a": "of a",
        "c": "of c",
    }


def test_netlist(job, tmp_path):
    module = {"attributes": {"top": "1"}, "ports": {}, "netnames": {}, "cells": {}}
    (tmp_path / "top.json").write_text(json.dumps({"modules": {"t": module}}), encoding="utf-8")
    assert job.netlist().name == "t"


def test_pins_and_clocks_are_as_they_were_written(job, tmp_path):
    held = {
        "pins": [
            {"port": "a__io", "pin": "E3", "attributes": [["IO", "3V3"], ["PULL", "UP"]]},
            {"port": "b__io", "pin": "A1", "attributes": []},
        ],
        "clocks": [["a__io", 100e6]],
    }
    (tmp_path / "pins.json").write_text(json.dumps(held), encoding="utf-8")
    assert job.read("pins.json") == held
    assert job.elaborated() == (
        (Pin("a__io", "E3", (("IO", "3V3"), ("PULL", "UP"))), Pin("b__io", "A1", ())),
        (("a__io", 100e6),),
    )
