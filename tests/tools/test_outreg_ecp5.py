"""Output registers of block RAMs in place of flip-flops: where they may be, and where not."""

import copy
import json
from pathlib import Path

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import boards
from hw.core.memories import Bank
from hw.core.table import CELL_BITS, Entry, StateTable
from hw.targets.ecp5 import Ecp5
from hw.tools import export_rtlil, run_yosys
from hw.tools.netlist import Netlist
from hw.tools.outreg_ecp5 import BITS, absorb_module
from hw.tools.registers_ecp5 import absorb

CLOCK, WORD = 2, 4
PLAIN = {"GSR": "DISABLED", "CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}


def register(n: int) -> dict:
    pins = {"CLK": [CLOCK], "LSR": ["0"], "DI": [100 + n], "Q": [200 + n]}
    ways = {"CLK": "input", "LSR": "input", "DI": "input", "Q": "output"}
    return {
        "type": "TRELLIS_FF",
        "parameters": dict(PLAIN),
        "connections": pins,
        "port_directions": ways,
    }


def module() -> dict:
    """A memory whose port B is read through a register of WORD bits, port A nowhere."""
    pins = {
        f"DO{side}{n}": [(100 if side == "B" else 300) + n] for side in "AB" for n in range(BITS)
    }
    pins |= {f"{name}{side}": [bit] for side in "AB" for name, bit in CONTROL.items()}
    ram = {
        "type": "DP16KD",
        "parameters": {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"},
        "connections": pins,
        "port_directions": {p: "output" if p.startswith("DO") else "input" for p in pins},
    }
    cells = {"ram": ram} | {f"q{n}": register(n) for n in range(WORD)}
    return {"cells": cells, "ports": {"o": {"direction": "output", "bits": [200]}}}


CONTROL = {"CLK": CLOCK, "OCE": "1", "RST": "0"}


def test_the_memorys_own_register_takes_their_place():
    made = module()
    assert absorb_module(made) == 1
    assert set(made["cells"]) == {"ram"}
    ram = made["cells"]["ram"]
    assert ram["parameters"] == {"REGMODE_A": "NOREG", "REGMODE_B": "OUTREG"}
    assert [ram["connections"][f"DOB{n}"] for n in range(WORD + 1)] == [
        *([200 + n] for n in range(WORD)),
        [100 + WORD],
    ]
    again = copy.deepcopy(made)
    assert absorb_module(again) == 0  # there is no second register
    assert again == made


@pytest.mark.parametrize(
    ("cell", "part", "name", "value"),
    [
        ("q1", "parameters", "CEMUX", "CE"),
        ("q1", "parameters", "CLKMUX", "INV"),
        ("q1", "parameters", "LSRMUX", "INV"),
        ("q1", "connections", "CLK", [3]),
        ("q1", "connections", "LSR", [9]),
        ("q1", "connections", "DI", [9]),
        ("q2", "connections", "LSR", [101]),
        ("ram", "connections", "OCEB", [9]),
        ("ram", "connections", "RSTB", [9]),
        ("ram", "parameters", "REGMODE_B", "OUTREG"),
    ],
)
def test_a_register_of_another_kind_stays_and_all_others_with_it(cell, part, name, value):
    made = module()
    made["cells"][cell][part][name] = value
    if (cell, name) == ("q1", "DI"):  # the bit goes nowhere else: to logic
        made["cells"]["logic"] = {
            "type": "LUT4",
            "parameters": {},
            "connections": {"A": [101]},
            "port_directions": {"A": "input"},
        }
    before = copy.deepcopy(made)
    assert absorb_module(made) == 0
    assert made == before


def test_a_bit_that_is_read_elsewhere_too_keeps_all_registers():
    made = module()
    made["ports"]["p"] = {"direction": "output", "bits": [103]}
    assert absorb_module(made) == 0
    assert len(made["cells"]) == 1 + WORD


class Two(wiring.Component):
    """A bank whose words a register takes, and one whose words are read as they come."""

    def __init__(self):
        self.banks = [Bank(20, 1024, apart=True, registered=r) for r in (True, False)]
        super().__init__(
            {"addr": In(16).array(2), "en": In(1), "data": In(20), "o": Out(20).array(2)}
        )

    def elaborate(self, platform):
        m = Module()
        for n, bank in enumerate(self.banks):
            m.submodules += bank
            m.d.comb += [
                bank.read_addr.eq(self.addr[0]),
                bank.write_addr.eq(self.addr[1]),
                bank.write_en.eq(self.en),
                bank.write_data.eq(self.data),
                self.o[n].eq(bank.read_data),
            ]
        return m


def synthesised(design: wiring.Component, folder: Path) -> Path:
    """Return the netlist as the target's commands leave it."""
    export_rtlil(design, folder / "top.il")
    commands = Ecp5(boards.get("ulx3s")).synthesis("top.il", "top.json", "top.stat")
    run_yosys(commands, cwd=folder, name="synth")
    return folder / "top.json"


def test_a_memory_that_two_read_is_apart_too(tmp_path):
    """Of a table of membrane codes nothing but block RAM is left."""
    path = synthesised(StateTable(), tmp_path)
    assert Netlist.load(path).counts()["TRELLIS_FF"] == 2 * Entry.as_shape().size
    assert absorb(path, absorb_module) == 2
    counts = Netlist.load(path).counts()
    assert counts["DP16KD"] == 1  # both read it, one of them where the other port writes
    assert "TRELLIS_FF" not in counts
    assert counts.get("LUT4", 0) <= CELL_BITS  # the address of the port that writes too


def test_what_yosys_makes_of_banks(tmp_path):
    """No flip-flop and no logic is left: of a bank apart, words are read as the memory has them."""
    path = synthesised(Two(), tmp_path)
    before = Netlist.load(path).counts()
    assert before["TRELLIS_FF"] == 20
    assert "LUT4" not in before
    assert absorb(path, absorb_module) == before["DP16KD"] // 2
    after = Netlist.load(path).counts()
    assert after == {name: n for name, n in before.items() if name != "TRELLIS_FF"}
    text = path.read_text(encoding="utf-8")
    assert absorb(path, absorb_module) == 0
    assert path.read_text(encoding="utf-8") == text
    modes = [
        c["parameters"]["REGMODE_B"]
        for c in json.loads(text)["modules"]["top"]["cells"].values()
        if c["type"] == "DP16KD"
    ]
    assert sorted(modes) == ["NOREG"] * (len(modes) // 2) + ["OUTREG"] * (len(modes) // 2)
