"""The 7-series router: its generation by its help, its version, what it is known to get right."""

import os

import pytest

from hw.tools import nextpnr_xc7
from hw.tools.errors import ToolchainNotFound
from hw.tools.nextpnr_xc7 import Router
from tests.tools import installs


def of(version, himbaechel=False):
    return Router(
        "r", himbaechel, f'"nextpnr" -- Next Generation Place and Route (Version {version})'
    )


@pytest.mark.parametrize("himbaechel", [False, True])
def test_generation_and_version_are_asked(himbaechel, monkeypatch, tmp_path):
    """Of one name, as apio has them; the help's exit status says nothing."""
    tool = installs.router(tmp_path / "nextpnr-xilinx", "0.9.4", himbaechel)
    monkeypatch.setenv("NEXTPNR_XILINX", str(tool))
    found = nextpnr_xc7.router()
    assert found.command == str(tool)
    assert found.himbaechel == himbaechel
    assert found.version == (0, 9, 4)


def test_a_router_that_is_replaced_is_asked_again(monkeypatch, tmp_path):
    tool = installs.router(tmp_path / "nextpnr-xilinx", "0.9.4")
    monkeypatch.setenv("NEXTPNR_XILINX", str(tool))
    assert nextpnr_xc7.router().version == (0, 9, 4)
    installs.router(tool, "0.9.6")
    os.utime(tool, ns=(1, 1))
    assert nextpnr_xc7.router().version == (0, 9, 6)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("0.9.6", (0, 9, 6)),
        ("0.10", (0, 10, 0)),
        ("0.9.5-3-g26f5e17a", (0, 9, 5)),
        ("nextpnr-0.8-12-gabcdef01", (0, 8, 0)),
        ("b9f013d", None),
        ("26f5e17a", None),
        ("unknown", None),
    ],
)
def test_versions(said, version):
    assert of(said).version == version


def test_a_router_that_does_not_say():
    assert Router("r", False, "").version is None
    assert Router("r", False, "").title == "nextpnr-xilinx of unknown version"
    assert of("26f5e17a", True).title == "nextpnr-himbaechel 26f5e17a"


@pytest.mark.parametrize(
    ("fault", "last", "first"),
    [
        ("parity", "0.9.1", "0.9.2"),
        ("wide", "0.9.2", "0.9.3"),
        ("LUT6_2", "0.9.2", "0.9.3"),
        ("RAM64X1S", "0.9.5", "0.9.6"),
    ],
)
def test_what_is_right_from_which_version(fault, last, first):
    assert not of(last).right(fault)
    assert of(first).right(fault)
    assert of("0.10.0").right(fault)
    assert not of("b9f013d").right(fault), "a commit tells no version"
    assert not of("1.0.0", himbaechel=True).right(fault)
    assert not of("9.9.9").right("something else")


def test_arguments_of_both_generations():
    given = ("xc7a35tcsg324-1", "chip.bin", "top.json", 80.0, 1)
    assert (
        of("0.9.5").arguments(*given)
        == (
            "--chipdb chip.bin --xdc top.xdc --fasm top.fasm --json top.json --freq 80 --seed 1"
        ).split()
    )
    assert (
        of("1.0.0", True).arguments(*given)
        == (
            "--device xc7a35tcsg324-1 --chipdb chip.bin -o xdc=top.xdc -o fasm=top.fasm "
            "--json top.json --freq 80 --seed 1"
        ).split()
    )


@pytest.mark.parametrize(
    ("part", "fork", "himbaechel"),
    [
        ("xc7a35tcsg324-1", "xc7a35tcsg324.bin", "chipdb-xc7a50t.bin"),
        ("xc7a100tcsg324-1", "xc7a100tcsg324.bin", "chipdb-xc7a100t.bin"),
        ("xc7z010clg400-1", "xc7z010clg400.bin", "chipdb-xc7z010.bin"),
        ("xc7s50csga324-1", "xc7s50csga324.bin", "chipdb-xc7s50.bin"),
    ],
)
def test_databases_of_part_and_die(part, fork, himbaechel):
    """The 35T is served by the die of the 50T."""
    assert of("0.9.5").databases(part) == (fork,)
    assert of("1.0.0", True).databases(part) == (himbaechel,)


def test_none_is_installed(monkeypatch):
    monkeypatch.setenv("NEXTPNR_XILINX", "/no/such/tool")
    with pytest.raises(ToolchainNotFound, match="correct or unset NEXTPNR_XILINX"):
        nextpnr_xc7.router()
