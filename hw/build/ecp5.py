"""Lattice ECP5: synthesis, preferences, place and route, bitstream."""

import json
from pathlib import Path
from typing import Any

from boards import Board
from hw.build.board_top import Pin
from hw.common.errors import SpikeloomError
from hw.tools.find import run_tool
from hw.tools.yosys import without_paths

SEED = 1
PLACED = {
    "lut": "TRELLIS_COMB",
    "ff": "TRELLIS_FF",
    "bram18": "DP16KD",
    "dsp": "MULT18X18D",
}


def synthesis_commands(rtlil: str, netlist: str, stat: str) -> list[str]:
    """Return the Yosys commands from RTLIL to a netlist.

    Wide multiplexers (PFUMX, L6MUX21) are left out: adder trees map to half the LUTs without.
    """
    return [
        f"read_rtlil {rtlil}",
        "synth_ecp5 -nowidelut -top top",
        f"tee -q -o {stat} stat",
        *without_paths("top"),
        f"write_json -noscopeinfo {netlist}",
    ]


def constraints(pins: tuple[Pin, ...], clocks: tuple[tuple[str, float], ...]) -> str:
    """Return the preference file (LPF) of a board's pins and clocks."""
    lines = ["BLOCK ASYNCPATHS;", "BLOCK RESETPATHS;"]
    for pin in pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.pin}";')
        if pin.attributes:
            values = " ".join(f"{name}={value}" for name, value in pin.attributes)
            lines.append(f'IOBUF PORT "{pin.port}" {values};')
    lines += [f'FREQUENCY PORT "{port}" {hz / 1e6:g} MHZ;' for port, hz in clocks]
    return "".join(f"{line}\n" for line in lines)


def route(board: Board, work: Path) -> None:
    """Place and route ``top.json`` to ``top.config``; figures go to ``placed.json``."""
    device, speed_package = board.part.rsplit("-", 1)
    size = device.split("-")[1].removesuffix("F")
    run_tool(
        "nextpnr-ecp5",
        [
            f"--{size}k",
            "--package",
            "CABGA381",
            "--speed",
            speed_package[0],
            "--json",
            "top.json",
            "--lpf",
            "top.lpf",
            "--textcfg",
            "top.config",
            "--report",
            "nextpnr.json",
            "--timing-allow-fail",
            "--seed",
            str(SEED),
        ],
        cwd=work,
        log="route.log",
    )
    report = json.loads((work / "nextpnr.json").read_text(encoding="utf-8"))
    (work / "nextpnr.json").unlink()
    figures = json.dumps(placed(report), indent=1, sort_keys=True)
    (work / "placed.json").write_text(figures + "\n", encoding="utf-8")


def placed(report: dict[str, Any]) -> dict[str, Any]:
    """Return resources and lowest clock figure from nextpnr's own report."""
    found = report["utilization"]
    clocks = report["fmax"]
    if not clocks:
        raise SpikeloomError("nextpnr-ecp5 reports no clock: the design has no register")
    name, slowest = min(clocks.items(), key=lambda item: item[1]["achieved"])
    used = {ours: found.get(theirs, {}).get("used", 0) for ours, theirs in PLACED.items()}
    return {
        "resources": used,
        "fmax_mhz": slowest["achieved"],
        "clock": name,
    }


def pack(work: Path) -> None:
    """Make ``top.bit`` from ``top.config``."""
    arguments = ["--compress", "--input", "top.config", "--bit", "top.bit"]
    run_tool("ecppack", arguments, cwd=work, log="pack.log")
