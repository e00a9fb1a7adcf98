"""The import graph of the source: every file's imports, wherever in the file they stand."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("hw", "sw", "sim", "boards", "spikeloom", "benchmarks")


@dataclass(frozen=True)
class Arrow:
    """One file imports another."""

    source: str  #: Module names.
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} -> {self.target}"


def modules(root: Path) -> dict[str, Path]:
    """Name of every module below ``root`` with its file; packages by their own name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _called(node: ast.Call) -> str:
    """Last name of what is called."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _names(tree: ast.Module, package: list[str]) -> Iterator[tuple[list[str], int]]:
    """Alternatives of each imported name, the longest first, and its line.

    ``importlib.import_module(f"boards.{name}")`` counts as an import of ``boards``; of a name that
    is not in the source at all, as one of ``?``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield [alias.name], node.lineno
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield [f"{base}.{alias.name}", base], node.lineno
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            yield [_text(node.args[0]) if node.args else "?"], node.lineno


def _text(node: ast.expr) -> str:
    """Value of a string in the source, or the whole names before its first unknown part."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        first = node.values[0] if node.values else None
        if isinstance(first, ast.Constant) and "." in str(first.value):
            return str(first.value).rpartition(".")[0]
    return "?"


def arrows(root: Path) -> list[Arrow]:
    """Every import of a module of the project by another, and of unknown names (``?``)."""
    known, out = modules(root), []
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        for alternatives, line in _names(tree, package):
            if alternatives == ["?"]:
                out.append(Arrow(name, "?", line))
                continue
            target = next((n for n in alternatives if n in known), None)
            if target is None and alternatives[-1].split(".")[0] in PACKAGES:
                target = alternatives[-1]
                while target not in known and "." in target:
                    target = target.rpartition(".")[0]
            if target in known and target != name:
                out.append(Arrow(name, target, line))
    return out


def circle(graph: Mapping[str, list[Arrow]]) -> list[Arrow]:
    """The arrows of one circle, in order; none where there is no circle."""
    done: set[str] = set()
    for start in graph:
        path: list[Arrow] = []
        open_: list[tuple[str, Iterator[Arrow]]] = [(start, iter(graph[start]))]
        while open_ and start not in done:
            at, rest = open_[-1]
            arrow = next((a for a in rest if a.target not in done), None)
            if arrow is None:
                done.add(at)
                open_.pop()
                if path:
                    path.pop()
                continue
            path.append(arrow)
            names = [name for name, _ in open_]
            if arrow.target in names:
                return path[names.index(arrow.target) :]
            open_.append((arrow.target, iter(graph.get(arrow.target, ()))))
    return []
