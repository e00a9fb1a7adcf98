"""What a package offers stays what it is, whatever modules of it are imported, in any order."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Imports all packages, then all modules, and prints what an import has put in another's place.
SCRIPT = """
import importlib, pkgutil, sys, types
packages, modules = [], []
def walk(name):
    package = importlib.import_module(name)
    packages.append(package)
    for found in pkgutil.iter_modules(package.__path__):
        if found.ispkg:
            walk(f"{name}.{found.name}")
        elif found.name != "__main__":
            modules.append(f"{name}.{found.name}")
for top in ("boards", "hw", "sim", "sw"):
    walk(top)
offered = {}
for package in packages:
    for name, value in vars(package).items():
        if not name.startswith("_") and not isinstance(value, types.ModuleType):
            offered[package.__name__, name] = value
imported = 0
for name in sorted(modules, reverse=sys.argv[1] == "reversed"):
    if name != "sim.cocotb_bench":  # runs inside a simulator only
        importlib.import_module(name)
        imported += 1
for (package, name), value in offered.items():
    if getattr(sys.modules[package], name) is not value:
        print(f"{package}.{name} is now {getattr(sys.modules[package], name)}")
print(len(offered) > 50 and imported > 100)
"""


def python(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order", ["sorted", "reversed"])
def test_no_module_takes_the_place_of_what_a_package_offers(order):
    pytest.importorskip("torch")
    assert python("-c", SCRIPT, order) == "True\n"


@pytest.mark.parametrize(
    "imports",
    [
        "import sim.run",
        "import sim; import sim.run",
        "import sim.run, sim",
        "from sim.run import main; import sim",
        "import importlib; importlib.import_module('sim.run'); import sim",
        "import sim.run; import importlib; importlib.reload(sim)",
        "from sim import run; import sim.run; assert run is sim.run",
        "import sim.run as run; import sim; assert run is sim.run",
        "import benchmarks.card; import sim.run; import sim.simulate",
    ],
)
def test_run_stays_the_function(imports):
    check = (
        "\nassert sim.run.__module__ == 'sim.simulate', sim.run\n"
        "from sim import run\nassert run is sim.run\n"
        "from sim.run import main\nassert main.__module__ == 'sim.run'\nprint('ok')"
    )
    assert python("-c", imports + check) == "ok\n"


def test_the_function_can_be_replaced(monkeypatch):
    """By a test, say: only the module is kept from its place."""
    import sim

    monkeypatch.setattr(sim, "run", len)
    assert sim.run is len


def test_the_command_runs():
    assert "python -m sim.run" in python("-W", "error", "-m", "sim.run", "--help")
