"""Lattice ECP5: Yosys, nextpnr-ecp5 and Project Trellis."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth import Const, Instance, Module, Signal

from boards import Board
from hw.common.attributes import APART
from hw.common.errors import SpikeloomError
from hw.common.files import write, write_json
from hw.targets import pll
from hw.targets.target import Clocks, Estimate, Pins, Placed, Target
from hw.tools import multreg_ecp5, outreg_ecp5, registers_ecp5
from hw.tools.find import run_tool
from hw.tools.globals_ecp5 import promote_module
from hw.tools.netlist import Netlist
from hw.tools.room_ecp5 import DIES, free_rows, leave_room
from hw.tools.yosys import without_paths

SEED = 1
ROOMY = "room.json"  #: The netlist that nextpnr reads, in the build folder while it runs.
#: In a part that has room, a placer that heeds timing more than by itself. The router is nextpnr's
#: own: the other one (router2) ends with some hundred wires that it takes from net to net for ever.
ROOMY_ROUTE = ("--placer-heap-timingweight", "30")
#: In a part that is full, the placer whose nets are shortest.
FULL_ROUTE = ("--placer", "static")
#: Of EHXPLLL. The detector's least frequency is that of Project Trellis' own calculator.
PLL = pll.Limits(
    source=(8_000_000, 400_000_000),
    detector=(3_125_000, 400_000_000),
    oscillator=(400_000_000, 800_000_000),
    output=(3_125_000, 400_000_000),
    divide=128,
    multiply=(1, 128),
    share=128,
    behind=True,
    liked=600_000_000,
)
#: A part's name: variant, size, speed, package, grade.
PART = re.compile(r"LFE5U(M5G|M|)-(\d+)F-(\d)(BG|MG)(\d+)([CI])", re.IGNORECASE)
PACKAGES = {"BG": "CABGA", "MG": "CSFBGA"}
#: Names of nextpnr's report.
PLACED = {
    "lut": "TRELLIS_COMB",
    "ff": "TRELLIS_FF",
    "bram18": "DP16KD",
    "dsp": "MULT18X18D",
}


class Ecp5(Target):
    """Lattice ECP5, ECP5UM and ECP5UM5G. The array is of CCU2C; figures are the router's."""

    primitives = "ecp5"
    titles = {
        "lut": "LUT",
        "lut_as_memory": "LUT as memory",
        "ff": "flip-flop",
        "bram18": "DP16KD (18 kbit)",
        "dsp": "DSP",
    }
    tools = ("nextpnr-ecp5", "ecppack")
    route_reads = ("top.json", "top.lpf")
    pack_reads = ("top.config",)

    def __init__(self, board: Board):
        super().__init__(board)
        self.device = device_options(board)

    def check_board(self) -> None:
        super().check_board()
        pll.ratio(self.board, PLL)

    def clock(self, source: Signal, clock: Signal, locked: Signal) -> Module:
        m, board, ratio = Module(), self.board, pll.ratio(self.board, PLL)
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=ratio.divide,
            p_CLKFB_DIV=ratio.multiply,
            p_CLKOP_DIV=ratio.share,
            p_CLKOP_CPHASE=ratio.share - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOP_ENABLE="ENABLED",
            p_FEEDBK_PATH="CLKOP",
            p_OUTDIVIDER_MUXA="DIVA",
            a_FREQUENCY_PIN_CLKI=str(board.clock / 1e6),
            a_FREQUENCY_PIN_CLKOP=str(board.core_clock / 1e6),
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            i_CLKI=source,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_ENCLKOP=Const(0),
            i_PLLWAKESYNC=Const(0),
            o_CLKOP=clock,
            o_LOCK=locked,
        )
        return m

    def flash_clock(self, clock: Signal, enable: Signal) -> Module:
        m = Module()
        m.submodules.flash_clock = Instance(
            "USRMCLK", a_keep=1, i_USRMCLKI=clock, i_USRMCLKTS=~enable
        )
        return m

    def synthesis(self, rtlil: str, netlist: str, stat: str) -> list[str]:
        """Wide multiplexers (PFUMX, L6MUX21) are left out: adder trees take half the LUTs so.

        A DP16KD gives neither the old nor the new word where one is read that is written; what
        Yosys puts around it to give the old one is left away where nobody reads so.
        """
        return [
            f"read_rtlil {rtlil}",
            "proc",
            "memory_collect",
            *(  # a bit for each port that reads; one writes
                f"setparam -set RD_COLLISION_X_MASK {ports}'b{'1' * ports} "
                f"t:$mem_v2 a:{APART} %i r:RD_PORTS={ports} %i"
                for ports in (1, 2)
            ),
            "synth_ecp5 -nowidelut -top top",
            f"tee -q -o {stat} stat",
            *without_paths("top"),
            f"write_json -noscopeinfo {netlist}",
        ]

    def finish(self, netlist: Path) -> None:
        registers_ecp5.absorb(netlist, outreg_ecp5.absorb_module, multreg_ecp5.absorb_module)

    def resources(self, counts: Mapping[str, int]) -> dict[str, int | float]:
        """Cells before packing."""
        memory = 6 * counts.get("TRELLIS_DPR16X4", 0)
        return {
            "lut": luts(counts) + memory,
            "lut_as_memory": memory,
            "ff": counts.get("TRELLIS_FF", 0),
            "bram18": counts.get("DP16KD", 0),
            "dsp": counts.get("MULT18X18D", 0),
        }

    def check(self, netlist: Netlist, path: Path, resets: Mapping[str, int], program: Any) -> None:
        if unmapped := sorted(t for t in netlist.counts() if t.startswith("$")):
            raise SpikeloomError(f"{path}: unmapped cells {unmapped}")

    def timing(self, netlist: Netlist) -> Estimate | None:
        return None

    def constrain(self, folder: Path, pins: Pins, clocks: Clocks) -> None:
        write(folder / "top.lpf", preferences(pins, clocks))

    def route(self, folder: Path) -> str | None:
        """Leaves ``top.config`` and, of nextpnr's report, ``placed.json``."""
        free = self._prepare(folder)
        arguments = [
            *self.device,
            "--json",
            ROOMY,
            "--lpf",
            "top.lpf",
            "--textcfg",
            "top.config",
            "--report",
            "nextpnr.json",
            "--timing-allow-fail",
            *(ROOMY_ROUTE if free else FULL_ROUTE),
            "--seed",
            str(SEED),
        ]
        try:
            run_tool("nextpnr-ecp5", arguments, cwd=folder, log="route.log")
        finally:
            (folder / ROOMY).unlink()
        report = json.loads((folder / "nextpnr.json").read_text(encoding="utf-8"))
        (folder / "nextpnr.json").unlink()
        write_json(folder / "placed.json", figures(report, free))
        return None

    def _prepare(self, folder: Path) -> int:
        """Write the netlist with what helps to route it; return how many LUTs only fill a place."""
        netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
        module, die = netlist["modules"]["top"], DIES[self.device[0].rpartition("-")[2]]
        cells = self.resources(Counter(cell["type"] for cell in module["cells"].values()))
        rows = free_rows(die, max(int(cells["lut"]), int(cells["ff"])))
        promote_module(module)
        free = leave_room(module, die, rows)
        write_json(folder / ROOMY, netlist)
        return free

    def placed(self, folder: Path) -> Placed | None:
        return Placed(**json.loads((folder / "placed.json").read_text(encoding="utf-8")))

    def pack(self, folder: Path) -> None:
        arguments = ["--compress", "--input", "top.config", "--bit", "top.bit"]
        run_tool("ecppack", arguments, cwd=folder, log="pack.log")


