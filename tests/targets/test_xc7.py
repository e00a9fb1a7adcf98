"""Xilinx 7-series: names of parts, cells counted as resources, scripts that end where they must."""

import dataclasses
import os
import shutil
import subprocess

import pytest

import boards
from hw import targets
from hw.targets import xc7
from hw.targets.xc7 import database_names, lut_cells, routed_clocks, vivado_script
from tests.targets.parts import with_part


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("xc7a35ticsg324-1L", ("xc7a35tcsg324-1", "artix7")),
        ("xc7a100ticsg324-1L", ("xc7a100tcsg324-1", "artix7")),
        ("xc7s25csga324-1", ("xc7s25csga324-1", "spartan7")),
        ("XC7A35TFTG256-1", ("xc7a35tftg256-1", "artix7")),
        ("xc7z010clg400-1", ("xc7z010clg400-1", "zynq7")),
        ("xc7k325tffg900-2", ("xc7k325tffg900-2", "kintex7")),
    ],
)
def test_xc7_parts(part, names):
    assert database_names(with_part("arty_a7", part)) == names


COUNTS = {
    "LUT2": 3,
    "LUT6_2": 2,
    "INV": 1,
    "SRLC32E": 5,
    "RAM32M": 2,
    "FDRE": 7,
    "FDSE": 1,
    "RAMB36E1": 3,
    "RAMB18E1": 3,
    "DSP48E1": 4,
}


def test_xc7_resources():
    assert lut_cells(COUNTS) == 6
    assert targets.of(boards.get("arty_a7")).resources(COUNTS) == {
        "lut": 19,
        "lut_as_memory": 13,
        "ff": 8,
        "bram36": 5,
        "dsp": 4,
    }


CLOCKS = (
    "Info: Max frequency for clock 'core': {} MHz ({} at 80.00 MHz)",
    "Info: Max frequency for clock  'pin': 140.25 MHz (PASS at 100.00 MHz)",
)


def said(*figures):
    """What nextpnr says of two clocks, each time that it says it."""
    return "\n".join(
        line.format(mhz, "PASS" if mhz >= 80 else "FAIL") for mhz in figures for line in CLOCKS
    )


def test_what_is_said_of_a_clock_last_counts():
    assert routed_clocks(said(91.5, 79.25)) == {"core": (79.25, 80.0), "pin": (140.25, 100.0)}


@pytest.mark.parametrize(("figures", "met"), [((79.25, 91.5), True), ((91.5, 79.25), False)])
def test_the_open_script_makes_no_bitstream_of_a_clock_that_is_missed(figures, met, tmp_path):
    target = targets.of(boards.get("arty_a7"))
    (tmp_path / "said").write_text(said(*figures) + "\n", encoding="utf-8")
    (tmp_path / "top.bit").write_text("of before", encoding="utf-8")
    tools = {
        "nextpnr-xilinx": 'for a; do case "$p" in --log) cp said "$a";; esac; p=$a; done',
        "fasm2frames": "exit 0",
        "xc7frames2bit": "echo bits > top.bit",
    }
    for name, text in tools.items():
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        tool.chmod(0o755)
    names = {xc7.CHIPDB: "chip.bin", xc7.DATABASE: "db"}
    done = subprocess.run(
        ["sh", "-c", target.open_script()],
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
