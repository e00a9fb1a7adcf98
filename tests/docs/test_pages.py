"""Links, files and commands that the pages name exist; the cheap commands run."""

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *(p for p in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if p.exists()),
]
PICTURES = sorted((ROOT / "docs").rglob("*.svg"))
#: What a path in the repository begins with; anything else in backticks is no path.
TREES = ("hw/", "sw/", "sim/", "boards/", "tests/", "docs/", "benchmarks/")
MODULE = re.compile(r"python -m ((?:hw|sw|sim|benchmarks)[.\w]*)")
OPTION = re.compile(r"(?<=\s)--[a-z][-a-z]*")

MODULES = sorted({m for p in PAGES for m in MODULE.findall(p.read_text(encoding="utf-8"))})

pages = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def commands(page):
    """Return the lines of shell blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target.split("#")[0]).exists(), target


@pages
def test_files_exist(page):
    for name in re.findall(r"`([\w./-]+)`", page.read_text(encoding="utf-8")):
        if name.startswith(TREES):
            assert (ROOT / name).exists(), name


@pages
def test_modules_exist(page):
    for name in MODULE.findall(page.read_text(encoding="utf-8")):
        found = importlib.util.find_spec(name.rstrip("."))
        assert found, name
        if found.submodule_search_locations:
            assert importlib.util.find_spec(f"{name}.__main__"), f"{name} is no command"


@pytest.mark.parametrize("module", MODULES)
def test_commands_know_their_options(module):
    """Each command line in a shell block has only options that ``--help`` tells of."""
    used = set()
    for page in PAGES:
        for line in commands(page):
            if re.search(rf"python -m {re.escape(module)}(\s|$)", line):
                used |= set(OPTION.findall(line.split(module, 1)[1]))
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert used <= set(OPTION.findall(done.stdout.replace("[", " "))) | {"--help"}


def test_quickstart_compiles_and_disassembles(tmp_path):
    line = next(c for c in commands(ROOT / "docs/use/quickstart.md") if "sw.compiler" in c)
    program, *arguments = line.split()
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "program digits:" in done.stdout
    assert (tmp_path / "digits.npz").is_file()


@pytest.mark.parametrize("picture", PICTURES, ids=lambda p: p.name)
def test_pictures_name_what_exists(picture):
    texts = [e.text or "" for e in ET.parse(picture).iter() if e.tag.endswith("text")]
    assert texts
    for name in re.findall(r"\b(?:hw|sw)/[\w./]+", " ".join(texts)):
        assert (ROOT / name).exists(), name