def luts(counts: Mapping[str, int]) -> int:
    """Return the LUT4 of cells, a CCU2C being two; those used as memory are left out."""
    return counts.get("LUT4", 0) + 2 * counts.get("CCU2C", 0)


def device_options(board: Board) -> list[str]:
    """Return nextpnr's options for die, package and speed of a board's part."""
    found = PART.fullmatch(board.part)
    if not found:
        raise SpikeloomError(
            f"board {board.name}: part {board.part!r} does not tell speed and package of an ECP5 "
            "as in LFE5U-85F-6BG381C"
        )
    variant, size, speed, kind, balls, _ = found.groups()
    name = f"u{variant.lower()}-{size}k" if variant else f"{size}k"
    return [f"--{name}", "--package", f"{PACKAGES[kind.upper()]}{balls}", "--speed", speed]


def preferences(pins: Pins, clocks: Clocks) -> str:
    """Return the preference file (LPF) of a board's pins and clocks."""
    lines = ["BLOCK ASYNCPATHS;", "BLOCK RESETPATHS;"]
    for pin in pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.pin}";')
        if pin.attributes:
            values = " ".join(f"{name}={value}" for name, value in pin.attributes)
            lines.append(f'IOBUF PORT "{pin.port}" {values};')
    lines += [f'FREQUENCY PORT "{port}" {hz / 1e6:g} MHZ;' for port, hz in clocks]
    return "".join(f"{line}\n" for line in lines)


def figures(report: dict[str, Any], free: int = 0) -> dict[str, Any]:
    """Return resources and lowest clock figure from nextpnr's own report, as of `Placed`.

    ``free``: LUTs, and as many flip-flops, that are there to keep their places free.
    """
    found, clocks = report["utilization"], report["fmax"]
    if not clocks:
        raise SpikeloomError("nextpnr-ecp5 reports no clock: the design has no register")
    name, slowest = min(clocks.items(), key=lambda item: item[1]["achieved"])
    used = {ours: found.get(theirs, {}).get("used", 0) for ours, theirs in PLACED.items()}
    used["lut"], used["ff"] = used["lut"] - free, used["ff"] - free
    return {
        "clock": name,
        "fmax_mhz": slowest["achieved"],
        "resources": dict(sorted(used.items())),
    }
