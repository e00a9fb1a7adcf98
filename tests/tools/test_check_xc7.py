"""What the open 7-series flow gets wrong is found in a netlist."""

import json

import pytest

from hw.arch import SpikeloomError
from hw.tools.check_xc7 import check, main, refuse_offences
from hw.tools.nextpnr_xc7 import Router
from tests.tools.netlists import cell, netlist

OFFENCES = [
    (cell("$scopeinfo"), "write_json -noscopeinfo"),
    (cell("$add"), "unmapped cell $add"),
    (cell("LDCE"), "LDCE: nextpnr cannot pack"),
    (cell("RAM64X1S"), "RAM64X1S: nextpnr cannot pack"),
    (cell("BSCANE2"), "BSCANE2: nextpnr cannot pack"),
    (cell("STARTUPE2", connections={"USRCCLKTS": ["0"]}), "STARTUPE2 with a constant"),
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


def used(version, himbaechel=False):
    return Router("r", himbaechel, f"(Version {version})")


@pytest.mark.parametrize(
    ("bad", "last", "first"),
    [
        (cell("RAMB18E1", READ_WIDTH_A="100100"), "0.9.2", "0.9.3"),
        (cell("RAMB36E1", WRITE_WIDTH_B="1001000"), "0.9.2", "0.9.3"),
        (cell("RAMB36E1", READ_WIDTH_B="1001", INITP_00="01"), "0.9.1", "0.9.2"),
        (cell("RAM64X1S"), "0.9.5", "0.9.6"),
        (cell("RAM256X1S"), "0.9.2", "0.9.3"),
    ],
)
def test_what_a_version_gets_right_is_no_offence(bad, last, first):
    assert check(netlist(bad), used=used(first)) == []
    (found,) = check(netlist(bad), used=used(last))
    assert f"(right in nextpnr-xilinx {first} and newer)" in found
    for other in (None, used(first, himbaechel=True), used("b9f013d")):
        assert check(netlist(bad), used=other) == [found]


def test_himbaechel_packs_no_half_buffers():
    assert check(netlist(cell("BUFH")), used=used("0.8.2")) == []
    assert len(check(netlist(cell("BUFH")), used=used("1.0.0", himbaechel=True))) == 1
    assert len(check(netlist(cell("BUFH")))) == 1


def test_ports_of_9_bits_whose_parity_is_not_used_are_no_offence():
    assert check(netlist(cell("RAMB36E1", READ_WIDTH_B="1001"))) == []
    (found,) = check(netlist(cell("RAMB36E1", READ_WIDTH_B="1")))
    assert "half of its words lost" in found


@pytest.mark.parametrize(
    ("port", "bits", "pin"),
    [
        ("INMODE", ["0", "0", "1", "0", "0"], "INMODE[2]"),
        ("ALUMODE", [4, 5, "0", 6], "ALUMODE[3]"),
        ("OPMODE", [4, 5, "1", "0", "0", "0", 7], "OPMODE[6]"),
    ],
)
def test_pins_of_a_multiplier_that_no_wire_reaches(port, bits, pin):
    (found,) = check(netlist(cell("DSP48E1", connections={port: bits})))
    assert f"DSP48E1 with other than 0 at {pin}: no wire leads there" in found
    clean = [bit if n in (0, 1) and port == "ALUMODE" else "0" for n, bit in enumerate(bits)]
    assert check(netlist(cell("DSP48E1", connections={port: clean}))) == []


def test_the_router_is_named_where_it_is_at_fault():
    with pytest.raises(
        SpikeloomError, match=r"top.json: nextpnr-xilinx 0.9.2 would get this wrong"
    ):
        refuse_offences(netlist(cell("LDCE")), "top.json", used=used("0.9.2"))


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
