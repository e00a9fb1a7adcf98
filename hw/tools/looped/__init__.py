"""Verilog for a compiled simulator, in which copies of a part are one loop over arrays.

A core has sixteen lanes and sixty-four elements that all do the same in each cycle. Written one by
one they are far more code than a processor's cache holds; as loops over arrays of their registers a
C++ compiler makes a few vector instructions of each step. The netlist is the same, registers,
memories and cells: only the order of writing differs.

`netlist` reads the cells, `alike` finds what is alike, `write` writes it.
"""

from pathlib import Path
from typing import Any

from hw.tools.export import rtlil_text
from hw.tools.looped.alike import Alike
from hw.tools.looped.netlist import Netlist, registers_named
from hw.tools.looped.write import Writer
from hw.tools.yosys import run_yosys

__all__ = ["looped_verilog"]


def looped_verilog(design: Any, folder: Path, *, name: str = "top", **options: Any) -> str:
    """Return a flat Verilog module ``name``; options as for `hw.tools.export.rtlil_text`.

    One clock, ``clk``, whose rising edge moves everything. ``folder`` takes Yosys's files.
    """
    source = folder / "looped.il"
    text = registers_named(rtlil_text(design, name=name, **options))
    source.write_text(text, encoding="utf-8")
    run_yosys(
        [
            f"read_rtlil {source.name}",
            f"hierarchy -top {name}",
            "proc",
            "flatten",
            "opt_expr",
            "opt_clean",
            "memory_collect",
            "opt_clean",
            "write_json looped.json",
        ],
        cwd=folder,
        name="looped",
    )
    netlist = Netlist.read(folder / "looped.json", name)
    return Writer(netlist, Alike(netlist)).text(name)
