"""``python -m sw.data``."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hw.common.errors import SpikeloomError
from sw.data import NAMES, __main__, load

REPO = Path(__file__).resolve().parents[2]


def test_own_folder_without_a_file(small, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    assert __main__.main(["fetch", "mnist", "--data-dir", str(tmp_path / "mine")]) == 1
    said = capsys.readouterr().err
    assert "train-images-idx3-ubyte or train-images-idx3-ubyte.gz is neither in" in said
    assert "run python -m sw.data fetch mnist" in said
    with pytest.raises(SpikeloomError, match="is no folder"):
        load("mnist", data_dir=tmp_path / "none")


def test_command(small, web, capsys):
    small.offer("a")
    assert __main__.main(["list"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:-1]] == list(NAMES)
    assert " no " in next(line for line in said.splitlines() if line.startswith("mnist"))
    assert __main__.main(["fetch", "mnist", "digits"]) == 0
    done = capsys.readouterr()
    assert f"mnist: fetched, whole in {small.folder}\n" in done.out
    assert "digits: lies inside scikit-learn, nothing to fetch\n" in done.out
    assert done.err == ""  # no terminal, no bar
    assert __main__.main(["fetch", "mnist"]) == 0
    said = capsys.readouterr().out
    assert said == f"mnist: was whole already in {small.folder}, nothing fetched\n"
    assert __main__.main(["list", "mnist"]) == 0
    assert " yes " in capsys.readouterr().out


def test_sequences(pip, capsys):
    def listed():
        assert __main__.main(["list", "vowels"]) == 0
        return capsys.readouterr().out.splitlines()[1].split()[:7]

    assert listed() == ["vowels", "4", "3", "Tx2x1x1", "0", "MB", "no"]
    assert __main__.main(["fetch", "vowels"]) == 0
    assert "vowels: fetched, whole in " in capsys.readouterr().out
    assert listed()[-1] == "yes"


def test_bar_on_a_terminal(small, web, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    small.offer("a")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert __main__.main(["fetch", "mnist"]) == 0
    assert "100%" in sys.stderr.getvalue()


def test_command_with_a_mistake(small, capsys, tmp_path):
    assert __main__.main(["fetch", "minst"]) == 1
    assert capsys.readouterr().err.startswith("error: Data set 'minst' is not known")
    assert __main__.main(["fetch", "mnist"]) == 1
    assert "HTTP status 404" in capsys.readouterr().err
    assert __main__.main(["list", "--data-dir", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert __main__.main(["fetch", "mnist", "--mirror", "here"]) == 1
    assert "begins with http://" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["get"],
        ["fetch"],
        ["list", "--mirror", "http://x/"],
        ["fetch", "mnist", "--mirror", "http://x/", "--data-dir", "."],
    ],
)
def test_wrong_usage(argv, capsys):
    with pytest.raises(SystemExit) as e:
        __main__.main(argv)
    assert e.value.code == 2
    assert "usage: python -m sw.data" in capsys.readouterr().err


def test_interrupted(small, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "fetch", stop)
    assert __main__.main(["fetch", "mnist"]) == 130
    assert capsys.readouterr().err.startswith("interrupted; the same command goes on")


def test_needs_neither_torch_nor_tonic():
    """What the command and the idx and CIFAR files need is numpy and tqdm."""
    code = (
        "import sys, sw.data, sw.data.__main__; sw.data.__main__.main(['list']); "
        "sys.exit(bool({'torch', 'tonic', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
