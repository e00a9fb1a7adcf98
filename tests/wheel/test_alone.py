"""The repository and its wheel stand alone."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".md", ".toml", ".json", ".sv", ".v", ".cpp", ".yml", ".sh", ""}


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = done.stdout.decode().split("\0") if done.returncode == 0 else []
    found = [ROOT / n for n in names if n] or [p for p in ROOT.rglob("*") if p.is_file()]
    tops = {
        ".git",
        ".venv",
        "build",
        "dist",
        "runs",
        "spikeloom.egg-info",
        ".hypothesis",
        ".pytest_cache",
        ".ruff_cache",
    }
    parts = {p: p.relative_to(ROOT).parts for p in found}
    return [
        p
        for p in found
        if p.is_file() and parts[p][0] not in tops and "__pycache__" not in parts[p]
    ]


def test_nothing_outside_the_repository_is_read():
    """No path to a folder beside the checkout, and no climb above its root."""
    beside = re.compile(r"\.\./shared|\bshared/(fixtures|cases|spec)|[\"']shared[\"']\s*/|/work/")
    climb = re.compile(r"parents\[(\d)\](\.parent)*")
    wrong = []
    for path in tracked():
        if path.suffix not in TEXT or path == Path(__file__).resolve():
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        depth = len(path.relative_to(ROOT).parts) - 1
        wrong += [f"{path}: {m[0]}" for m in beside.finditer(text)]
        for m in climb.finditer(text) if path.suffix == ".py" else ():
            if int(m[1]) + m[0].count(".parent") > depth:
                wrong.append(f"{path}: {m[0]}")
    assert not wrong, "\n".join(wrong)


def test_readmes_name_every_stored_file():
    for folder in (ROOT / "tests/data", ROOT / "tests/data/cases"):
        said = (folder / "README.md").read_text(encoding="utf-8")
        for path in folder.iterdir():
            if path.is_file() and path.name != "README.md":
                stem = path.name.split(".")[0]
                assert f"`{stem}`" in said or f"`{stem}." in said, path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: setuptools leaves folders behind where it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for path in tracked():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            str(folder),
            str(source),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_holds_the_packages_and_their_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {n.split("/")[0] for n in names if ".dist-info/" not in n}
    assert tops == {"hw", "sw", "sim", "boards", "spikeloom"}
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if name.split("/")[0] in tops:
            assert name in names, name


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Run a command of the wheel, installed in a folder, from another one."""
    target, where = tmp_path_factory.mktemp("target"), tmp_path_factory.mktemp("elsewhere")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            str(target),
            str(wheel),
        ],
        check=True,
        capture_output=True,
    )

    def run(*arguments):
        import os

        env = {**os.environ, "PYTHONPATH": str(target)}
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=where,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_wheel_compiles_and_builds_elsewhere(installed):
    assert "of the peak" in installed("sw.compiler", "mnist-tiny")
    out = installed("hw.build", "--board", "arty_a7", "--model", "mnist-tiny", "--to", "compile")
    assert "results:" in out


@pytest.mark.slow
def test_the_wheel_synthesises_and_simulates_elsewhere(installed):
    """Minutes: ``pytest -m slow tests/wheel``."""
    installed("hw.build", "--board", "arty_a7", "--model", "mnist-tiny", "--to", "synthesise")
    assert "no mismatch" in installed("sim.run", "mnist-tiny")
