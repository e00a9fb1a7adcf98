"""What `hw.build.build` is asked for: cores, folders, models."""

import dataclasses

import pytest

import boards
from hw.arch import Config, SpikeloomError
from hw.build import build, default_folder


def test_config_reaches_the_core_and_the_report(model, tmp_path):
    build("arty_a7", model, tmp_path / "o", last="compile", config="col_depth=2048")
    from sw.compiler import Program

    want = dataclasses.replace(boards.get("arty_a7").config, col_depth=2048)
    assert Program.load(tmp_path / "o" / "program.npz").config == want
    with pytest.raises(SpikeloomError, match="has no field 'depth'; give NAME=VALUE"):
        build("arty_a7", model, tmp_path / "p", config="depth=1")


def test_fit_makes_memories_deeper(model, tmp_path):
    small = dataclasses.replace(boards.get("arty_a7"), config=Config(col_depth=64))
    with pytest.raises(SpikeloomError, match="col_depth >= "):
        build(small, model, tmp_path / "a", last="compile")
    build(small, model, tmp_path / "a", last="compile", fit=True)


def test_default_folders_hold_board_and_model(tmp_path):
    assert default_folder("arty_a7", "digits").as_posix() == "build/arty_a7/digits"
    assert default_folder("ulx3s", "a/b/x.weights.npz").as_posix() == "build/ulx3s/x"
    assert default_folder("ulx3s", tmp_path / "x.pth.tar").as_posix() == "build/ulx3s/x"


def test_another_model_is_refused_in_a_folder(model, tmp_path):
    build("arty_a7", model, tmp_path / "o", last="load")
    before = (tmp_path / "o" / "model.json").read_bytes()
    with pytest.raises(SpikeloomError, match=r"holds the build of model .*net\.safetensors, board"):
        build("arty_a7", "digits", tmp_path / "o", last="load")
    with pytest.raises(SpikeloomError, match="holds the build of"):
        build("ulx3s", model, tmp_path / "o", last="load")
    assert (tmp_path / "o" / "model.json").read_bytes() == before
