"""Gate-level simulation of a small component: Yosys' own cell models, compiled by CXXRTL."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.lib.wiring import In

from hw.tools.yosys import run_yosys


def cells(component) -> dict[str, int]:
    """Return the vendor cells that a component instantiates, by type."""
    found: dict[str, int] = {}
    text = rtlil.convert(component, name="top", emit_src=False)
    for name in re.findall(r"^  cell \\([A-Z]\w+) ", text, re.M):
        found[name] = found.get(name, 0) + 1
    return found


#: Yosys' own cell models of a family: the files that are read, and those that they include.
MODELS = {
    "generic": ((), ()),
    "xc7": (("xilinx/cells_sim.v",), ()),
    "ecp5": (("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"), ("ecp5/cells_ff.vh", "ecp5/cells_io.vh")),
}


def models(family: str, folder: Path) -> list[str]:
    """Put the cell models of a family into a folder; return the Yosys commands that read them."""
    read, included = MODELS[family]
    for name in (*read, *included):
        shutil.copy(_share() / name, folder)
    return [f"read_verilog {Path(name).name}" for name in read]


def _share() -> Path:
    return Path(pytest.importorskip("pyosys").__file__).parent / "share"


def _mangled(name: str) -> str:
    """Return what CXXRTL calls a port."""
    return "p_" + name.replace("_", "__")


def simulate(
    component,
    vectors: dict[str, list[int]],
    output: str,
    tmp_path: Path,
    family: str = "xc7",
) -> list[int]:
    """Return ``output`` (unsigned, up to 64 bits) after each clock edge, one edge per vector.

    Vendor cells of the component are replaced by Yosys' models of the ``family``. Values are
    Python integers of up to 64 bits (more: 32-bit chunks are written), signed ones included.
    """
    gxx = shutil.which("g++")
    assert gxx, "g++ is required"
    share = _share()
    text = rtlil.convert(component, name="top", emit_src=False)
    (tmp_path / "top.il").write_text(text, encoding="utf-8")
    run_yosys(
        [
            *models(family, tmp_path),
            "read_rtlil top.il",
            "hierarchy -top top -check",
            "proc",
            "flatten",
            "opt_clean -purge",
            "delete t:$scopeinfo",
            "write_cxxrtl -O6 -g0 top.cc",
        ],
        cwd=tmp_path,
    )
    width = {
        name: len(getattr(component, name))
        for name, member in component.signature.members.items()
        if member.flow is In
    }
    sets, words = [], []
    for name, bits in width.items():
        chunks = -(-bits // 32)
        sets.append(
            f"for (int k = 0; k < {chunks}; k++) "
            f"{{ std::cin >> v; t.{_mangled(name)}.data[k] = v; }}"
        )
        words.append((name, bits, chunks))
    main = f"""#include "top.cc"
#include <iostream>
int main() {{
  cxxrtl_design::p_top t; uint32_t v; size_t n; std::cin >> n;
  for (size_t i = 0; i < n; i++) {{
    {" ".join(sets)}
    t.p_clk.set<bool>(false); t.step(); t.p_clk.set<bool>(true); t.step();
    t.step();  // what is combinational behind the registers
    std::cout << t.{_mangled(output)}.get<uint64_t>() << "\\n";
  }}
}}
"""
    (tmp_path / "main.cc").write_text(main, encoding="utf-8")
    subprocess.run(
        [
            gxx,
            "-std=c++14",
            "-O0",
            "-w",
            f"-I{share}/include/backends/cxxrtl/runtime",
            "main.cc",
            "-o",
            "main",
        ],
        cwd=tmp_path,
        check=True,
    )
    n = len(next(iter(vectors.values())))
    lines = [str(n)]
    for row in zip(*(vectors[name] for name, _, _ in words), strict=True):
        for value, (_, bits, chunks) in zip(row, words, strict=True):
            value &= (1 << bits) - 1
            lines += [str(value >> 32 * k & 0xFFFFFFFF) for k in range(chunks)]
    done = subprocess.run(
        [str(tmp_path / "main")],
        input="\n".join(lines),
        text=True,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return [int(line) for line in done.stdout.split()]
