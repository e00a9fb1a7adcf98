"""Rows of tiles that are kept free: which, how many, and by what cells."""

import json
import re

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal

from hw.targets.ecp5 import ROOMY_ROUTE, figures
from hw.tools import export_rtlil, run_yosys
from hw.tools.find import run_tool
from hw.tools.globals_ecp5 import LEAST, promote_module
from hw.tools.room_ecp5 import DIES, FULL, LITTLE, free_rows, leave_room

#: LUTs of the parts, as their data sheet has them.
LUTS = {"12k": 24288, "25k": 24288, "45k": 43848, "85k": 83640}


@pytest.mark.parametrize("name", DIES)
def test_luts_of_a_die(name):
    assert DIES[name].luts == LUTS[name]


@pytest.mark.parametrize("name", DIES)
@pytest.mark.parametrize("share", [0.01, 0.2, 0.299, 0.35, 0.42, 0.5, 0.61, 0.99])
def test_what_is_left_is_never_fuller_than_wanted(name, share):
    die = DIES[name]
    rows = free_rows(die, round(share * die.luts))
    assert set(rows) <= set(die.logic)
    left = die.luts * (1 - len(rows) / len(die.logic))
    assert share * die.luts <= FULL * left or not rows
    assert bool(rows) == (LITTLE <= share < FULL * 0.74)
    if LITTLE <= share < FULL / 2:
        assert len(rows) == len(die.logic) // 2


def test_cells_lock_every_place_of_a_free_row():
    die = DIES["25k"]
    rows = free_rows(die, round(0.3 * die.luts))
    module = {"cells": {"mine": {}}}
    count = leave_room(module, die, rows)
    assert count == len(rows) * len(die.columns) * 8
    places = {c["attributes"]["BEL"]: c["type"] for n, c in module["cells"].items() if n != "mine"}
    assert len(places) == len(module["cells"]) - 1 == 2 * count
    for place, kind in places.items():
        x, y, bel = re.fullmatch(r"X(\d+)/Y(\d+)/SLICE[A-D]\.(K|FF)[01]", place).groups()
        assert int(y) in rows
        assert int(x) in die.columns
        assert kind == {"K": "TRELLIS_COMB", "FF": "TRELLIS_FF"}[bel]


class Chain(Elaboratable):
    """Flip-flops one behind the other, all reset."""

    def __init__(self):
        self.clk, self.rst, self.i, self.o = (Signal(name=n) for n in ("clk", "rst", "i", "o"))

    def elaborate(self, platform):
        m, q = Module(), Signal(LEAST)
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.clk), ResetSignal().eq(self.rst), self.o.eq(q[-1])]
        m.d.sync += q.eq((q << 1) | self.i)
        return m


def test_nextpnr_takes_cells_that_are_locked_and_resets_that_are_global(tmp_path):
    chain, die = Chain(), DIES["25k"]
    export_rtlil(chain, tmp_path / "top.il", [chain.clk, chain.rst, chain.i, chain.o])
    commands = ["read_rtlil top.il", "synth_ecp5 -top top", "write_json top.json"]
    run_yosys(commands, cwd=tmp_path)
    netlist = json.loads((tmp_path / "top.json").read_text(encoding="utf-8"))
    module = netlist["modules"]["top"]
    assert promote_module(module) == 1
    free = leave_room(module, die, [die.logic[0], die.logic[-1]])
    (tmp_path / "room.json").write_text(json.dumps(netlist), encoding="utf-8")
    arguments = ["--25k", "--package", "CABGA381", "--json", "room.json", "--report", "report.json"]
    arguments += ["--textcfg", "top.config", "--lpf-allow-unconstrained", *ROOMY_ROUTE]
    run_tool("nextpnr-ecp5", arguments, cwd=tmp_path, log="route.log")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    placed = figures(report, free)["resources"]
    assert placed["ff"] == LEAST
    assert 0 <= placed["lut"] <= LEAST
    assert report["utilization"]["DCCA"]["used"] == 2  # clock and reset
    log = (tmp_path / "route.log").read_text(encoding="utf-8")
    assert log.count("routing clock net") == 2
