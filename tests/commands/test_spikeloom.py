"""The command that has all others: help, version, wrong names, and what it passes on."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spikeloom
from spikeloom import __main__ as face
from spikeloom.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]
#: A wrong use of each command that needs no file.
WRONG = ["--no-such-option"]


def start(*words: str, code: str, cwd: Path, path: Path = ROOT):
    """What the installed command ``spikeloom`` does, with ``code`` after it; JSON of its last line.

    The current folder is never in the path, and ``path`` holds our packages.
    """
    text = (
        f"import json, sys\nsys.argv[:] = ['/usr/bin/spikeloom', *{list(words)!r}]\n"
        "from spikeloom.__main__ import main\n"
        f"try:\n    status = main()\nexcept SystemExit as end:\n    status = end.code\n{code}"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", text],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_has_a_line_for_each_command(word, capsys):
    assert main([word]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, (module, text) in COMMANDS.items():
        assert lines.count(f"  {name:<10}{text}") == 1, module
        assert len(f"  {name:<10}{text}") <= 80
    wanted = "build train run compile convert agree data host card".split()
    assert set(wanted) <= set(COMMANDS)


def test_version_is_the_one_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"spikeloom {spikeloom.__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", spikeloom.__version__)


@pytest.mark.parametrize("word", ["--help", "--version", "biuld"])
def test_nothing_heavy_is_imported_to_tell_about_itself(word, tmp_path):
    code = "print(json.dumps(sorted(sys.modules)))"
    loaded, _ = start(word, code=code, cwd=tmp_path)
    ours = {name for name in loaded if name.split(".")[0] in spikeloom.PACKAGES}
    assert ours <= {
        "hw",
        "hw.common",
        "hw.common.cli",
        "hw.common.errors",
        "spikeloom",
        "spikeloom.__main__",
    }
    assert not {"numpy", "amaranth", "torch", "numba", "rich", "importlib.metadata"} & set(loaded)


def test_only_the_command_that_is_asked_for_is_imported(tmp_path):
    code = "print(json.dumps(sorted(sys.modules)))"
    loaded, _ = start("compile", "--help", code=code, cwd=tmp_path)
    assert "sw.compiler.__main__" in loaded
    others = {module for name, (module, _) in COMMANDS.items() if name != "compile"}
    assert not others & set(loaded)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "spikeloom: error: a command is missing"),
        (["biuld"], "no command 'biuld'; did you mean build? "),
        (["comp"], "no command 'comp'; did you mean compile"),
        (["Train"], "no command 'Train'; did you mean train? "),
        (["x" * 5000], f"no command '{'x' * 40}'; spikeloom --help lists all\n"),
        (["--no-such-option"], "no command '--no-such-option'; spikeloom --help lists all\n"),
    ],
)
def test_unknown_commands_are_wrong_usage(words, said, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/spikeloom", *words])
    assert main() == 2
    got = capsys.readouterr()
    assert got.out == ""
    assert said in got.err
    assert got.err.startswith("usage: spikeloom ")


@pytest.mark.parametrize(
    "name", [n for n, (module, _) in COMMANDS.items() if module != "hw.arch.manual"]
)
@pytest.mark.parametrize(
    ("first", "called"),
    [("/usr/bin/spikeloom", "spikeloom"), ("spikeloom/__main__.py", "python -m spikeloom")],
)
def test_usage_reads_as_the_user_typed(name, first, called, monkeypatch, capsys, need):
    if name in ("train", "ablation"):
        need(importlib.util.find_spec("torch"), "torch")
    argv = [first, name, *WRONG]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert sys.argv is argv
    text = capsys.readouterr().err
    assert text.startswith(f"usage: {called} {name} ")
    assert f"\n{called} {name}: error: " in text


def test_a_subcommands_usage_too(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spikeloom", "host", "--port", "x", "infer"])
    with pytest.raises(SystemExit):
        main()
    assert "spikeloom host infer: error: " in " ".join(capsys.readouterr().err.split())


def test_statuses_are_the_commands_own(monkeypatch, capsys):
    assert main(["compile", "/nowhere/x.pt"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    monkeypatch.setattr("sw.compiler.__main__.main", lambda: 3)
    assert main(["compile"]) == 3

    def interrupted(self, *args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.undo()
    monkeypatch.setattr("argparse.ArgumentParser.parse_args", interrupted)
    assert main(["agree"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_interrupted_while_a_command_is_imported(monkeypatch, capsys):
    def interrupted(module):
        raise KeyboardInterrupt

    monkeypatch.setattr(face.importlib, "import_module", interrupted)
    assert main(["build"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_tools_of_the_repository(tmp_path, monkeypatch, capsys):
    """From any folder of a checkout's user; where there is no checkout it says where they are."""
    (tmp_path / "benchmarks.py").write_text("raise SystemExit('own')", encoding="utf-8")
    status, done = start("card", "nothing", code="print(json.dumps(status))", cwd=tmp_path)
    assert status == 1
    assert "No shipped network is called 'nothing'" in done.stderr
    monkeypatch.setattr(face, "ROOT", str(tmp_path))
    for name in ("card", "ablation"):
        assert main([name, "--help"]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {name} is a tool of the repository, ")
        assert "clone https://github.com/spikeloom/spikeloom" in said


def test_a_tool_is_found_by_an_installation_in_place(monkeypatch, capsys):
    """Which knows the shipped packages alone, not the root of the checkout."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if Path(p).resolve() != ROOT])
    with pytest.raises(SystemExit) as end:
        main(["card", "--help"])
    assert end.value.code == 0
    assert "NAME" in capsys.readouterr().out
    assert sys.path[0] == str(ROOT)


@pytest.mark.parametrize("module", ["sim.card", "sw.train.ablation"])
def test_first_names_of_the_tools_stay(module):
    name = module.rpartition(".")[2]
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m spikeloom {name} ")


def test_python_m_stays_and_is_named_so():
    done = subprocess.run(
        [sys.executable, "-m", "sw.compiler", *WRONG],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m sw.compiler ")
