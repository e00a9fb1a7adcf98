"""``python -m hw.build``."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import boards
from hw.build import __main__, build
from sw.frontend.loader import DEFAULT, shipped
from tests.build.folders import files

ROOT = Path(__file__).resolve().parents[2]


def run(capsys, *argv):
    status = __main__.main(list(argv))
    return status, capsys.readouterr()


def test_unknown_board_lists_the_known(capsys, tmp_path):
    status, said = run(capsys, "--board", "artie", "--output", str(tmp_path / "o"))
    assert status == 1
    known = ", ".join(boards.NAMES)
    assert said.err == f"error: unknown board 'artie'; known boards: {known}\n"
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
