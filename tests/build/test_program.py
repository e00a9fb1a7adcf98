"""``--program``: a build's bitstream goes into the board, or it is said why not."""

import json

import pytest

import boards
from hw.build import __main__
from hw.build.program import program
from hw.common.errors import SpikeloomError
from tests.tools.installs import script


@pytest.fixture
def tool(monkeypatch, tmp_path):
    made = script(
        tmp_path / "openFPGALoader",
        'test "$1" = -V && exit 0\necho "$@" > called; grep -q whole "$3"',
    )
    monkeypatch.setenv("OPENFPGALOADER", str(made))
    return made


def test_the_bitstream_of_the_build(tool, tmp_path):
    (tmp_path / "top.bit").write_text("whole", encoding="utf-8")
    said = program(boards.get("ulx3s"), tmp_path)
    assert said.startswith("Radiona ULX3S (85F) is programmed, until its power goes; ask it")
    assert (tmp_path / "called").read_text(encoding="utf-8") == "-b ulx3s top.bit\n"


@pytest.mark.parametrize(
    ("route", "why"),
    [
        ({"routed": False, "reason": "nextpnr-xilinx is not installed"}, "nextpnr-xilinx is not"),
        (None, "the build has not come so far"),
    ],
)
def test_without_a_bitstream_it_is_said_why(route, why, tool, tmp_path):
    if route:
        (tmp_path / "route.json").write_text(json.dumps(route), encoding="utf-8")
    with pytest.raises(SpikeloomError, match=f"holds no bitstream to program: {why}"):
        program(boards.get("arty_a7"), tmp_path)


@pytest.mark.parametrize("name", boards.NAMES)
def test_every_board_has_a_name_there(name):
    assert boards.get(name).loader


def run(capsys, *argv):
    status = __main__.main(list(argv))
    return status, capsys.readouterr()


def test_the_command_builds_then_programs(tool, capsys, monkeypatch, tmp_path):
    def build(board, model, output, **options):
        (tmp_path / "top.bit").write_text("whole", encoding="utf-8")
        (tmp_path / "report.txt").write_text("report\n", encoding="utf-8")

    monkeypatch.setattr(__main__, "build", build)
    status, said = run(capsys, "--board", "ulx3s", "--output", str(tmp_path), "--program")
    assert status == 0
    assert "report\n" in said.out
    assert said.out.rstrip().endswith("ask it what it is: python -m sw.host list")
    assert (tmp_path / "called").exists()


def test_what_is_missing_is_said_before_the_build(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENFPGALOADER", str(tmp_path / "gone"))
    status, said = run(capsys, "--board", "ulx3s", "--output", str(tmp_path / "o"), "--program")
    assert status == 1
    assert "correct or unset OPENFPGALOADER" in said.err
    assert not (tmp_path / "o").exists()


def test_a_build_that_ends_before_the_bitstream_is_wrong_usage(capsys, tmp_path):
    with pytest.raises(SystemExit) as e:
        __main__.main(["--board", "ulx3s", "--to", "route", "--program"])
    assert e.value.code == 2
    assert "--program needs the bitstream, but --to route ends before it" in capsys.readouterr().err
