"""Cells that a component becomes by itself."""

from collections.abc import Callable
from pathlib import Path

from amaranth.lib import wiring

from hw.tools import export_rtlil, run_yosys
from hw.tools.netlist import Netlist

#: Synthesis of a component that is no board's top, in 7-series cells.
XC7 = "synth_xilinx -family xc7 -flatten -nodsp -noiopad -noclkbuf -top top"


def cells(
    component: wiring.Component,
    synthesis: str,
    folder: Path,
    *,
    change: Callable[[str], str] | None = None,
) -> dict[str, int]:
    """Return the cells of a component by type.

    Parameters
    ----------
    synthesis : the Yosys command.
    folder : for what is made on the way.
    change : what is done to the RTLIL before.
    """
    rtlil = export_rtlil(component, folder / "part.il")
    if change is not None:
        rtlil.write_text(change(rtlil.read_text(encoding="utf-8")), encoding="utf-8")
    commands = ["read_rtlil part.il", synthesis, "write_json -noscopeinfo part.json"]
    run_yosys(commands, cwd=folder, name="part")
    return Netlist.load(folder / "part.json").counts()
