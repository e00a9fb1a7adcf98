"""What drives each bit of a flat netlist."""

import pytest

from hw.tools.looped.netlist import Netlist, Node, Run, constant, part, registers_named, width
from tests.tools.looped.design import COPIES, netlist


def test_parts_of_signals():
    node = Node("cell", "x", 8)
    spec = (Run(node, 2, 4), Run(None, 0b101, 3))
    assert width(spec) == 7
    assert part(spec, 3, 3) == (Run(node, 5, 1), Run(None, 0b01, 2))
    assert constant(part(spec, 4, 3)) == 5
    assert constant(spec) is None


def test_registers_get_the_names_of_their_wires():
    text = (
        "  cell $dff $7\n    parameter \\WIDTH 3\n    connect \\D \\d\n    connect \\Q \\q [2:0]\n"
    )
    assert registers_named(text).startswith("  cell $dff \\q$ff\n")
    assert registers_named(text).endswith("    connect \\Q \\q [2:0]\n")


@pytest.mark.parametrize(("signed", "kind"), [("0", "$shr"), ("1", "$shift")])
def test_a_shift_by_what_is_never_negative_goes_to_the_right(signed, kind):
    a, b, y = [2, 3, 4, 5], [6, 7], [8]
    cell = {
        "type": "$shift",
        "parameters": {"A_SIGNED": "0", "B_SIGNED": signed},
        "connections": {"A": a, "B": b, "Y": y},
    }
    ports = {"a": ("input", a), "b": ("input", b), "y": ("output", y)}
    ports = {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()}
    found = Netlist({"ports": ports, "netnames": {}, "cells": {"x": cell}})
    assert [node.type for node in found.cells] == [kind]


def test_the_netlist_is_whole(tmp_path):
    found = netlist(tmp_path)
    assert {node.name for node in found.inputs} == {"a", "b", "mode", "clk", "rst"}
    assert {name: width(spec) for name, spec in found.outputs.items()} == {"o": 49}
    totals = [reg for reg in found.regs if reg.name.endswith(".total$ff")]
    assert [reg.init for reg in totals] == [5] * COPIES
    assert {reg.copy for reg in totals} == {f"part_{n}" for n in range(COPIES)}
    assert len(found.memories) == 3 * COPIES
    near = next(memory for memory in found.memories if memory.width == 18)
    assert near.init == [3, 1, 4, 0, 0, 0, 0, 0]
    assert [read.settled for read in near.reads] == [False]
