"""The source is clean."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(tool, *arguments):
    return subprocess.run(
        [sys.executable, "-m", tool, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_ruff(need):
    need(shutil.which("ruff", path=str(Path(sys.executable).parent)), "ruff")
    done = run("ruff", "check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout


def test_format(need):
    need(shutil.which("ruff", path=str(Path(sys.executable).parent)), "ruff")
    done = run("ruff", "format", "--check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout


def test_pyright(need):
    need(shutil.which("pyright", path=str(Path(sys.executable).parent)), "pyright")
    done = run("pyright", "--pythonpath", sys.executable)
    assert done.returncode == 0, done.stdout
