"""Xilinx 7-series: synthesis, constraint file, scripts for the open flow and Vivado, bitstream."""

import os
from pathlib import Path

from boards import Board
from hw.build.board_top import Pin
from hw.common.errors import SpikeloomError
from hw.tools import find
from hw.tools.errors import ToolFailed
from hw.tools.find import run_tool
from hw.tools.yosys import without_paths

SEED = 1
CHIPDB, DATABASE = "SPIKELOOM_CHIPDB", "PRJXRAY_DB_DIR"  #: Environment variables.


def synthesis_commands(rtlil: str, netlist: str, stat: str) -> list[str]:
    """Return the Yosys commands from RTLIL to a netlist; DSPs are instantiated, not inferred."""
    return [
        f"read_rtlil {rtlil}",
        "synth_xilinx -family xc7 -flatten -nodsp -top top",
        f"tee -q -o {stat} stat -tech xilinx",
        *without_paths("top"),
        f"write_json -noscopeinfo {netlist}",
    ]


def constraints(pins: tuple[Pin, ...], clocks: tuple[tuple[str, float], ...]) -> str:
    """Return the constraint file (XDC) of a board's pins and clocks."""
    lines = []
    for pin in pins:
        lines.append(f"set_property LOC {pin.pin} [get_ports {{{pin.port}}}]")
        lines += [
            f"set_property {name} {{{value}}} [get_ports {{{pin.port}}}]"
            for name, value in pin.attributes
        ]
    lines += [
        f"create_clock -name {port} -period {1e9 / hz:.3f} [get_ports {{{port}}}]"
        for port, hz in clocks
    ]
    return "".join(f"{line}\n" for line in lines)


def vivado_script(board: Board) -> str:
    """Return a Tcl script that takes the Verilog to a bitstream with Vivado."""
    return f"""\
# vivado -mode batch -source build_vivado.tcl
create_project -in_memory -part {board.part}
read_verilog -sv top.v
read_xdc top.xdc
synth_design -top top -part {board.part}
set_property CFGBVS VCCO [current_design]
set_property CONFIG_VOLTAGE 3.3 [current_design]
opt_design
place_design
phys_opt_design
route_design
report_timing_summary -file vivado_timing.rpt
report_utilization -hierarchical -file vivado_utilization.rpt
write_bitstream -force top_vivado.bit
"""


def _route_arguments(board: Board, chipdb: str) -> list[str]:
    return [
        "--chipdb",
        chipdb,
        "--xdc",
        "top.xdc",
        "--json",
        "top.json",
        "--fasm",
        "top.fasm",
        "--freq",
        f"{board.core_clock / 1e6:g}",
        "--seed",
        str(SEED),
    ]


def _frames_arguments(board: Board, database: str) -> list[str]:
    return ["--part", board.database, "--db-root", f"{database}/artix7", "top.fasm", "top.frames"]


def _bit_arguments(board: Board, database: str) -> list[str]:
    return [
        "--part_file",
        f"{database}/artix7/{board.database}/part.yaml",
        "--part_name",
        board.database,
        "--frm_file",
        "top.frames",
        "--output_file",
        "top.bit",
    ]


def open_script(board: Board) -> str:
    """Return a shell script with the commands from netlist to bitstream with openXC7."""
    route = " ".join(_route_arguments(board, f'"${CHIPDB}"'))
    frames = " ".join(_frames_arguments(board, f'"${DATABASE}"'))
    bit = " ".join(_bit_arguments(board, f'"${DATABASE}"'))
    return f"""\
#!/bin/sh
# Place, route and pack with the openXC7 tools (nextpnr-xilinx 0.9.5 or newer), run in this folder.
# {CHIPDB}: nextpnr-xilinx' chip database of {board.database} (a .bin file).
# {DATABASE}: Project X-Ray's database, the folder that holds artix7/.
set -eu
: "${{{CHIPDB}:?set it to the chip database of {board.database}}}"
: "${{{DATABASE}:?set it to the folder of the Project X-Ray database}}"
nextpnr-xilinx {route}
fasm2frames {frames}
xc7frames2bit {bit}
# openFPGALoader -b {board.loader} top.bit
"""


def open_flow(board: Board) -> tuple[dict[str, str] | None, str]:
    """Return the places of the open flow's databases, or None and what is missing."""
    for tool in ("nextpnr-xilinx", "fasm2frames", "xc7frames2bit"):
        if not find.have(tool):
            return None, f"{tool} is not installed"
    for name, what in ((CHIPDB, "nextpnr-xilinx' chip database"), (DATABASE, "Project X-Ray's")):
        given = os.environ.get(name)
        if not given:
            return None, f"{name} ({what}) is not set"
        if not Path(given).exists():
            raise SpikeloomError(f"{name} is {given!r}, but there is nothing; correct or unset it")
    places = {name: str(Path(os.environ[name]).resolve()) for name in (CHIPDB, DATABASE)}
    return places, f"openXC7 for {board.database}"


def route(board: Board, places: dict[str, str], work: Path) -> None:
    """Place and route ``top.json`` to ``top.fasm`` with nextpnr-xilinx."""
    run_tool("nextpnr-xilinx", _route_arguments(board, places[CHIPDB]), cwd=work, log="route.log")
    _expect(work, "top.fasm", "nextpnr-xilinx", "route.log")


def pack(board: Board, places: dict[str, str], work: Path) -> None:
    """Make ``top.bit`` from ``top.fasm``."""
    database = places[DATABASE]
    run_tool("fasm2frames", _frames_arguments(board, database), cwd=work, log="frames.log")
    _expect(work, "top.frames", "fasm2frames", "frames.log")
    run_tool("xc7frames2bit", _bit_arguments(board, database), cwd=work, log="pack.log")
    _expect(work, "top.bit", "xc7frames2bit", "pack.log")


def _expect(work: Path, name: str, tool: str, log: str) -> None:
    if not (work / name).is_file():
        lines = (work / log).read_text(errors="replace", encoding="utf-8").splitlines()
        raise ToolFailed(tool, 0, work / log, [*lines, f"error: it wrote no {name}"])
