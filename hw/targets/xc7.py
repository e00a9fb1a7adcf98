"""Xilinx 7-series: Yosys, and the open flow (openXC7) where it is installed, else scripts."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth import Const, Instance, Module, Signal

from boards import Board
from hw.common.errors import SpikeloomError
from hw.common.files import write
from hw.targets import pll
from hw.targets.target import Clocks, Estimate, Pins, Target
from hw.tools import check_xc7, find, timing_xc7
from hw.tools.contents import refuse_other_contents
from hw.tools.errors import ToolFailed
from hw.tools.find import run_tool
from hw.tools.netlist import Netlist
from hw.tools.yosys import without_paths

SEED = 1
#: ps that the mapper reckons for a net: of the estimate's model, at four readers.
NET = round(1000 * timing_xc7.wire(4))
CHIPDB, DATABASE = "SPIKELOOM_CHIPDB", "PRJXRAY_DB_DIR"  #: Environment variables.
#: Of PLLE2_ADV, speed grade -1, which the faster ones can do too. The slowest oscillator takes the
#: least power.
PLL = pll.Limits(
    source=(19_000_000, 800_000_000),
    detector=(19_000_000, 450_000_000),
    oscillator=(800_000_000, 1_600_000_000),
    output=(6_250_000, 800_000_000),
    divide=56,
    multiply=(2, 64),
    share=128,
    behind=False,
    liked=800_000_000,
)
#: A part's name: die, temperature range, package, speed.
PART = re.compile(r"(xc7([aksz])\d+[ts]?)[il]?([a-z]+\d+)-(\d)\w*", re.IGNORECASE)
SERIES = {"a": "artix7", "k": "kintex7", "s": "spartan7", "z": "zynq7"}
LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "INV")
FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
#: What nextpnr says of a clock, once placed and once routed.
MAX_FREQUENCY = re.compile(
    r"Max frequency for clock\s+'([^']*)':\s+([\d.]+) MHz \((?:PASS|FAIL) at ([\d.]+) MHz\)"
)
#: LUTs of a slice that a cell used as memory takes.
MEMORY_LUTS = {
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
}


class Xc7(Target):
    """Artix-7, Spartan-7 and their like. Popcounts of LUT6_2, multipliers of DSP48E1."""

    primitives = "xc7"
    titles = {
        "lut": "LUT",
        "lut_as_memory": "LUT as memory",
        "ff": "flip-flop",
        "bram36": "RAMB36",
        "dsp": "DSP",
    }
    tools = ("nextpnr-xilinx", "fasm2frames", "xc7frames2bit")
    route_reads = ("top.json", "top.xdc")
    pack_reads = ("top.fasm",)
    elsewhere = "build_openxc7.sh and build_vivado.tcl make it"

    def __init__(self, board: Board):
        super().__init__(board)
        self.database, self.series = database_names(board)

    def check_board(self) -> None:
        super().check_board()
        pll.ratio(self.board, PLL)

    def clock(self, source: Signal, clock: Signal, locked: Signal) -> Module:
        m, ratio = Module(), pll.ratio(self.board, PLL)
        raw, feedback = Signal(), Signal()
        m.submodules.pll = Instance(
            "PLLE2_ADV",
            p_BANDWIDTH="OPTIMIZED",
            p_COMPENSATION="INTERNAL",
            p_STARTUP_WAIT="FALSE",
            p_CLKIN1_PERIOD=1e9 / self.board.clock,
            p_DIVCLK_DIVIDE=ratio.divide,
            p_CLKFBOUT_MULT=ratio.multiply,
            p_CLKOUT0_DIVIDE=ratio.share,
            i_CLKIN1=source,
            i_CLKIN2=Const(0),
            i_CLKINSEL=Const(1),
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            i_DADDR=Const(0, 7),
            i_DCLK=Const(0),
            i_DEN=Const(0),
            i_DI=Const(0, 16),
            i_DWE=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=raw,
            o_LOCKED=locked,
        )
        m.submodules.global_clock = Instance("BUFG", i_I=raw, o_O=clock)
        return m

    def synthesis(self, rtlil: str, netlist: str, stat: str) -> list[str]:
        """DSPs are instantiated, not inferred.

        The step ``map_luts`` of synth_xilinx stands here in full: it takes a net to cost `NET`
        instead of 300 ps, so that fewer LUTs follow each other where that decides the clock. Delays
        stay flip-flops, of which there are many: a shift register out of a LUT takes that LUT, and
        is four times as slow at its output.
        """
        synth = "synth_xilinx -family xc7 -flatten -nodsp -nosrl -top top -run"
        return [
            f"read_rtlil {rtlil}",
            f"{synth} begin:map_luts",
            "opt_expr -mux_undef -noclkinv",
            "read_verilog -icells -lib -specify +/xilinx/abc9_model.v",
            f"abc9 -W {NET}",
            "clean",
            "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
            "xilinx_dffopt",
            "opt_lut_ins -tech xilinx",
            f"{synth} finalize:edif",
            f"tee -q -o {stat} stat -tech xilinx",
            *without_paths("top"),
            f"write_json -noscopeinfo {netlist}",
        ]

    def resources(self, counts: Mapping[str, int]) -> dict[str, int | float]:
        """LUTs before packing: two small LUTs may share one site later.

        ``bram36`` counts a RAMB18E1 as half of a RAMB36E1.
        """
        memory = sum(counts.get(t, 0) * n for t, n in MEMORY_LUTS.items())
        ram36, ram18 = counts.get("RAMB36E1", 0), counts.get("RAMB18E1", 0)
        return {
            "lut": lut_cells(counts) + memory,
            "lut_as_memory": memory,
            "ff": sum(counts.get(t, 0) for t in FLIP_FLOPS),
            "bram36": ram36 + (ram18 + 1) // 2,
            "dsp": counts.get("DSP48E1", 0),
        }

    def check(self, netlist: Netlist, path: Path, resets: Mapping[str, int], program: Any) -> None:
        """Nothing that the open flow gets wrong, and block RAMs that hold the program's images."""
        check_xc7.refuse_offences(netlist, path, dict(resets))
        if program is not None:
            refuse_other_contents(netlist, program)

    def timing(self, netlist: Netlist) -> Estimate | None:
        path = timing_xc7.longest_path(netlist)
        return Estimate(round(path.mhz, 2), timing_xc7.NOTE, path.nets, path.delay)

    def constrain(self, folder: Path, pins: Pins, clocks: Clocks) -> None:
        write(folder / "top.xdc", constraints(pins, clocks))
        write(folder / "build_vivado.tcl", vivado_script(self.board))
        write(folder / "build_openxc7.sh", self.open_script()).chmod(0o755)

    def route(self, folder: Path) -> str | None:
        """``top.json`` to ``top.fasm`` with nextpnr-xilinx, where the open flow is installed.

        SpikeloomError where the router says that a clock is missed, whatever its exit status.
        """
        places, why = self.places()
        if places is None:
            return why
        arguments = self._route_arguments(places[CHIPDB])
        run_tool("nextpnr-xilinx", arguments, cwd=folder, log="route.log")
        _expect(folder, "top.fasm", "nextpnr-xilinx", "route.log")
        text = (folder / "route.log").read_text(errors="replace", encoding="utf-8")
        for reached, wanted in routed_clocks(text).values():
            self.refuse_slow(reached, wanted)
        return None

    def pack(self, folder: Path) -> None:
        places, why = self.places()
        if places is None:
            raise SpikeloomError(f"the design is routed, but it cannot be packed: {why}")
        database = places[DATABASE]
        run_tool("fasm2frames", self._frames_arguments(database), cwd=folder, log="frames.log")
        _expect(folder, "top.frames", "fasm2frames", "frames.log")
        run_tool("xc7frames2bit", self._bit_arguments(database), cwd=folder, log="pack.log")
        _expect(folder, "top.bit", "xc7frames2bit", "pack.log")
        (folder / "top.frames").unlink()

    def inputs(self) -> list[Any]:
        return [*super().inputs(), *self.places()]

    def places(self) -> tuple[dict[str, str] | None, str]:
        """Return the places of the open flow's databases, or None and what is missing."""
        for tool in self.tools:
            if not find.have(tool):
                return None, f"{tool} is not installed"
        for name, what in (
            (CHIPDB, "nextpnr-xilinx' chip database"),
            (DATABASE, "Project X-Ray's"),
        ):
            given = os.environ.get(name)
            if not given:
                return None, f"{name} ({what}) is not set"
            if not Path(given).exists():
                raise SpikeloomError(
                    f"{name} is {given!r}, but there is nothing; correct or unset it"
                )
        places = {name: str(Path(os.environ[name]).resolve()) for name in (CHIPDB, DATABASE)}
        return places, f"openXC7 for {self.database}"

    def open_script(self) -> str:
        """Return a shell script with the commands from netlist to bitstream with openXC7."""
        route = " ".join(self._route_arguments(f'"${CHIPDB}"'))
        frames = " ".join(self._frames_arguments(f'"${DATABASE}"'))
        bit = " ".join(self._bit_arguments(f'"${DATABASE}"'))
        return f"""\
#!/bin/sh
# Place, route and pack with the openXC7 tools (nextpnr-xilinx 0.9.5 or newer), run in this folder.
# {CHIPDB}: nextpnr-xilinx' chip database of {self.database} (a .bin file).
# {DATABASE}: Project X-Ray's database, the folder that holds {self.series}/.
set -eu
rm -f top.fasm top.frames top.bit
: "${{{CHIPDB}:?set it to the chip database of {self.database}}}"
: "${{{DATABASE}:?set it to the folder of the Project X-Ray database}}"
nextpnr-xilinx {route} --log top.log
# Of what is said of a clock the last counts: it is said once placed and once routed.
awk -F "'" '/Max frequency for clock/ {{ said[$2] = $0 }}
END {{ for (clock in said) if (said[clock] ~ /FAIL/) {{ print said[clock]; missed = 1 }}
if (missed) print "timing is missed, no bitstream: build with a lower --clock"
exit missed }}' top.log >&2
fasm2frames {frames}
xc7frames2bit {bit}
# openFPGALoader -b {self.board.loader} top.bit
"""

    def _route_arguments(self, chipdb: str) -> list[str]:
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
            f"{self.board.core_clock / 1e6:g}",
            "--seed",
            str(SEED),
        ]

    def _frames_arguments(self, folder: str) -> list[str]:
        root = f"{folder}/{self.series}"
        return ["--part", self.database, "--db-root", root, "top.fasm", "top.frames"]

    def _bit_arguments(self, folder: str) -> list[str]:
        return [
            "--part_file",
            f"{folder}/{self.series}/{self.database}/part.yaml",
            "--part_name",
            self.database,
            "--frm_file",
            "top.frames",
            "--output_file",
            "top.bit",
        ]


