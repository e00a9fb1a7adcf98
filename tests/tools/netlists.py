"""Netlists to try the tools on: synthesised, or of cells made by hand."""

from hw.tools import export_rtlil, run_yosys
from hw.tools.netlist import Cell, Netlist


def synthesise(design, folder):
    export_rtlil(design, folder / "d.il")
    run_yosys(
        [
            "read_rtlil d.il",
            "synth_xilinx -family xc7 -flatten -nodsp -noiopad -top top",
            "write_json -noscopeinfo d.json",
        ],
        cwd=folder,
        name="synth",
    )
    return Netlist.load(folder / "d.json")


def cell(kind, name="c", connections=None, **parameters):
    return Cell(name, kind, parameters, connections or {})


def netlist(*cells, netnames=None):
    return Netlist("top", cells, {}, netnames or {})
