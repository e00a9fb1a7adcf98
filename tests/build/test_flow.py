"""Whole builds of a small stand-in design with the real tools."""

import json
import stat
import subprocess

import pytest

import boards
from hw.arch import SpikeloomError
from hw.build import build, report
from hw.common.files import file_digest
from hw.targets import TARGETS
from hw.tools import find, openxc7
from tests.synth.designs import echo
from tests.tools.installs import database


@pytest.fixture(scope="module")
def arty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arty")
    events = []
    with pytest.MonkeyPatch.context() as m:
        for name in (openxc7.CHIPDB, openxc7.DATABASE, "NEXTPNR_XILINX"):
            m.delenv(name, raising=False)
        m.setattr(find, "roots", lambda templates: [])
        return folder, build("arty_a7", output=folder, design=echo, tell=events.append), events


@pytest.fixture(scope="module")
def ulx3s(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ulx3s")
    return folder, build("ulx3s", output=folder, design=echo)


def outputs(folder):
    return {
        p.relative_to(folder).as_posix(): file_digest(p)
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".lock" and p.suffix != ".log"
    }


def test_arty_files(arty):
    folder, _, _ = arty
    names = outputs(folder)
    for name in (
        "top.v",
        "top.il",
        "top.json",
        "top.stat",
        "top.xdc",
        "program.npz",
        "program.txt",
        "images/prog.hex",
        "images/col_00.hex",
        "images/col_15.hex",
        "build_vivado.tcl",
        "build_openxc7.sh",
        "report.json",
        "report.txt",
        "report.html",
    ):
        assert name in names
    assert "top.bit" not in names
    assert not [n for n in names if n.startswith(".work")]


def test_arty_constraints(arty):
    text = (arty[0] / "top.xdc").read_text(encoding="utf-8")
    assert "set_property LOC E3 [get_ports {clk100_0__io}]" in text
    assert "set_property LOC A9 [get_ports {uart_0__rx__io}]" in text
    assert "create_clock -name clk100_0__io -period 10.000 [get_ports {clk100_0__io}]" in text


def test_arty_scripts(arty):
    script = arty[0] / "build_openxc7.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["sh", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert "nextpnr-xilinx --chipdb" in text
    assert "xc7frames2bit" in text
    vivado = (arty[0] / "build_vivado.tcl").read_text(encoding="utf-8")
    for name in ("top.v", "top.xdc", boards.get("arty_a7").part):
        assert name in vivado


def test_arty_says_in_one_line_that_there_is_no_bitstream(arty):
    skipped = [(e.step, e.text) for e in arty[2] if e.state == "skipped"]
    assert skipped == [
        (
            "route",
            "no bitstream: nextpnr-xilinx is not installed; build_openxc7.sh and "
            "build_vivado.tcl make it",
        ),
        ("pack", "nothing was routed"),
    ]


def test_a_slow_clock_goes_through_an_mmcm_that_the_open_flow_takes(tmp_path):
    build("cmod_a7", output=tmp_path, design=echo, last="constrain")
    cells = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))["cells"]
    assert cells["MMCME2_ADV"] == 1
    assert "create_clock -name clk12_0__io -period 83.333 " in (tmp_path / "top.xdc").read_text(
        encoding="utf-8"
    )


def check_schema(value):
    assert list(value) == [
        "schema",
        "board",
        "model",
        "core",
        "resources",
        "cells",
        "timing",
        "cycles",
        "memory",
        "membranes",
        "flash",
        "bitstream",
        "tools",
    ]
    for section in ("resources", "timing", "cycles"):
        assert value[section]["kind"] in report.KINDS
    assert value["cycles"]["total"] == sum(f["cycles"] for f in value["cycles"]["layers"])
    for item in value["memory"].values():
        assert item["used"] <= item["depth"]
    assert {"lut", "ff", "dsp"} <= set(value["resources"]["items"])


