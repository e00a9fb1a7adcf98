"""The estimate of a netlist's longest path: every kind of cell, what is in a slice, groups."""

import json
import math

import pytest

from hw.arch import SpikeloomError
from hw.tools.delays_xc7 import DELAYS
from hw.tools.timing_xc7 import MARGIN, Timing, longest_path, main, wire
from tests.synth.designs import Counter
from tests.tools.netlists import cell, netlist, synthesise

CLOCKED = {"C": [1], "CE": ["1"], "R": ["0"]}


def register(name, d, q):
    return cell("FDRE", name, {**CLOCKED, "D": [d], "Q": [q]})


def between(*cells, source=10, sink=11, extra=()):
    """The delay from one register's clock to another's, through cells, its ends left out."""
    found = longest_path(netlist(register("a", 2, source), *cells, register("b", sink, 12), *extra))
    return found.delay - DELAYS["ff.clock"]


def near(value):
    return pytest.approx(value, abs=2e-3)


def test_a_net_grows_with_the_logarithm_of_its_readers():
    assert wire(8) > wire(1) == wire(0) > 0
    assert wire(64) - wire(8) == pytest.approx(wire(8) - wire(1))
    assert MARGIN > 1


def test_a_net_between_registers_is_routed():
    assert between(source=11) == near(wire(1) + DELAYS["ff.d"])
    also = [register(f"r{n}", 11, 20 + n) for n in range(7)]
    assert between(source=11, extra=also) == near(wire(8) + DELAYS["ff.d"])


def test_longest_path_of_two_luts():
    found = longest_path(
        netlist(
            register("a", 12, 10),
            cell("LUT1", "x", {"I0": [10], "O": [11]}),
            cell("LUT2", "y", {"I0": [11], "I1": [10], "O": [12]}),
            netnames={"state": [10], "$tool": [11], "next": [12]},
        )
    )
    # the last one stands before the register, in its slice
    expected = DELAYS["ff.clock"] + 2 * DELAYS["lut"] + wire(2) + wire(1) + DELAYS["ff.d.lut"]
    assert found.delay == near(expected)
    assert found.mhz == pytest.approx(1000 / found.delay)
    assert found.nets == ("state", "next", "state")
    assert found.cells == ("FDRE", "LUT1", "LUT2", "FDRE")


def test_a_lut_that_others_read_is_routed_to_its_register():
    x = cell("LUT1", "x", {"I0": [10], "O": [11]})
    alone = between(x)
    assert alone == near(wire(1) + DELAYS["lut"] + DELAYS["ff.d.lut"])
    shared = between(x, extra=[register("c", 11, 13)])
    assert shared == near(wire(1) + DELAYS["lut"] + wire(2) + DELAYS["ff.d"])


def test_both_outputs_of_a_lut():
    x = {"I0": [10], "I5": ["1"]}
    through = wire(1) + DELAYS["lut.o5"]
    out = DELAYS["lut.o5.exit"] + wire(2) + DELAYS["ff.d"]
    found = between(cell("LUT6_2", "x", {**x, "O5": [11], "O6": []}), extra=[register("c", 11, 13)])
    assert found == near(through + out)


def chain(*, s=None, di=None, ci=None, source=None):
    """A CARRY4 whose third sum goes to register b."""
    return cell(
        "CARRY4",
        "carry",
        {
            "CI": [ci or "0"],
            "CYINIT": [source or "0"],
            "S": [s or "0", "0", "0", "0"],
            "DI": [di or "0", "0", "0", "0"],
            "O": [30, 31, 11, 33],
            "CO": [34, 35, 36, 37],
        },
    )


