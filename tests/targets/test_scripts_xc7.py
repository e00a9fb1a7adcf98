"""Scripts of the 7-series end where they must, and tie what routers leave open."""

import dataclasses
import os
import shutil
import subprocess

import pytest

import boards
from hw.targets.scripts_xc7 import open_script, vivado_script
from hw.tools import fasm_xc7, openxc7
from tests.targets.said import said
from tests.tools import installs
from tests.tools.test_fasm_xc7 import OPEN


@pytest.mark.parametrize(("figures", "met"), [((79.25, 91.5), True), ((91.5, 79.25), False)])
def test_the_open_script_makes_no_bitstream_of_a_clock_that_is_missed(figures, met, tmp_path):
    script = open_script(boards.get("arty_a7"), "xc7a35tcsg324-1", "artix7", 1)
    (tmp_path / "said").write_text(said(*figures) + "\n", encoding="utf-8")
    (tmp_path / "top.bit").write_text("of before", encoding="utf-8")
    (tmp_path / "routed").write_text(OPEN, encoding="utf-8")
    tools = {
        "nextpnr-xilinx": "cp routed top.fasm; "
        'for a; do case "$p" in --log) cp said "$a";; esac; p=$a; done',
        "fasm2frames": "exit 0",
        "xc7frames2bit": "echo bits > top.bit",
    }
    for name, text in tools.items():
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        tool.chmod(0o755)
    names = {openxc7.CHIPDB: "chip.bin", openxc7.DATABASE: "db"}
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, **names, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (tmp_path / "top.bit").exists() == met
    assert (done.returncode == 0) == met
    assert ("timing is missed" in done.stderr) != met
    assert ("79.25 MHz (FAIL at 80.00 MHz)" in done.stderr) != met
    assert "pin" not in done.stderr
    if met:
        fasm = (tmp_path / "top.fasm").read_text(encoding="utf-8")
        assert fasm.startswith(OPEN)
        lines = fasm[len(OPEN) :].splitlines()
        assert sorted(lines) == fasm_xc7.missing_ties(OPEN)


def test_the_open_script_refuses_the_other_generation(tmp_path):
    """Its command line is another, and this netlist has LUTs that it does not know."""
    installs.router(tmp_path / "nextpnr-xilinx", "1.0.0", himbaechel=True)
    (tmp_path / "top.bit").write_text("of before", encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", open_script(boards.get("arty_a7"), "xc7a35tcsg324-1", "artix7", 1)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert done.stderr == (
        "this nextpnr-xilinx is himbaechel: let python -m hw.build --board arty_a7 call it\n"
    )


TCL = """
foreach name {create_project read_verilog read_xdc synth_design set_property current_design
        opt_design place_design phys_opt_design route_design report_timing_summary
        report_utilization} { proc $name args {} }
proc get_timing_paths {kind} { return $kind }
proc get_property {name path} { return [dict get {-setup SETUP -hold HOLD} $path] }
proc write_bitstream args { puts written }
"""


@pytest.mark.parametrize(
    ("setup", "hold", "said"),
    [
        ("0.01", "0.0", "written"),
        ("-0.25", "0.1", "the worst setup slack is -0.25 ns, at 50 MHz"),
        ("0.25", "-0.02", "the worst hold slack is -0.02 ns, at 50 MHz"),
    ],
)
@pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh")
def test_the_vivado_script_makes_no_bitstream_of_a_clock_that_is_missed(setup, hold, said):
    board = dataclasses.replace(boards.get("arty_a7"), core_clock=50_000_000)
    tools = TCL.replace("SETUP", setup).replace("HOLD", hold)
    done = subprocess.run(
        ["tclsh"],
        input=f"if {{[catch {{{tools}{vivado_script(board)}}} why]}} {{puts $why; exit 1}}",
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert said in done.stdout
    assert done.returncode == (said != "written")
    assert ("written" in done.stdout) == (said == "written")
