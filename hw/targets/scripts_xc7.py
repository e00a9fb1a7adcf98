"""What the 7-series target writes for tools and people: constraints, scripts, command lines."""

from boards import Board
from hw.targets.target import Clocks, Pins
from hw.tools import fasm_xc7
from hw.tools.nextpnr_xc7 import Router
from hw.tools.openxc7 import CHIPDB, DATABASE

#: The router that the script is for: the first of its generation that needs no workaround in the
#: netlist.
MEANT = Router("nextpnr-xilinx", himbaechel=False, said="(Version 0.9.5)")


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


def open_script(board: Board, part: str, series: str, seed: int) -> str:
    """Return a shell script with the commands from netlist to bitstream with openXC7.

    Parameters
    ----------
    part, series : of the board, as Project X-Ray has them.
    seed : of the router.
    """
    place, mhz = f'"${DATABASE}"/{series}', board.core_clock / 1e6
    route = " ".join(MEANT.arguments(part, f'"${CHIPDB}"', "top.json", mhz, seed))
    frames = " ".join(frames_arguments(part, place))
    bit = " ".join(bit_arguments(part, place))
    return f"""\
#!/bin/sh
# Place, route and pack with the openXC7 tools (nextpnr-xilinx 0.9.5 or newer, not himbaechel, for
# which python -m hw.build is at hand), run in this folder.
# {CHIPDB}: nextpnr-xilinx' chip database of {part} (a .bin file).
# {DATABASE}: Project X-Ray's database, the folder that holds {series}/.
set -eu
if nextpnr-xilinx --help 2>&1 | grep -q -e --vopt; then
echo "this nextpnr-xilinx is himbaechel: let python -m hw.build --board {board.name} call it" >&2
exit 1
fi
rm -f top.fasm top.frames top.bit
: "${{{CHIPDB}:?set it to the chip database of {part}}}"
: "${{{DATABASE}:?set it to the folder of the Project X-Ray database}}"
nextpnr-xilinx {route} --log top.log
# Of what is said of a clock the last counts: it is said once placed and once routed.
awk -F "'" '/Max frequency for clock/ {{ said[$2] = $0 }}
END {{ for (clock in said) if (said[clock] ~ /FAIL/) {{ print said[clock]; missed = 1 }}
if (missed) print "timing is missed, no bitstream: build with a lower --clock"
exit missed }}' top.log >&2
# Control pins of multipliers that the router leaves open are tied to 0.
awk '{fasm_xc7.awk()}' top.fasm > tied.fasm
mv tied.fasm top.fasm
fasm2frames {frames}
xc7frames2bit {bit}
# openFPGALoader -b {board.loader} top.bit
"""


def frames_arguments(part: str, database: str) -> list[str]:
    """Return fasm2frames' arguments; ``database`` is the folder of the part's series."""
    return ["--part", part, "--db-root", database, "top.fasm", "top.frames"]


def bit_arguments(part: str, database: str) -> list[str]:
    """Return xc7frames2bit's arguments; ``database`` is the folder of the part's series."""
    return [
        "--part_file",
        f"{database}/{part}/part.yaml",
        "--part_name",
        part,
        "--frm_file",
        "top.frames",
        "--output_file",
        "top.bit",
    ]


def assembler_arguments(part: str, database: str) -> list[str]:
    """Return fpga-as' arguments, which prints the bitstream."""
    return [f"--prjxray_db_path={database}", f"--part={part}", "top.fasm"]
