"""The shape of the gateware's source: short functions, stated contracts, a test file a module."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from amaranth.lib import wiring

import hw.core
from hw.targets import TARGETS

ROOT = Path(__file__).parents[2]
LINES = 120  #: Most lines of a function that makes hardware.
FILE_LINES = 300
WIRING_LINES = 150  #: Most lines of Core's own logic, without the class's head.


def functions(source):
    """(dotted name, lines) of every function of a source, nested ones included."""

    def walk(node, path):
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", None)
            here = [*path, name] if name else path
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield ".".join(here), child.end_lineno - child.lineno + 1
            yield from walk(child, here)

    yield from walk(ast.parse(source), [])


def long_functions(folder):
    return [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines, more than {LINES}"
        for path in sorted(folder.rglob("*.py"))
        for name, lines in functions(path.read_text(encoding="utf-8"))
        if lines > LINES and (name.endswith("elaborate") or folder.name == "core")
    ]


def test_long_functions_are_found(tmp_path, monkeypatch):
    """The check itself: a long elaborate anywhere, a long helper, a nested one."""
    body = "        pass\n" * LINES
    text = f"class A:\n    def elaborate(self, platform):\n{body}"
    assert list(functions(text)) == [("A.elaborate", LINES + 1)]
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "long.py").write_text(text, encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert long_functions(tmp_path / "core") == [
        f"core/long.py: A.elaborate has {LINES + 1} lines, more than {LINES}"
    ]


@pytest.mark.parametrize("folder", ["hw", "hw/core"])
def test_no_function_is_too_long_to_read(folder):
    assert not long_functions(ROOT / folder)


def test_files_are_short():
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in sorted((ROOT / "hw" / "core").rglob("*.py"))
        if (lines := path.read_text(encoding="utf-8").count("\n")) > FILE_LINES
    }
    assert not long


def modules():
    return [
        m.name
        for m in pkgutil.walk_packages(hw.core.__path__, "hw.core.")
        if not m.ispkg  # a package's own file has no logic
    ]


@pytest.mark.parametrize("module", modules())
def test_every_module_has_a_test_file(module):
    *folder, name = module.split(".")[2:]
    path = ROOT.joinpath("tests", "unit", *folder, f"test_{name}.py")
    assert path.is_file(), f"{module} has no {path.relative_to(ROOT)}"
    text = path.read_text(encoding="utf-8")
    assert re.search(rf"\b{re.escape(module)}\b", text), f"{path.name} does not import {module}"


def components():
    for module in modules():
        for name, cls in inspect.getmembers(importlib.import_module(module), inspect.isclass):
            if issubclass(cls, wiring.Component) and cls.__module__ == module:
                yield pytest.param(cls, id=f"{module.removeprefix('hw.core.')}.{name}")


def member_names(cls):
    """Names that the class annotates as its members."""
    return [n for n in inspect.get_annotations(cls) if not n.startswith("_")]


@pytest.mark.parametrize("cls", list(components()))
def test_every_component_states_its_contract(cls):
    doc = cls.__doc__ or ""
    wanted = ["Latency", "Throughput", "Members"]
    if len(inspect.signature(cls.__init__).parameters) > 1:
        wanted.append("Parameters")
    missing = [word for word in wanted if not re.search(rf"\b{word}\b", doc)]
    assert not missing, f"{cls.__name__} does not state {missing}"
    unnamed = [n for n in member_names(cls) if not re.search(rf"\b{n}\b", doc)]
    assert not unnamed, f"{cls.__name__} does not say what {unnamed} are"


def test_core_only_wires():
    """Apart from its ports and parts, the core makes no register and no decision."""
    source = (ROOT / "hw" / "core" / "core.py").read_text(encoding="utf-8")
    lines = sum(n for name, n in functions(source) if not name.endswith("__init__"))
    assert lines <= WIRING_LINES
    assert "m.If" not in source
    assert "Signal(" not in source
    assert "m.d.sync" not in source


def test_every_form_is_there_for_every_target():
    """What is made of a target's cells knows each target's name, and the simulated view."""
    forms = {
        f"{name}.{kind.__name__}": set(kind.FORMS)
        for name in modules()
        for kind in vars(importlib.import_module(name)).values()
        if isinstance(kind, type) and kind.__module__ == name and "FORMS" in vars(kind)
    }
    wanted = {"simulation"} | {target.primitives for target in TARGETS.values()} | {"generic"}
    assert len(forms) >= 3
    assert {name: wanted for name in forms} == forms
