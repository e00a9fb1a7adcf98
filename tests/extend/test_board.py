# amaranth: UnusedElaboratable=no
"""A board is added by a file, as docs/develop/board.md tells: RTL and constraints of toy ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import boards
from hw import targets
from hw.arch import SpikeloomError
from hw.build import board_top, build
from tests.synth.designs import Echo

ROOT = Path(__file__).resolve().parents[2]
TOYS = boards.read("tests.extend.boards")
TOP = "from boards import Board\nfrom hw.arch import Config\n"
TEXT = """
BOARD = Board(name={name!r}, title="x", part="LFE5U-25F-6BG256C", platform="x:X",
              core_clock=1, config=Config())
"""


def test_toys_are_found():
    assert list(TOYS) == ["colorlight", "nexys4ddr"]


@pytest.fixture(params=TOYS)
def toy(request, monkeypatch):
    """A toy board in the table of boards."""
    monkeypatch.setitem(boards.table(), request.param, TOYS[request.param])
    return boards.get(request.param)


def test_it_is_known_by_name(toy):
    assert toy.name in boards.NAMES
    with pytest.raises(SpikeloomError, match=f"known boards: .*{toy.name}"):
        boards.get("x")


def words(board, program):
    """A memory of 1024 words, as the core's are."""
    return Echo([*map(int, program.words), *[0] * 1024][:1024])


def test_rtl_and_constraints(toy, tmp_path):
    ran = []
    done = lambda e: ran.append(e.step) if e.state == "done" else None  # noqa: E731
    build(toy.name, "mnist-tiny", tmp_path, design=words, last="constrain", tell=done)
    assert ran[-1] == "constrain"
    text = "".join(
        (tmp_path / name).read_text(encoding="utf-8")
        for name in ("top.lpf", "top.xdc")
        if (tmp_path / name).exists()
    )
    clock = {
        "colorlight": [
            'LOCATE COMP "clk25_0__io" SITE "P6";',
            'FREQUENCY PORT "clk25_0__io" 25 MHZ;',
        ],
        "nexys4ddr": [
            "set_property LOC E3 [get_ports {clk100_0__io}]",
            "create_clock -name clk100_0__io -period 10.000 [get_ports {clk100_0__io}]",
            "set_property LOC H17 [get_ports {led_0__io}]",
        ],
    }
    for line in clock[toy.name]:
        assert line in text


def test_package_of_the_part_reaches_the_router(tmp_path):
    """nextpnr takes the pins of CABGA256, which CABGA381 does not have."""
    assert targets.of(TOYS["colorlight"]).device == [
        "--25k",
        "--package",
        "CABGA256",
        "--speed",
        "6",
    ]
    value = build(TOYS["colorlight"], "mnist-tiny", tmp_path, design=words)
    assert value["bitstream"]["bytes"] > 10_000
    assert value["resources"]["items"]["lut"]["available"] == 24_288


def test_leds_that_are_not_there_are_left_out():
    ports = {}
    for name, toy in TOYS.items():
        made = board_top.elaborate(toy, Echo([1]))
        ports[name] = [p.port for p in made.pins if p.port.startswith("led")]
    assert ports == {"colorlight": [], "nexys4ddr": ["led_0__io", "led_1__io", "led_2__io"]}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that reads boards from files of the texts given."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def read(**files):
        (tmp_path / "mine").mkdir()
        for name, text in files.items():
            (tmp_path / "mine" / f"{name}.py").write_text(TOP + text, encoding="utf-8")
        try:
            return boards.read("mine")
        finally:
            for name in [n for n in sys.modules if n.split(".")[0] == "mine"]:
                del sys.modules[name]

    return read


def test_file_alone_makes_a_board(package):
    assert list(package(b=TEXT.format(name="b"), a=TEXT.format(name="a"))) == ["a", "b"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": ""}, "mine/a.py: holds no BOARD that is a boards.Board"),
        ({"a": "BOARD = 1\n"}, "mine/a.py: holds no BOARD that is a boards.Board"),
        ({"a": TEXT.format(name="b")}, "mine/a.py: its BOARD is called 'b'; a board has the name"),
        (
            {"a": TEXT.format(name="a"), "b": TEXT.format(name="a")},
            "mine/b.py: its BOARD has the name of another file's, 'a'",
        ),
        (
            {"a": TEXT.replace("LFE5U-25F", "LFE6U-25F").format(name="a")},
            "board a: part 'LFE6U-25F-6BG256C' is of no known die; known dies: .*LFE5U-25F",
        ),
    ],
)
def test_wrong_files_are_refused_by_name(files, message, package):
    with pytest.raises(SpikeloomError, match=message):
        package(**files)


def test_a_new_file_in_boards_is_all_it_takes(tmp_path):
    """As the page tells: copy the file, and the command knows the board."""
    for name in ("boards", "hw", "sw", "spikeloom"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/extend/boards/colorlight.py", tmp_path / "boards")
    done = subprocess.run(
        [sys.executable, "-m", "hw.build", "--board", "x"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
    )
    known = ", ".join(sorted([*boards.NAMES, "colorlight"]))
    assert done.stderr == f"error: unknown board 'x'; known boards: {known}\n"


def test_the_page_shows_the_toy():
    page = (ROOT / "docs/develop/board.md").read_text(encoding="utf-8")
    text = (ROOT / "tests/extend/boards/colorlight.py").read_text(encoding="utf-8")
    code = text.partition("\n\n")[2]  # without its docstring
    assert f"```python\n# boards/colorlight.py\n{code}```\n" in page