def test_carry_chain():
    out = DELAYS["ff.d.O"]
    lut = cell("LUT2", "x", {"I0": [10], "O": [20]})
    before = wire(1) + DELAYS["lut"] + DELAYS["carry.from_lut"]
    assert between(lut, chain(s=20)) == near(before + DELAYS["carry.S0.O2"] + out)
    # a flip-flop reaches the chain through a LUT of its own, the data input without
    assert between(chain(s=10)) == near(before + DELAYS["carry.S0.O2"] + out)
    assert between(chain(di=10)) == near(wire(1) + DELAYS["carry.DI0.O2"] + out)
    assert between(chain(source=10)) == near(wire(1) + DELAYS["carry.CYINIT.O2"] + out)
    first = cell("CARRY4", "first", {"CYINIT": [10], "S": ["0"] * 4, "CO": [40, 41, 42, 43]})
    both = DELAYS["carry.CYINIT.CO3"] + DELAYS["carry.CI.O2"]
    assert between(first, chain(ci=43)) == near(wire(1) + both + out)


def test_sum_and_generate_of_one_lut_stay_in_its_slice():
    ins = {"I0": [10], "I5": ["1"]}
    one = cell("LUT6_2", "x", {**ins, "O6": [20], "O5": [21]})
    through = max(DELAYS["lut"] + DELAYS["carry.S0.O2"], DELAYS["lut.o5"] + DELAYS["carry.DI0.O2"])
    found = between(one, chain(s=20, di=21))
    assert found == near(wire(1) + through + DELAYS["carry.from_lut"] + DELAYS["ff.d.O"])
    # read elsewhere too, the sum leaves the slice and comes back
    other = between(one, chain(s=20, di=21), extra=[register("c", 20, 13)])
    assert other > found + wire(2)


def test_a_sum_that_others_read_leaves_the_slice():
    lut = cell("LUT2", "x", {"I0": [10], "O": [20]})
    alone = between(lut, chain(s=20))
    shared = between(lut, chain(s=20), extra=[register("c", 11, 13)])
    assert shared - alone == near(
        DELAYS["carry.exit.O"] + wire(2) + DELAYS["ff.d"] - DELAYS["ff.d.O"]
    )


def test_wide_multiplexers():
    luts = [cell("LUT6", f"x{n}", {"I0": [10], "O": [20 + n]}) for n in range(4)]
    seven = [
        cell("MUXF7", f"f{n}", {"I0": [20 + 2 * n], "I1": [21 + 2 * n], "S": ["0"], "O": [30 + n]})
        for n in range(2)
    ]
    eight = cell("MUXF8", "g", {"I0": [30], "I1": [31], "S": ["0"], "O": [11]})
    through = DELAYS["lut"] + DELAYS["muxf7"] + DELAYS["muxf8"] + DELAYS["ff.d.muxf"]
    assert between(*luts, *seven, eight) == near(wire(4) + through)
    chosen = cell("MUXF7", "f", {"I0": ["0"], "I1": ["1"], "S": [10], "O": [11]})
    assert between(chosen) == near(wire(1) + DELAYS["muxf7.s"] + DELAYS["ff.d.muxf"])
    out = between(chosen, extra=[register("c", 11, 13)])
    routed = DELAYS["muxf7.exit"] + wire(2) + DELAYS["ff.d"]
    assert out == near(wire(1) + DELAYS["muxf7.s"] + routed)


@pytest.mark.parametrize("pin", ["CE", "R"])
def test_control_pins_of_a_flip_flop(pin):
    ports = {**CLOCKED, "D": ["0"], "Q": [13], pin: [10]}
    found = longest_path(netlist(register("a", 2, 10), cell("FDRE", "b", ports)))
    setup = DELAYS["ff.ce" if pin == "CE" else "ff.sr"]
    assert found.delay == near(DELAYS["ff.clock"] + wire(1) + setup)


def only(kind, connections, **parameters):
    """A cell alone between registers: what goes in from net 10, what comes out to net 11."""
    one = cell(kind, "m", connections, **parameters)
    return longest_path(netlist(register("a", 2, 10), one, register("b", 11, 12))).delay


INTO = DELAYS["ff.clock"] + wire(1)
OUT = wire(1) + DELAYS["ff.d"]


