"""Source files that decide what a module computes: those that it imports, and what they import.

Found in the source, so that no list of folders can be out of date: import statements anywhere in a
file, inside functions too, and ``importlib.import_module`` of a literal name.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from hw.common.files import digest, file_digest

ROOT = Path(__file__).resolve().parents[2]
#: Packages of this project; installed, they lie in a folder beside everybody else's.
OURS = ("hw", "sw", "sim", "boards", "spikeloom")
DATA = (".v", ".sv", ".cpp", ".html", ".css")  #: Files beside modules that are read by them.


def sources(*modules: str) -> list[Path]:
    """Return the files of ``modules`` and of all that they import of this project, sorted."""
    found: set[Path] = set()
    todo = list(modules)
    while todo:
        for path in _files(todo.pop()):
            if path in found:
                continue
            found.add(path)
            todo += _imported(path, _stamp(path))
    folders = {path.parent for path in found}
    data = {p for folder in folders for p in folder.iterdir() if p.suffix in DATA}
    return sorted(found | data)


def source_digest(*modules: str) -> str:
    """Return one digest of ``sources(*modules)``: names and contents."""
    parts = []
    for path in sources(*modules):
        parts += [path.relative_to(ROOT).as_posix(), _content(path, _stamp(path))]
    return digest(*parts)


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@functools.cache
def _content(path: Path, stamp: tuple[int, int]) -> str:
    return file_digest(path)


def _files(module: str) -> Iterator[Path]:
    """The file of a module of this project, and the packages it is in; nothing for others."""
    parts = module.split(".")
    base = ROOT.joinpath(*parts)
    here = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
    if parts[0] not in OURS or not here.is_file():
        return
    yield here
    for n in range(1, len(parts)):
        yield ROOT.joinpath(*parts[:n]) / "__init__.py"


@functools.cache
def _imported(path: Path, stamp: tuple[int, int]) -> tuple[str, ...]:
    """Names of modules that a file may import; names that are none are sorted out later."""
    names: set[str] = set()
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    up = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*up, base]).strip(".")
                names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
            case ast.Call(
                func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(v)), *_]
            ):
                names.add(v)
    return tuple(sorted(name for name in names if name))
