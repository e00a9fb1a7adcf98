"""What a module of facts holds, found by looking: enumerations, data classes, constants, functions.

Values come from the module, words from its docstrings and from ``#:`` comments, which stand behind
a constant, a member or a field, or on the lines before it. Nothing is named here by hand, so what
a module gains is found without a change.
"""

import ast
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import struct
from collections.abc import Iterable, Sequence
from types import FunctionType, ModuleType

import hw.arch


def modules() -> dict[str, ModuleType]:
    """Return the modules of ``hw.arch`` by their short names."""
    return {
        found.name: importlib.import_module(f"hw.arch.{found.name}")
        for found in pkgutil.iter_modules(hw.arch.__path__)
    }


def own(module: ModuleType, kind: type) -> list:
    """Return what is defined in ``module`` itself, is public and is an instance of ``kind``."""
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, kind) and value.__module__ == module.__name__ and name[0] != "_"
    ]


def enums(module: ModuleType) -> list[type[enum.Enum]]:
    """Return the public enumerations of a module in the order of its source."""
    return [kind for kind in own(module, type) if issubclass(kind, enum.Enum)]


def records(module: ModuleType) -> list[type]:
    """Return the public data classes of a module in the order of its source."""
    return [kind for kind in own(module, type) if hasattr(kind, "__dataclass_fields__")]


def functions(module: ModuleType) -> list[FunctionType]:
    """Return the public functions of a module in the order of its source."""
    return own(module, FunctionType)


def constants(module: ModuleType) -> dict[str, ast.expr]:
    """Return the public constants of a module, each with the expression that gives its value."""
    out: dict[str, ast.expr] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper() and target.id[0] != "_":
                assert isinstance(node, ast.Assign | ast.AnnAssign)
                assert node.value is not None
                out[target.id] = node.value
    return out


def comments(where: ModuleType | type) -> dict[str, str]:
    """Return name -> ``#:`` comment of the assignments of a module or class."""
    found: dict[str, str] = {}
    before: list[str] = []
    for line in inspect.getsource(where).splitlines():
        alone = re.match(r"\s*#: (.*)", line)
        named = re.match(r"\s*(\w+)(?:: [^=#]+?)?(?: = .*?)?(?:  #: (.*))?$", line)
        if alone:
            before.append(alone[1])
            continue
        if named and (named[2] or before) and not re.match(r"\s*(return|class|def)\b", line):
            found[named[1]] = (named[2] or " ".join(before)).replace("``", "`")
        before = []
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table as lines."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows), ""]


def prose(text: str | None) -> list[str]:
    """Return a docstring as Markdown lines; ``::`` blocks are indented already."""
    out = inspect.cleandoc(text or "").replace("``", "`")
    return [*re.sub(r"::$", ":", out, flags=re.MULTILINE).splitlines(), ""]


def summary(text: str | None) -> str:
    """Return what a docstring says before its sections (Parameters, Returns), as one line."""
    said = re.split(r"\n\w+\n-{3,}\n", inspect.cleandoc(text or ""))[0]
    return " ".join(said.replace("``", "`").split())


def shown(value: object, source: str) -> str:
    """Return a constant's value as a person writes it; of a large table, its number of entries."""
    if isinstance(value, struct.Struct):
        return f"`{value.format}`, {value.size} bytes"
    if isinstance(value, int) and re.fullmatch(r"0x[0-9A-Fa-f]+", source):
        return f"{value:#04x}"
    if isinstance(value, bytes | str):
        return f"`{value!r}`"
    if isinstance(value, tuple) and all(isinstance(v, int | str) for v in value):
        return ", ".join(str(v) for v in value)
    if isinstance(value, tuple | dict):
        return f"{len(value)} entries"
    return str(value)


def constant_table(module: ModuleType) -> list[str]:
    """Return the table of a module's constants; where nothing is said, the expression says it."""
    said, source, rows = comments(module), inspect.getsource(module), []
    for name, node in constants(module).items():
        text = ast.get_source_segment(source, node) or ""
        meaning = said.get(name) or (f"`{text}`" if "\n" not in text else "")
        rows.append((f"`{name}`", shown(getattr(module, name), text), meaning))
    return table(("name", "value", "meaning"), rows) if rows else []


def enum_section(kind: type[enum.Enum]) -> list[str]:
    """Return the section of an enumeration: what it is, and a row for each member."""
    said = comments(kind)
    rows = [(member.value, f"`{member.name}`", said.get(member.name, "")) for member in kind]
    head = ("value", "name", "meaning")
    return [f"## {kind.__name__}", "", *prose(kind.__doc__), *table(head, rows)]


def declared(field: dataclasses.Field) -> str:
    """Return what a field's own declaration says that it means, as those of instructions do."""
    return getattr(field.metadata.get("at"), "doc", "")


def record_section(kind: type) -> list[str]:
    """Return the section of a data class: what it is, and a row for each field."""
    said, rows = comments(kind), []
    for f in dataclasses.fields(kind):
        given = f.default is not dataclasses.MISSING
        rows.append(
            (f"`{f.name}`", repr(f.default) if given else "", said.get(f.name) or declared(f))
        )
    head = ("field", "default", "meaning")
    return [f"## {kind.__name__}", "", *prose(kind.__doc__), *table(head, rows)]


def function_section(module: ModuleType) -> list[str]:
    """Return a line for each public function of a module."""
    lines = [f"* `{f.__name__}`: {summary(f.__doc__)}" for f in functions(module)]
    return ["## Functions", "", *lines, ""] if lines else []
