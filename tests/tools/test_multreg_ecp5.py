"""Multipliers' own registers in place of flip-flops: where they may be, and where not."""

import copy
import json

import pytest

import boards
from hw.core.mac import LaneMAC
from hw.targets.ecp5 import Ecp5
from hw.tools import export_rtlil, run_yosys
from hw.tools.multreg_ecp5 import BITS, absorb_module
from hw.tools.netlist import Netlist
from hw.tools.registers_ecp5 import absorb

CLOCK, ENABLE, RESET = 2, 3, 4
PLAIN = {"GSR": "DISABLED", "CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
FROM, BETWEEN, PRODUCT, TO = (
    {"A": 100, "B": 200},
    {"A": 300, "B": 400},
    500,
    600,
)  #: First bits of nets: of operands before and behind their registers, of products likewise.


def register(data: int, q: int, enable: int | None = None, reset: int | None = None) -> dict:
    pins = {"CLK": [CLOCK], "LSR": ["0" if reset is None else reset], "DI": [data], "Q": [q]}
    if enable is not None:
        pins["CE"] = [enable]
    return {
        "type": "TRELLIS_FF",
        "parameters": PLAIN | {"CEMUX": "1 " if enable is None else "CE", "SRMODE": "LSR_OVER_CE"},
        "connections": pins,
        "port_directions": {pin: "output" if pin == "Q" else "input" for pin in pins},
    }


def module() -> dict:
    """A multiplier between registers; a's are enabled, the product's are reset."""
    pins = {f"{side}{n}": [BETWEEN[side] + n] for side in "AB" for n in range(BITS)}
    pins |= {f"P{n}": [PRODUCT + n] for n in range(2 * BITS)}
    mult = {
        "type": "MULT18X18D",
        "parameters": {},
        "connections": pins,
        "port_directions": {p: "output" if p[0] == "P" else "input" for p in pins},
    }
    cells = {"mult": mult}
    for n in range(BITS):
        cells[f"a{n}"] = register(FROM["A"] + n, BETWEEN["A"] + n, enable=ENABLE)
        cells[f"b{n}"] = register(FROM["B"] + n, BETWEEN["B"] + n)
    for n in range(2 * BITS):
        cells[f"p{n}"] = register(PRODUCT + n, TO + n, reset=RESET)
    return {"cells": cells, "ports": {}}


def test_the_multipliers_own_registers_take_their_place():
    made = module()
    assert absorb_module(made) == 1
    assert set(made["cells"]) == {"mult"}
    mult = made["cells"]["mult"]
    pins = mult["connections"]
    assert [pins[f"A{n}"] for n in range(BITS)] == [[FROM["A"] + n] for n in range(BITS)]
    assert [pins[f"B{n}"] for n in range(BITS)] == [[FROM["B"] + n] for n in range(BITS)]
    assert [pins[f"P{n}"] for n in range(2 * BITS)] == [[TO + n] for n in range(2 * BITS)]
    assert [pins[f"CE{n}"] for n in range(3)] == [[ENABLE], ["1"], ["1"]]
    assert [pins[f"RST{n}"] for n in range(3)] == [["0"], ["0"], [RESET]]
    assert pins["CLK0"] == [CLOCK]
    assert {mult["port_directions"][p] for p in ("CLK0", "CE0", "RST2", "A3")} == {"input"}
    parameters = mult["parameters"]
    for n, name in enumerate(("INPUTA", "INPUTB", "OUTPUT")):
        got = [parameters[f"REG_{name}_{what}"] for what in ("CLK", "CE", "RST")]
        assert got == ["CLK0", f"CE{n}", f"RST{n}"]
    assert (parameters["GSR"], parameters["RESETMODE"]) == ("DISABLED", "SYNC")
    again = copy.deepcopy(made)
    assert absorb_module(again) == 0  # there is no second register
    assert again == made


def test_an_operands_register_that_others_read_stays_for_them():
    made = module()
    made["ports"]["o"] = {"direction": "output", "bits": [BETWEEN["B"] + 5]}
    assert absorb_module(made) == 1
    assert set(made["cells"]) == {"mult", "b5"}
    assert made["cells"]["mult"]["connections"]["B5"] == [FROM["B"] + 5]


def test_one_register_for_several_bits():
    """As where a sign is repeated."""
    made = module()
    for n in (16, 17):
        made["cells"]["mult"]["connections"][f"B{n}"] = [BETWEEN["B"] + 15]
        del made["cells"][f"b{n}"]
    assert absorb_module(made) == 1
    assert [made["cells"]["mult"]["connections"][f"B{n}"] for n in (15, 16, 17)] == [
        [FROM["B"] + 15]
    ] * 3


@pytest.mark.parametrize(
    ("cell", "part", "name", "value"),
    [
        ("a1", "connections", "CE", [9]),
        ("a1", "parameters", "CEMUX", "INV"),
        ("b1", "parameters", "CLKMUX", "INV"),
        ("b1", "connections", "CLK", [9]),
        ("b1", "connections", "LSR", [RESET]),
        ("p1", "parameters", "REGSET", "SET"),
        ("p1", "parameters", "SRMODE", "ASYNC"),
        ("p1", "parameters", "LSRMUX", "INV"),
        ("p1", "connections", "LSR", ["0"]),
        ("p2", "connections", "LSR", [PRODUCT + 1]),
        ("mult", "connections", "A3", ["0"]),
        ("mult", "parameters", "REG_OUTPUT_CLK", "CLK0"),
    ],
)
def test_registers_that_differ_stay(cell, part, name, value):
    made = module()
    made["cells"][cell][part][name] = value
    before = copy.deepcopy(made)
    assert absorb_module(made) == 0
    assert made == before


def test_all_registers_of_one_kind_must_have_one_clock():
    made = module()
    for n in range(2 * BITS):
        made["cells"][f"p{n}"]["connections"]["CLK"] = [9]
    assert absorb_module(made) == 0


def test_a_product_that_is_read_elsewhere_too_keeps_its_registers():
    made = module()
    made["ports"]["o"] = {"direction": "output", "bits": [PRODUCT + 7]}
    assert absorb_module(made) == 0


def test_enable_and_reset_of_one_register_are_not_taken():
    """Which of the two wins is not for all registers the same."""
    made = module()
    for n in range(BITS):
        made["cells"][f"a{n}"] = register(FROM["A"] + n, BETWEEN["A"] + n, ENABLE, RESET)
    assert absorb_module(made) == 0


def test_a_lanes_multiplier_has_no_register_outside(tmp_path):
    """Of 140 flip-flops c, ``first`` and the sum are left."""
    target = Ecp5(boards.get("ulx3s"))
    export_rtlil(LaneMAC(target="ecp5"), tmp_path / "top.il", name="top")
    run_yosys(target.synthesis("top.il", "top.json", "top.stat"), cwd=tmp_path, name="mac")
    before = Netlist.load(tmp_path / "top.json").counts()
    assert absorb(tmp_path / "top.json", absorb_module) == 1
    after = Netlist.load(tmp_path / "top.json").counts()
    assert before["TRELLIS_FF"] - after["TRELLIS_FF"] == 18 + 18 + 36
    assert after["TRELLIS_FF"] == 32 + 1 + 36
    text = json.loads((tmp_path / "top.json").read_text(encoding="utf-8"))
    (mult,) = [c for c in text["modules"]["top"]["cells"].values() if c["type"] == "MULT18X18D"]
    assert mult["parameters"]["REG_OUTPUT_CLK"] == "CLK0"
    assert absorb(tmp_path / "top.json", absorb_module) == 0