@pytest.mark.parametrize("kind", ["RAMB18E1", "RAMB36E1"])
def test_block_ram(kind):
    for side in "AB":
        out = {f"DO{side}DO": ["x", 11]}
        assert only(kind, out) == near(DELAYS["bram.clock"] + OUT)
        registered = only(kind, out, **{f"DO{side}_REG": 1})
        assert registered == near(DELAYS["bram.clock.register"] + OUT)
    for pin, setup in (
        ("ADDRARDADDR", "address"),
        ("ADDRBWRADDR", "address"),
        ("ENARDEN", "enable"),
        ("WEBWE", "we"),
        ("DIADI", "d"),
        ("DIPBDIP", "d"),
        ("RSTRAMB", "rst"),
    ):
        assert only(kind, {pin: [10]}) == near(INTO + DELAYS[f"bram.{setup}"])
    assert only(kind, {"REGCEB": [10]}, DOB_REG=1) == near(INTO + DELAYS["bram.register.ce"])
    assert only(kind, {"REGCEB": [10]}) == 0  # there is no register that it could enable


@pytest.mark.parametrize(
    ("kind", "into", "out", "through"),
    [
        ("RAM32M", "ADDRA", "DOA", "lut.o5"),
        ("RAM64M", "ADDRC", "DOC", "lut.o5"),
        ("RAM32X1D", "DPRA3", "DPO", "lutram.wide"),
        ("RAM64X1D", "A3", "SPO", "lutram.wide"),
        ("RAM128X1D", "DPRA", "DPO", "lutram.wide"),
        ("RAM256X1S", "A", "O", "lutram.wide"),
    ],
)
def test_lut_ram(kind, into, out, through):
    assert only(kind, {out: [11]}) == near(DELAYS["lutram.clock"] + OUT)
    assert only(kind, {into: [10], out: [11]}) == near(INTO + DELAYS[through] + OUT)
    data = "DIA" if kind.endswith("M") else "D"
    assert only(kind, {data: [10]}) == near(INTO + DELAYS["lutram.d"])
    assert only(kind, {"WE": [10]}) == near(INTO + DELAYS["lutram.we"])
    write = "ADDRD" if kind.endswith("M") else "A0"
    assert only(kind, {write: [10]}) == near(INTO + DELAYS["lutram.wa"])


def test_an_address_that_writes_is_no_way_to_what_another_reads():
    written = max(INTO + DELAYS["lutram.wa"], DELAYS["lutram.clock"] + OUT)
    assert only("RAM32M", {"ADDRD": [10], "DOA": [11]}) == near(written)
    assert only("RAM32X1D", {"A0": [10], "DPO": [11]}) == near(written)
    assert only("RAM32M", {"ADDRD": [10], "DOD": [11]}) > written


def test_shift_register():
    assert only("SRL16E", {"Q": [11]}) == near(DELAYS["srl.clock"] + OUT)
    assert only("SRLC32E", {"D": [10]}) == near(INTO + DELAYS["srl.d"])
    assert only("SRLC32E", {"CE": [10]}) == near(INTO + DELAYS["srl.ce"])


PIPELINED = dict.fromkeys(("AREG", "BREG", "CREG", "MREG", "PREG", "OPMODEREG"), 1)
FIXED = dict.fromkeys(("ALUMODEREG", "INMODEREG", "CARRYINREG", "CARRYINSELREG"), 0)


def dsp(into=None, out=None, multiply=True, **registers):
    """A DSP48E1 from net 10 and to net 11."""
    connections = {**({into: [10]} if into else {}), **({out: [11]} if out else {})}
    use = {} if multiply else {"USE_MULT": "NONE"}
    return only("DSP48E1", connections, **{**PIPELINED, **FIXED, **registers, **use})


def test_dsp_with_its_registers():
    assert dsp(out="P") == near(DELAYS["dsp.P.clock"] + OUT)
    for pin in ("A", "B", "C", "OPMODE"):
        assert dsp(pin) == near(INTO + DELAYS[f"dsp.{pin}.setup"])
    assert dsp("CEP") == near(INTO + DELAYS["dsp.ce"])
    assert dsp("RSTM") == near(INTO + DELAYS["dsp.rst"])


