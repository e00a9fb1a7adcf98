import ast
import dataclasses
import re
from pathlib import Path

import pytest

import boards
from hw.arch import Config, SpikeloomError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", boards.NAMES)
def test_boards(name):
    board = boards.get(name)
    assert board.name == name
    assert isinstance(board.config, Config)
    platform = board.make_platform()
    part = re.sub("[^a-z0-9]", "", board.part.lower())
    assert part.startswith(platform.device.lower().replace("-", ""))
    assert platform.lookup(board.clock_resource).clock.frequency == board.clock


def test_every_file_is_a_known_board():
    found = {p.stem for p in (ROOT / "boards").glob("*.py")} - {"__init__"}
    assert found == set(boards.NAMES)


@pytest.mark.parametrize("name", ["x", "arty", "ULX3S", "", "__init__"])
def test_unknown_board(name):
    with pytest.raises(SpikeloomError) as e:
        boards.get(name)
    assert str(e.value) == (f"unknown board {name!r}; known boards: {', '.join(boards.NAMES)}")


def test_clock_that_cannot_be_made():
    with pytest.raises(SpikeloomError, match=r"vco / core_clock = .* is not whole"):
        dataclasses.replace(boards.get("ulx3s"), core_clock=47_000_000)


#: Types that software packages share.
TYPES = {"hw.arch", "sw.network", "sw.result", "sw.images", "sw.check", "sw.network.storage"}
#: What every package may import.
COMMON = {"hw.common", "spikeloom"}
#: What a package may import of the project, besides itself and these.
ALLOWED = {
    "hw/common": set(),
    "hw/arch": set(),
    "hw/core": {"hw.arch"},
    "hw/soc": {"hw.arch", "hw.core"},
    "hw/tools": {"hw.arch"},
    "boards": {"hw.arch"},
    "sw/golden": TYPES,
    "sw/compiler": {*TYPES, "sw.golden"},
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package):
    own = package.replace("/", ".")
    allowed = {*ALLOWED[package], *COMMON, own}
    files = [p for p in (ROOT / package).rglob("*.py") if p.name != "__main__.py"]
    for path in sorted(files):
        for name in imports(path):
            if name.split(".")[0] in ("hw", "sw", "sim", "boards"):
                fits = any(name == a or name.startswith(a + ".") for a in allowed)
                assert fits, f"{path.relative_to(ROOT)} imports {name}"
