"""The repository and its wheel stand alone."""

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import spikeloom

#: Packages of the wheel, and folders of theirs that only the repository has.
SHIPPED = {"hw", "sw", "sim", "boards", "spikeloom"}
LEFT_OUT = ("sim/card/", "sw/train/ablation/")
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


def test_hooks_run_installed_tools_only():
    """What `pre-commit` runs is fetched from nowhere, and the extra `test` installs it."""
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"[\[>]", need)[0] for need in project["optional-dependencies"]["test"]}
    assert re.findall(r"repo: (.*)", text) == ["local"]
    hooks = re.findall(r"- id: (.*)", text)
    assert hooks == ["ruff-format", "ruff-check", "pyright"]
    assert re.findall(r"language: (.*)", text) == ["system"] * len(hooks)
    tools = {entry.split()[0] for entry in re.findall(r"entry: (.*)", text)}
    assert tools == {"ruff", "pyright"}
    assert tools <= extra


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
    assert tops == SHIPPED
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if name.split("/")[0] in tops and not name.startswith(LEFT_OUT):
            assert name in names, name


def test_wheel_leaves_the_maintainers_tools_out(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tools = {"card", "ablation"}  # as modules, or as folders of the names they had first
    for name in names:
        assert not tools & {part.removesuffix(".py") for part in name.split("/")}, name
    for path in LEFT_OUT:
        assert (ROOT / path).is_dir(), f"{path} is not there any more"


def test_wheel_says_that_it_has_types(wheel):
    """PEP 561: a mark in each package that is imported by its own name."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {n for n in names if n.endswith("/py.typed")} == {f"{t}/py.typed" for t in SHIPPED}


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_wheel_has_the_version_of_the_package(metadata, wheel):
    assert metadata["Version"] == spikeloom.__version__
    assert wheel.name.startswith(f"spikeloom-{spikeloom.__version__}-")


def test_wheel_says_where_the_project_lives(metadata):
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL"))
    assert set(urls) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    home = "https://github.com/spikeloom/spikeloom"
    for name, url in urls.items():
        assert url == home or url.startswith(f"{home}/"), name
        inside = url.removeprefix(home).removeprefix("/").split("/")
        if inside[0] in ("tree", "blob"):
            assert (ROOT / "/".join(inside[2:])).exists(), url


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

    def run(*arguments, status=0):
        env = {**os.environ, "PYTHONPATH": str(target)}
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=where,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr if status else done.stdout

    return run


def test_the_wheel_compiles_and_builds_elsewhere(installed):
    assert "of the peak" in installed("sw.compiler", "mnist-tiny")
    out = installed("hw.build", "--board", "arty_a7", "--model", "mnist-tiny", "--to", "compile")
    assert "results:" in out


def test_the_wheel_has_the_command(installed):
    assert installed("spikeloom", "--version") == f"spikeloom {spikeloom.__version__}\n"
    assert "usage: python -m spikeloom data" in installed("spikeloom", "data", "--help")
    said = installed("spikeloom", "card", "digits", status=1)
    assert said.startswith("error: card is a tool of the repository, ")
    installed("spikeloom", "biuld", status=2)


@pytest.mark.slow
def test_the_wheel_synthesises_and_simulates_elsewhere(installed):
    """Minutes: ``pytest -m slow tests/wheel``."""
    installed("hw.build", "--board", "arty_a7", "--model", "mnist-tiny", "--to", "synthesise")
    assert "no mismatch" in installed("sim.run", "mnist-tiny")