def test_dsp_without_some_of_its_registers():
    assert dsp("A", AREG=0) == near(INTO + DELAYS["dsp.A.setup.M"])
    assert dsp("A", AREG=0, MREG=0) == near(INTO + DELAYS["dsp.A.multiply.setup.P"])
    assert dsp("B", multiply=False, BREG=0) == near(INTO + DELAYS["dsp.B.setup.P"])
    assert dsp("C", CREG=0) == near(INTO + DELAYS["dsp.C.setup.P"])
    assert dsp("OPMODE", OPMODEREG=0) == near(INTO + DELAYS["dsp.OPMODE.setup.P"])
    assert dsp(out="P", PREG=0) == near(DELAYS["dsp.M.clock.P"] + OUT)
    assert dsp(out="P", PREG=0, MREG=0) == near(DELAYS["dsp.A.multiply.clock.P"] + OUT)
    none = dict.fromkeys(PIPELINED, 0)
    assert dsp("A", "P", **none) == near(INTO + DELAYS["dsp.A.multiply.P"] + OUT)


def test_dsp_cascade_has_a_wire_of_its_own():
    low = cell("DSP48E1", "low", {"PCOUT": [20]}, **PIPELINED, **FIXED)
    high = cell("DSP48E1", "high", {"PCIN": [20], "P": [11]}, **PIPELINED, **FIXED)
    found = longest_path(netlist(low, high)).delay
    assert found == near(DELAYS["dsp.PCOUT.clock"] + DELAYS["dsp.PCIN.setup.P"])


def test_longest_path_grows_with_the_carry_chain(tmp_path):
    short = longest_path(synthesise(Counter(8), tmp_path / "8"))
    long = longest_path(synthesise(Counter(32), tmp_path / "32"))
    assert 1 < short.delay < long.delay < 10


def test_longest_path_of_nothing():
    assert longest_path(netlist()).mhz == math.inf


def groups():
    """Two registers of two bits, the second behind two more LUTs."""
    luts = [cell("LUT2", f"x{n}", {"I0": [10 + n], "O": [20 + n]}) for n in range(2)]
    state = [register(f"s{n}", 20 + n, 10 + n) for n in range(2)]
    slow = [cell("LUT2", f"y{n}", {"I0": [20 + n], "O": [50 + n]}) for n in range(2)]
    slow += [cell("LUT2", f"z{n}", {"I0": [50 + n], "O": [30 + n]}) for n in range(2)]
    held = [register(f"h{n}", 30 + n, 40 + n) for n in range(2)]
    names = {"state": [10, 11], "held": [40, 41]}
    return netlist(*luts, *state, *slow, *held, netnames=names)


def test_groups_of_end_points():
    timing = Timing(groups())
    slowest = timing.longest().delay
    assert [(g.start, g.end, g.count) for g in timing.groups(0)] == [
        ("state", "held", 2),
        ("state", "state", 2),
    ]
    assert timing.groups(0)[0].path.delay == slowest
    assert [g.end for g in timing.groups(slowest - 0.1)] == ["held"]
    assert timing.groups(slowest) == []


def test_the_command_prints_what_to_cure(tmp_path, capsys):
    found = groups()
    module = {
        "attributes": {"top": 1},
        "ports": {},
        "cells": {
            c.name: {"type": c.type, "parameters": {}, "connections": c.connections}
            for c in found.cells
        },
        "netnames": {name: {"bits": bits} for name, bits in found.netnames.items()},
    }
    path = tmp_path / "n.json"
    path.write_text(json.dumps({"modules": {"top": module}}), encoding="utf-8")
    delay = longest_path(found).delay
    assert main([str(path), "--limit", f"{delay - 0.1:.2f}"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"longest path {delay:.2f} ns, {1000 / delay:.1f} MHz"
    assert out[3].endswith("2 end points in 1 groups")
    assert out[4] == f"{delay:.2f} ns, 2 x held from state"
    assert out[5] == "  FDRE > LUT2 x 3 > FDRE"
    assert len(out) == 7
    assert main([str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_command_without_a_netlist(tmp_path, capsys):
    assert main([str(tmp_path / "none.json")]) == 1
    assert "none.json: cannot be read" in capsys.readouterr().err


def test_a_cell_that_nothing_is_known_of_is_no_path():
    with pytest.raises(SpikeloomError, match="FROB"):
        longest_path(netlist(cell("FROB", "f", {"I": [10], "O": [11]})))
