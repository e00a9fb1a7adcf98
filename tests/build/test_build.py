"""What `hw.build.build` is asked for: cores, folders, models."""

import dataclasses

import pytest

import boards
from hw.arch import Config, SpikeloomError
from hw.build import build, default_folder
from hw.build import job as job_module
from hw.build.__main__ import main
from hw.build.job import Job, board_design
from hw.build.steps import make_report
from hw.common.files import write_json
from sw.frontend.loader import DEFAULT
from tests.synth.designs import echo


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


@pytest.mark.parametrize(
    ("board", "mhz", "file", "line"),
    [
        ("arty_a7", "85", "build_openxc7.sh", "--freq 85 "),
        ("arty_a7", 62.5, "top.v", ".CLKOUT0_DIVIDE(32'd16)"),
        ("ulx3s", 75, "top.v", '(* FREQUENCY_PIN_CLKOP = "75.0" *)'),
    ],
)
def test_clock_reaches_pll_scripts_report_and_host(board, mhz, file, line, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(job_module, "Top", lambda config, **facts: told.append(facts))

    def design(found, program):
        board_design(found, program)  # tells the host and the UART
        return echo(found, program)

    out, hz = tmp_path / "o", int(float(mhz) * 1e6)
    build(board, DEFAULT, out, last="constrain", design=design, clock=mhz)
    assert told[0]["clk_freq"] == hz
    assert line in (out / file).read_text(encoding="utf-8")
    job = Job(dataclasses.replace(boards.get(board), core_clock=hz), DEFAULT, out, print, design)
    write_json(out / "route.json", {"routed": False, "reason": "not here"})
    report = make_report(job)
    assert report["board"]["clock_hz"] == hz
    assert report["timing"]["clock_mhz"] == float(mhz)
    assert report["cycles"]["latency_ms"] == round(report["cycles"]["total"] / hz * 1e3, 4)


@pytest.mark.parametrize(
    ("mhz", "why"),
    [
        (76, None),
        (83.1, "makes 82.8125 MHz or 84 MHz, but core_clock is 83.1 MHz; give what it makes"),
        (7.5, None),
        (900, "the PLL makes 800 MHz, but core_clock is 900 MHz"),
        ("80 MHz", "clock '80 MHz' is no number; give it in MHz: --clock 80"),
        ("1/0", "clock '1/0' is no number"),
        ("1e400", "clock 1e400 MHz is faster than any PLL"),
        (0, "clock 0 MHz: a clock has a positive whole number of Hz"),
        (-50, "clock -50 MHz: a clock has a positive"),
        ("80.0000001", "clock 80.0000001 MHz: a clock has a positive whole number of Hz"),
    ],
)
def test_a_clock_that_cannot_be_is_refused_before_anything(mhz, why, model, tmp_path):
    if why is None:
        build("arty_a7", model, tmp_path / "o", last="load", clock=mhz)
        return
    with pytest.raises(SpikeloomError) as e:
        build("arty_a7", model, tmp_path / "o", last="load", clock=mhz)
    assert why in str(e.value)
    assert not (tmp_path / "o").exists()


def test_the_clock_of_the_command_line(model, tmp_path, capsys):
    assert main(["--board", "ulx3s", "--output", str(tmp_path), "--clock", "75.1"]) == 1
    assert "but core_clock is 75.1 MHz; give what it makes" in capsys.readouterr().err
