"""Text files and outputs of programs have their encoding named: a locale never decides."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("hw", "sw", "sim", "boards", "spikeloom", "benchmarks", "tests")
RUNS = ("run", "Popen", "check_output", "check_call", "call")
NO_FILES = ("os", "zipfile", "tarfile", "gzip", "Image", "archive", "zip", "wave")  # their open()


def faults(source: str) -> list[int]:
    """Lines of calls that open, read, write or capture text without an encoding."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sorted(call.lineno for call in calls if is_fault(call))


def is_fault(call: ast.Call) -> bool:
    given = {k.arg: k.value for k in call.keywords}
    if "encoding" in given or None in given:
        return False
    match call.func:
        case ast.Name(id="open"):
            return is_text(call.args[1:2], given.get("mode"))
        case ast.Attribute(attr="fdopen"):
            return is_text(call.args[1:2], given.get("mode"))
        case ast.Attribute(attr="open", value=owner):
            foreign = isinstance(owner, ast.Name) and owner.id in NO_FILES
            return not foreign and is_text(call.args[:1], given.get("mode"))
        case ast.Attribute(attr="read_text"):
            return not call.args
        case ast.Attribute(attr="write_text"):
            return len(call.args) == 1
        case ast.Attribute(attr=name) if name in RUNS:
            texts = (given.get("text"), given.get("universal_newlines"))
            return any(isinstance(t, ast.Constant) and t.value is True for t in texts)
        case _:
            return False


def is_text(positional: list[ast.expr], named: ast.expr | None) -> bool:
    mode = positional[0] if positional else named
    if mode is None:
        return True
    known = isinstance(mode, ast.Constant) and isinstance(mode.value, str)
    return known and set(mode.value) <= set("rwxat+")  # no b, and no name of a member


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        ("open(p)", True),
        ("open(p, 'w')", True),
        ("open(p, mode='a')", True),
        ("open(p, 'rb')", False),
        ("open(p, encoding='utf-8')", False),
        ("p.open()", True),
        ("p.open('w')", True),
        ("p.open('wb')", False),
        ("zip.open('name')", False),
        ("os.fdopen(n, 'w')", True),
        ("p.read_text()", True),
        ("p.read_text('utf-8')", False),
        ("p.write_text(t)", True),
        ("p.write_text(t, encoding='utf-8')", False),
        ("subprocess.run(c, text=True)", True),
        ("subprocess.Popen(c, text=True)", True),
        ("subprocess.run(c, text=True, encoding='utf-8')", False),
        ("subprocess.run(c)", False),
    ],
)
def test_the_check(source, bad):
    assert bool(faults(source)) == bad


def test_no_text_without_an_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in faults(path.read_text(encoding="utf-8"))
    ]
    assert not found, 'name the encoding (encoding="utf-8"): ' + ", ".join(found)
