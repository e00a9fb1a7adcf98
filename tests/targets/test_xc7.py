"""Xilinx 7-series: names of parts, cells counted as resources, routing with what is installed."""

import pytest

import boards
from hw import targets
from hw.common.errors import SpikeloomError
from hw.targets.xc7 import database_names, lut_cells, routed_clocks
from hw.tools.openxc7 import CHIPDB, DATABASE
from tests.targets.parts import with_part
from tests.targets.said import said
from tests.tools import installs
from tests.tools.test_luts_xc7 import lut
from tests.tools.test_luts_xc7 import written as luts_netlist


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("xc7a35ticsg324-1L", ("xc7a35tcsg324-1", "artix7")),
        ("xc7a100ticsg324-1L", ("xc7a100tcsg324-1", "artix7")),
        ("xc7s25csga324-1", ("xc7s25csga324-1", "spartan7")),
        ("XC7A35TFTG256-1", ("xc7a35tftg256-1", "artix7")),
        ("xc7z010clg400-1", ("xc7z010clg400-1", "zynq7")),
        ("xc7k325tffg900-2", ("xc7k325tffg900-2", "kintex7")),
    ],
)
def test_xc7_parts(part, names):
    assert database_names(with_part("arty_a7", part)) == names


COUNTS = {
    "LUT2": 3,
    "LUT6_2": 2,
    "INV": 1,
    "SRLC32E": 5,
    "RAM32M": 2,
    "FDRE": 7,
    "FDSE": 1,
    "RAMB36E1": 3,
    "RAMB18E1": 3,
    "DSP48E1": 4,
}


def test_xc7_resources():
    assert lut_cells(COUNTS) == 6
    assert targets.of(boards.get("arty_a7")).resources(COUNTS) == {
        "lut": 19,
        "lut_as_memory": 13,
        "ff": 8,
        "bram36": 5,
        "dsp": 4,
    }


def test_what_is_said_of_a_clock_last_counts():
    assert routed_clocks(said(91.5, 79.25)) == {"core": (79.25, 80.0), "pin": (140.25, 100.0)}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder with a netlist to route, and an installation beside it whose router is to come."""
    work, root = tmp_path / "work", tmp_path / "root"
    work.mkdir()
    luts_netlist(work / "top.json", {"x": lut(9, "O5", "O6")})
    (work / "top.xdc").write_text("", encoding="utf-8")
    monkeypatch.setenv("NEXTPNR_XILINX", str(root / "bin" / "nextpnr-xilinx"))
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
    for name in ("FASM2FRAMES", "XC7FRAMES2BIT", "FPGA_AS", CHIPDB, DATABASE):
        monkeypatch.delenv(name, raising=False)
    installs.database(root / "share/nextpnr/external/prjxray-db")
    for name in (f"{installs.BASE}.bin", "chipdb-xc7a50t.bin"):
        installs.chip(root / "chipdb" / name)
    return work


def called(folder):
    return (folder.parent / "called").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("himbaechel", [False, True])
@pytest.mark.parametrize("assembler", ["pair", "fpga-as"])
def test_both_generations_and_both_assemblers_make_a_bitstream(folder, himbaechel, assembler):
    tools = folder.parent / "root" / "bin"
    installs.router(
        tools / "nextpnr-xilinx", "0.9.5", himbaechel, "DSP_L_X1Y0.DSP48.DSP_0.ZMREG[0]"
    )
    if assembler == "pair":
        installs.pair(tools)
    else:
        installs.script(tools / "fpga-as", installs.ASSEMBLER)
    target = targets.of(boards.get("arty_a7"))
    assert target.route(folder) is None
    given = called(folder)
    chip = "chipdb-xc7a50t.bin" if himbaechel else f"{installs.BASE}.bin"
    assert given[given.index("--chipdb") + 1].endswith(f"/{chip}")
    assert ("fasm=top.fasm" in given) == himbaechel
    assert ("--fasm" in given) != himbaechel
    assert "DSP_L_X1Y0.DSP_0_INMODE0.DSP_GND_L" in (folder / "top.fasm").read_text(encoding="utf-8")
    target.pack(folder)
    bits = {"pair": "bits\n", "fpga-as": "bits of fpga-as\n"}[assembler]
    assert (folder / "top.bit").read_text(encoding="utf-8") == bits
    assert not (folder / "routed.json").exists()
    assert not (folder / "top.frames").exists()


@pytest.mark.parametrize(
    ("version", "himbaechel", "netlist"),
    [
        ("0.9.3", False, "top.json"),
        ("0.9.2", False, "routed.json"),
        ("b9f013d", False, "routed.json"),
        ("0.9.3", True, "routed.json"),
    ],
)
def test_luts_of_two_outputs_are_taken_apart_for_those_that_need_it(
    folder, version, himbaechel, netlist
):
    tools = folder.parent / "root" / "bin"
    installs.router(tools / "nextpnr-xilinx", version, himbaechel)
    installs.pair(tools)
    assert targets.of(boards.get("arty_a7")).route(folder) is None
    given = called(folder)
    assert given[given.index("--json") + 1] == netlist


def test_an_assembler_that_fails_leaves_no_bitstream(folder):
    tools = folder.parent / "root" / "bin"
    installs.router(tools / "nextpnr-xilinx", "0.9.5")
    installs.script(tools / "fpga-as", "echo half; echo error: no such tile >&2; exit 3")
    target = targets.of(boards.get("arty_a7"))
    target.route(folder)
    with pytest.raises(SpikeloomError, match=r"(?s)fpga-as failed .*error: no such tile"):
        target.pack(folder)
    assert not (folder / "top.bit").exists()


def test_the_router_decides_what_is_checked(folder):
    target = targets.of(boards.get("arty_a7"))
    assert target.checks() == []
    installs.router(folder.parent / "root" / "bin" / "nextpnr-xilinx", "0.9.5")
    himbaechel, said_of = target.checks()
    assert not himbaechel
    assert "(Version 0.9.5)" in said_of


def test_what_is_not_here_is_said_in_one_sentence(folder):
    installs.router(folder.parent / "root" / "bin" / "nextpnr-xilinx", "0.9.5")
    target = targets.of(boards.get("arty_a7"))
    why = "neither fasm2frames with xc7frames2bit nor fpga-as is installed"
    assert target.route(folder) == why
    with pytest.raises(SpikeloomError, match=f"the design is routed, but .*: {why}"):
        target.pack(folder)
