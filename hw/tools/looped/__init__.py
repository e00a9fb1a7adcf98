"""A design as C++ for a simulator, in which copies of a part are one loop over arrays.

A core has sixteen lanes and sixty-four elements that all do the same in each cycle. Written one by
one they are far more code than a processor's cache holds; as loops over arrays of their registers a
C++ compiler makes a few vector instructions of each step. The netlist is the same, registers,
memories and cells: only the order of writing differs.

`netlist` reads the cells, `fields` takes registers apart, `narrow` splits what no number of C++
holds, `alike` finds what is alike and `branches` what is needed seldom, `order` says what is
computed when, `layout` where registers stand and `names` what all is called, `write` and `model`
write it, `wrap` makes a Verilog module of it.
"""

from pathlib import Path
from typing import Any

from hw.tools.export import rtlil_text
from hw.tools.looped.alike import Alike
from hw.tools.looped.fields import fields
from hw.tools.looped.model import Model
from hw.tools.looped.narrow import narrow
from hw.tools.looped.netlist import Netlist, registers_named
from hw.tools.looped.wrap import wrapped
from hw.tools.yosys import run_yosys

__all__ = ["looped"]

#: Of each part by itself, before parts are put together, so that copies stay alike.
OPTIMISE = ("opt_expr", "opt_merge", "opt_muxtree", "opt_reduce", "opt_merge", "opt_expr")


def looped(
    design: Any,
    folder: Path,
    *,
    name: str = "top",
    rare: tuple[str, str] = ("", ""),
    **options: Any,
) -> tuple[str, str]:
    """Return a design as Verilog module ``name`` and the C++ that it calls.

    Options as for `hw.tools.export.rtlil_text`.

    One clock, ``clk``, whose rising edge moves everything. ``folder`` takes Yosys's files.
    ``rare``: beginning of the names of outputs, and a Verilog condition without which they need
    not be right.
    """
    source = folder / "looped.il"
    text = registers_named(rtlil_text(design, name=name, **options))
    source.write_text(text, encoding="utf-8")
    run_yosys(
        [
            f"read_rtlil {source.name}",
            f"hierarchy -top {name}",
            "proc",
            *OPTIMISE,
            "opt_clean",
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
    fields(netlist)
    narrow(netlist)
    start, condition = rare
    seldom = [port for port in netlist.outputs if start and port.startswith(start)]
    often = [port for port in netlist.outputs if port not in seldom]
    groups = [("1", often), *([(condition, seldom)] if seldom else [])]
    model = Model(netlist, Alike(netlist))
    text = model.text(name, [outputs for _, outputs in groups])
    return wrapped(netlist, name, groups), text
