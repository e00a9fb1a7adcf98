"""Xilinx 7-series: Yosys, and the open flow (openXC7) where it is installed, else scripts."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth import Const, Instance, Module, Signal

from boards import Board
from hw.common.errors import SpikeloomError
from hw.common.files import write
from hw.targets import pll, scripts_xc7
from hw.targets.target import Clocks, Estimate, Pins, Target
from hw.tools import check_xc7, fasm_xc7, luts_xc7, timing_xc7
from hw.tools.contents import refuse_other_contents
from hw.tools.errors import ToolFailed
from hw.tools.find import run_tool
from hw.tools.netlist import Netlist
from hw.tools.openxc7 import Flow, Missing, find_flow
from hw.tools.yosys import without_paths

SEED = 1
#: ps that the mapper reckons for a net: of the estimate's model, at four readers.
NET = round(1000 * timing_xc7.wire(4))
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
#: Of MMCME2_ADV, speed grade -1, for clocks that are too slow for a PLL; whole factors alone.
MMCM = pll.Limits(
    source=(10_000_000, 800_000_000),
    detector=(10_000_000, 450_000_000),
    oscillator=(600_000_000, 1_200_000_000),
    output=(4_690_000, 800_000_000),
    divide=106,
    multiply=(2, 64),
    share=128,
    behind=False,
    liked=600_000_000,
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
    tools = ("nextpnr-xilinx", "fasm2frames", "xc7frames2bit", "fpga-as")
    route_reads = ("top.json", "top.xdc")
    pack_reads = ("top.fasm",)
    elsewhere = "build_openxc7.sh and build_vivado.tcl make it"

    def __init__(self, board: Board):
        super().__init__(board)
        self.database, self.series = database_names(board)

    def check_board(self) -> None:
        super().check_board()
        pll.ratio(self.board, self.limits)

    @property
    def limits(self) -> pll.Limits:
        """Of the PLL, or of the MMCM where the board's clock is too slow for a PLL."""
        return PLL if self.board.clock >= PLL.source[0] else MMCM

    def clock(self, source: Signal, clock: Signal, locked: Signal) -> Module:
        """A PLLE2_ADV, or an MMCME2_ADV, whose factors are reals to the tools."""
        m, ratio = Module(), pll.ratio(self.board, self.limits)
        raw, feedback = Signal(), Signal()
        if self.limits is PLL:
            kind: str = "PLLE2_ADV"
            more: dict[str, Any] = {
                "p_CLKFBOUT_MULT": ratio.multiply,
                "p_CLKOUT0_DIVIDE": ratio.share,
            }
        else:
            kind = "MMCME2_ADV"
            more = {
                "p_CLKFBOUT_MULT_F": float(ratio.multiply),
                "p_CLKOUT0_DIVIDE_F": float(ratio.share),
                **{f"i_{name}": Const(0) for name in ("PSCLK", "PSEN", "PSINCDEC")},
            }
        m.submodules.pll = Instance(
            kind,
            p_BANDWIDTH="OPTIMIZED",
            p_COMPENSATION="INTERNAL",
            p_STARTUP_WAIT="FALSE",
            p_CLKIN1_PERIOD=1e9 / self.board.clock,
            p_DIVCLK_DIVIDE=ratio.divide,
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
            **more,
        )
        m.submodules.global_clock = Instance("BUFG", i_I=raw, o_O=clock)
        return m

    def flash_clock(self, clock: Signal, enable: Signal) -> Module:
        """A STARTUPE2; its enable is no constant, which some routers leave away at this cell."""
        m = Module()
        m.submodules.startup = Instance(
            "STARTUPE2",
            a_keep=1,
            p_PROG_USR="FALSE",
            i_USRCCLKO=clock,
            i_USRCCLKTS=~enable,
            i_USRDONEO=Const(1),
            i_USRDONETS=Const(1),
            **{f"i_{name}": Const(0) for name in ("CLK", "GSR", "GTS", "KEYCLEARB", "PACK")},
        )
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
        """Nothing that the open flow gets wrong, and block RAMs that hold the program's images.

        The open flow is the router that is here, or any where none is.
        """
        check_xc7.refuse_offences(netlist, path, dict(resets), check_xc7.router_here())
        if program is not None:
            refuse_other_contents(netlist, program)

    def timing(self, netlist: Netlist) -> Estimate | None:
        path = timing_xc7.longest_path(netlist)
        return Estimate(round(path.mhz, 2), timing_xc7.NOTE, path.nets, path.delay)

    def constrain(self, folder: Path, pins: Pins, clocks: Clocks) -> None:
        script = scripts_xc7.open_script(self.board, self.database, self.series, SEED)
        write(folder / "top.xdc", scripts_xc7.constraints(pins, clocks))
        write(folder / "build_vivado.tcl", scripts_xc7.vivado_script(self.board))
        write(folder / "build_openxc7.sh", script).chmod(0o755)

    def route(self, folder: Path) -> str | None:
        """``top.json`` to ``top.fasm`` with either nextpnr, where the open flow is installed.

        What the router is not known to get right is worked around: LUTs of two outputs, tie-offs of
        multipliers. SpikeloomError where it says that a clock is missed, whatever its exit status.
        """
        try:
            flow = self.flow()
        except Missing as missing:
            return missing.why
        netlist = "top.json"
        if not flow.router.right("LUT6_2"):
            netlist = "routed.json"
            luts_xc7.split_luts(folder / "top.json", folder / netlist)
        mhz = self.board.core_clock / 1e6
        arguments = flow.router.arguments(self.database, str(flow.chipdb), netlist, mhz, SEED)
        run_tool("nextpnr-xilinx", arguments, cwd=folder, log="route.log")
        _expect(folder, "top.fasm", "nextpnr-xilinx", "route.log")
        if netlist != "top.json":
            (folder / netlist).unlink()
        text = (folder / "route.log").read_text(errors="replace", encoding="utf-8")
        for reached, wanted in routed_clocks(text).values():
            self.refuse_slow(reached, wanted)
        fasm_xc7.tie(folder / "top.fasm")
        return None

    def pack(self, folder: Path) -> None:
        try:
            flow = self.flow()
        except Missing as missing:
            raise SpikeloomError(
                f"the design is routed, but it cannot be packed: {missing.why}"
            ) from None
        place = str(flow.database)
        if flow.assembler == ("fpga-as",):
            arguments = scripts_xc7.assembler_arguments(self.database, place)
            run_tool("fpga-as", arguments, cwd=folder, log="pack.log", result="top.bit")
            _expect(folder, "top.bit", "fpga-as", "pack.log")
            return
        frames = scripts_xc7.frames_arguments(self.database, place)
        run_tool("fasm2frames", frames, cwd=folder, log="frames.log")
        _expect(folder, "top.frames", "fasm2frames", "frames.log")
        bit = scripts_xc7.bit_arguments(self.database, place)
        run_tool("xc7frames2bit", bit, cwd=folder, log="pack.log")
        _expect(folder, "top.bit", "xc7frames2bit", "pack.log")
        (folder / "top.frames").unlink()

    def lacking(self) -> str | None:
        try:
            self.flow()
        except Missing as missing:
            return missing.why
        return None

    def checks(self) -> list[Any]:
        used = check_xc7.router_here()
        return [] if used is None else [used.himbaechel, used.said]

    def inputs(self) -> list[Any]:
        try:
            flow = self.flow()
        except Missing as missing:
            return [*super().inputs(), missing.why]
        places = [str(flow.chipdb), str(flow.database)]
        return [*super().inputs(), flow.router.himbaechel, flow.assembler, *places]

    def flow(self) -> Flow:
        """Return the open flow that is installed here; Missing where something of it is not."""
        return find_flow(self.database, self.series)


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


def routed_clocks(log: str) -> dict[str, tuple[float, float]]:
    """Return what nextpnr says of each clock, reached and wanted in MHz; of two, the last."""
    return {name: (float(mhz), float(wanted)) for name, mhz, wanted in MAX_FREQUENCY.findall(log)}


def _expect(folder: Path, name: str, tool: str, log: str) -> None:
    if not (folder / name).is_file():
        lines = (folder / log).read_text(errors="replace", encoding="utf-8").splitlines()
        raise ToolFailed(tool, 0, folder / log, [*lines, f"error: it wrote no {name}"])