def test_reports_have_one_schema(arty, ulx3s):
    for folder, value in (arty[:2], ulx3s):
        check_schema(value)
        assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == value
        assert (folder / "report.txt").read_text(encoding="utf-8") == report.to_text(
            value, TARGETS[value["board"]["family"]].titles
        )
    assert arty[1]["timing"]["kind"] == "estimated"
    assert ulx3s[1]["timing"]["kind"] == ulx3s[1]["resources"]["kind"] == "placed"


def test_ulx3s_bitstream(ulx3s):
    folder, value = ulx3s
    assert value["bitstream"]["bytes"] == (folder / "top.bit").stat().st_size > 10_000
    assert value["bitstream"]["sha256"] == file_digest(folder / "top.bit")
    assert value["timing"]["met"]
    assert value["resources"]["items"]["bram18"]["used"] == 2


@pytest.mark.parametrize("board", ["arty_a7", "ulx3s"])
def test_same_inputs_same_bytes(board, request, tmp_path):
    before = request.getfixturevalue("arty" if board == "arty_a7" else board)[0]
    build(board, output=tmp_path / "again", design=echo)
    assert outputs(tmp_path / "again") == outputs(before)


def _fake(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def test_open_flow_goes_on_to_a_bitstream(tmp_path, monkeypatch):
    tools, out = tmp_path / "tools", tmp_path / "out"
    tools.mkdir()
    for name, text in (
        ("nextpnr-xilinx", 'for a; do case "$p" in --fasm) echo routed > "$a";; esac; p=$a; done'),
        ("fasm2frames", 'for a; do last=$a; done; echo frames > "$last"'),
        (
            "xc7frames2bit",
            'for a; do case "$p" in --output_file) echo bits > "$a";; esac; p=$a; done',
        ),
    ):
        _fake(tools / name, text)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(tools / name))
    (tmp_path / "chip.bin").write_text("", encoding="utf-8")
    database(tmp_path / "db")
    monkeypatch.setenv(openxc7.CHIPDB, str(tmp_path / "chip.bin"))
    monkeypatch.setenv(openxc7.DATABASE, str(tmp_path / "db"))
    value = build("arty_a7", output=out, design=echo)
    assert (out / "top.bit").read_text(encoding="utf-8") == "bits\n"
    assert value["bitstream"]["file"] == "top.bit"
    assert value["bitstream"]["reason"] is None

    # the tool goes on to fail: nothing that looks finished is left
    _fake(tools / "nextpnr-xilinx", "echo ERROR: no way to route; exit 1")
    with pytest.raises(SpikeloomError, match=r"(?s)nextpnr-xilinx failed .*ERROR: no way to route"):
        build("arty_a7", output=out, design=echo, first="route")
    for name in ("top.bit", "top.fasm", "report.json", "report.txt"):
        assert not (out / name).exists()

    # and a database that is not there is told
    monkeypatch.setenv(openxc7.DATABASE, str(tmp_path / "gone"))
    with pytest.raises(SpikeloomError, match=r"PRJXRAY_DB_DIR is .* but there is nothing"):
        build("arty_a7", output=out, design=echo)


def test_a_failing_clock_is_refused(ulx3s, tmp_path):
    import shutil

    folder = tmp_path / "o"
    shutil.copytree(ulx3s[0], folder)
    placed = json.loads((folder / "placed.json").read_text(encoding="utf-8"))
    (folder / "placed.json").write_text(json.dumps({**placed, "fmax_mhz": 12.3}), encoding="utf-8")
    from hw.build.steps import STEPS, Job

    job = Job(boards.get("ulx3s"), "digits", folder, lambda e: None, echo)
    pack = next(s for s in STEPS if s.name == "pack")
    with pytest.raises(SpikeloomError, match=r"the router reached 12.3 MHz, but .* is 50 MHz"):
        pack.run(job, tmp_path)


@pytest.mark.parametrize("board", ["arty", "ulx3s"])
def test_netlist_names_no_folder(board, request):
    """Same inputs, same bytes, wherever the tools are installed."""
    text = (request.getfixturevalue(board)[0] / "top.json").read_text(encoding="utf-8")
    assert "site-packages" not in text
    assert '"src"' not in text
    assert '"port_directions"' in text