def lut_cells(counts: Mapping[str, int]) -> int:
    """Return the number of LUT cells (LUT1 to LUT6, inverters; a LUT6_2 counts as one)."""
    return sum(counts.get(t, 0) for t in LUTS)


def database_names(board: Board) -> tuple[str, str]:
    """Return what Project X-Ray calls a board's part, without temperature range, and its series."""
    found = PART.fullmatch(board.part)
    if not found:
        raise SpikeloomError(
            f"board {board.name}: part {board.part!r} does not tell package and speed of a "
            "7-series part as in xc7a35ticsg324-1L"
        )
    die, letter, package, speed = (text.lower() for text in found.groups())
    return f"{die}{package}-{speed}", SERIES[letter]


def constraints(pins: Pins, clocks: Clocks) -> str:
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
    """Return a Tcl script that takes the Verilog to a bitstream with Vivado, if timing is met."""
    mhz = f"{board.core_clock / 1e6:g}"
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
foreach kind {{setup hold}} {{
    set slack [get_property SLACK [get_timing_paths -$kind]]
    if {{$slack < 0}} {{
        error "timing is missed, no bitstream: the worst $kind slack is $slack ns, at {mhz} MHz"
    }}
}}
write_bitstream -force top_vivado.bit
"""


def routed_clocks(log: str) -> dict[str, tuple[float, float]]:
    """Return what nextpnr says of each clock, reached and wanted in MHz; of two, the last."""
    return {name: (float(mhz), float(wanted)) for name, mhz, wanted in MAX_FREQUENCY.findall(log)}


def _expect(folder: Path, name: str, tool: str, log: str) -> None:
    if not (folder / name).is_file():
        lines = (folder / log).read_text(errors="replace", encoding="utf-8").splitlines()
        raise ToolFailed(tool, 0, folder / log, [*lines, f"error: it wrote no {name}"])
