"""What the open 7-series flow gets wrong is found in a netlist."""

import json

import pytest

from hw.arch import SpikeloomError
from hw.tools.check_xc7 import check, main, refuse_offences
from tests.tools.netlists import cell, netlist

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
    (cell("DSP48E1", USE_SIMD="FOUR12"), "adder cut (USE_SIMD FOUR12)"),
    (cell("DSP48E1", USE_SIMD="TWO24"), "adder cut (USE_SIMD TWO24)"),
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


def test_a_whole_adder_is_no_offence():
    assert check(netlist(cell("DSP48E1", USE_SIMD="ONE48"), cell("DSP48E1", "d"))) == []


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
