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


def simulate(component, vectors: dict[str, list[int]], output: str, tmp_path: Path) -> list[int]:
    """Return ``output`` (unsigned, up to 64 bits) after each clock edge, one edge per vector.

    Vendor cells of the component are replaced by the models of Yosys' cells_sim.v. Values are
    Python integers of up to 64 bits (more: 32-bit chunks are written), signed ones included.
    """
    pyosys = pytest.importorskip("pyosys")
    gxx = shutil.which("g++")
    assert gxx, "g++ is required"
    share = Path(pyosys.__file__).parent / "share"
    text = rtlil.convert(component, name="top", emit_src=False)
    (tmp_path / "top.il").write_text(text, encoding="utf-8")
    shutil.copy(share / "xilinx" / "cells_sim.v", tmp_path)
    run_yosys(
        [
            "read_verilog cells_sim.v",
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
        port = name.replace("_", "__")
        sets.append(
            f"for (int k = 0; k < {chunks}; k++) {{ std::cin >> v; t.p_{port}.data[k] = v; }}"
        )
        words.append((name, bits, chunks))
    main = f"""#include "top.cc"
#include <iostream>
int main() {{
  cxxrtl_design::p_top t; uint32_t v; size_t n; std::cin >> n;
  for (size_t i = 0; i < n; i++) {{
    {" ".join(sets)}
    t.p_clk.set<bool>(false); t.step(); t.p_clk.set<bool>(true); t.step();
    std::cout << t.p_{output}.get<uint64_t>() << "\\n";
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
