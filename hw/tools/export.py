"""RTL of an Amaranth design: RTLIL for synthesis, Verilog for simulators and people."""

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import Fragment, Value

from hw.common.files import write
from hw.tools.yosys import run_yosys


def rtlil_text(
    design: Any, *, ports: Sequence[Value] | None = None, name: str = "top", platform: Any = None
) -> str:
    """Return the RTLIL of a design; no source locations, so same design gives same text.

    ``ports`` may be left out for a ``wiring.Component``: its signature tells.
    """
    if platform is not None:
        design = Fragment.get(design, platform)
    return rtlil.convert(design, name=name, ports=ports, emit_src=False)


def export_rtlil(
    design: Any, path: Path | str, ports: Sequence[Value] | None = None, **options: Any
) -> Path:
    """Write the RTLIL of a design to ``path``; options as for ``rtlil_text``."""
    return write(Path(path), rtlil_text(design, ports=ports, **options))


def export_verilog(
    design: Any, path: Path | str, ports: Sequence[Value] | None = None, **options: Any
) -> Path:
    """Write a design as Verilog to ``path``, through Yosys; options as for ``rtlil_text``.

    Processes become assignments before they are written, so that no ``always @*`` block waits for
    ever at time 0; memories stay arrays. A bit that is repeated, as a sign is, is written as a
    replication, which simulators take as one step. No signal is declared signed: where one is
    taken as a plain word, Verilog would extend its sign; Yosys spells out ``$signed`` where the
    sign counts. The RTLIL it came from stays beside it (``.il``).
    """
    path = Path(path)
    export_rtlil(design, path.with_suffix(".il"), ports, **options)
    return verilog_from_rtlil(path.with_suffix(".il"), path)


def verilog_from_rtlil(source: Path, path: Path) -> Path:
    """Write Verilog ``path`` from the RTLIL file ``source`` in the same folder."""
    part = f".{path.name}.part"
    try:
        run_yosys(
            [
                f"read_rtlil {source.name}",
                "proc -nomux -norom",
                "memory_collect",
                f"write_verilog -sv -norename {part}",
            ],
            cwd=path.parent,
            name=f"{path.stem}.export",
        )
        text = replicated(unsigned(path.with_name(part).read_text(encoding="utf-8")))
        path.with_name(part).write_text(text, encoding="utf-8")
        os.replace(path.with_name(part), path)
    finally:
        path.with_name(part).unlink(missing_ok=True)
    return path


def unsigned(verilog: str) -> str:
    """Return Verilog whose signals are declared without a sign."""
    return re.sub(
        r"^(\s*(?:input|output|inout|wire|reg)\b.*?) signed ", r"\1 ", verilog, flags=re.M
    )


def replicated(verilog: str) -> str:
    """Return Verilog in which ``{ a, a, b }`` reads ``{ {2{a}}, b }``; Yosys spells it out."""

    def shorter(found: re.Match[str]) -> str:
        groups = ((part, len(list(run))) for part, run in itertools.groupby(found[1].split(", ")))
        return f"{{ {', '.join(p if n == 1 else f'{{{n}{{{p}}}}}' for p, n in groups)} }}"

    return re.sub(r"\{ ([^{}\n]*) \}", shorter, verilog)
