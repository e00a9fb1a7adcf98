"""Which flip-flops may be replaced, who reads a bit, and a netlist that is changed as a whole."""

import json

import pytest

from hw.tools.registers_ecp5 import absorb, plain, readers, register

PINS = {"CLK": [2], "LSR": ["0"], "DI": [3], "Q": [4]}
PLAIN = {
    "CEMUX": "1 ",
    "CLKMUX": "CLK",
    "LSRMUX": "LSR",
    "REGSET": "RESET",
    "SRMODE": "LSR_OVER_CE",
}


def flip_flop(pins=None, **parameters):
    return {
        "type": "TRELLIS_FF",
        "parameters": PLAIN | parameters,
        "connections": PINS | (pins or {}),
        "port_directions": {"CLK": "input", "LSR": "input", "DI": "input", "Q": "output"},
    }


@pytest.mark.parametrize(
    ("cell", "controls"),
    [
        (flip_flop(), ([2], ["1"], ["0"])),
        (flip_flop({"CE": [9]}, CEMUX="CE"), ([2], [9], ["0"])),
        (flip_flop({"LSR": [8]}), ([2], ["1"], [8])),
        (flip_flop(REGSET="SET"), ([2], ["1"], ["0"])),  # what it is set to, nothing does
        (flip_flop({"LSR": [8]}, REGSET="SET"), None),
        (flip_flop({"LSR": [8]}, SRMODE="ASYNC"), None),
        (flip_flop({"LSR": [8], "CE": [9]}, CEMUX="CE"), None),
        (flip_flop(CEMUX="INV"), None),
        (flip_flop(CLKMUX="INV"), None),
        (flip_flop(LSRMUX="INV"), None),
        (flip_flop() | {"type": "LUT4"}, None),
    ],
)
def test_what_a_register_does(cell, controls):
    assert register(cell) == controls
    assert plain(cell, [2]) == (controls == ([2], ["1"], ["0"]))
    assert not plain(cell, [7])


def test_readers_of_a_bit():
    """Cells' inputs and ports' outputs, a bit at several pins too."""
    module = {
        "cells": {"a": flip_flop(), "b": flip_flop({"DI": [4], "Q": [5]})},
        "ports": {
            "o": {"direction": "output", "bits": [5, 4]},
            "i": {"direction": "input", "bits": [3]},
        },
    }
    found = readers(module)
    assert found[2] == [("a", "CLK"), ("b", "CLK")]
    assert found[3] == [("a", "DI")]
    assert found[4] == [("b", "DI"), ("", "")]
    assert found[5] == [("", "")]
    assert 6 not in found


def test_every_module_is_changed_by_each_and_written_once(tmp_path):
    path, seen = tmp_path / "top.json", []
    path.write_text(json.dumps({"modules": {"a": {"n": 1}, "b": {"n": 2}}}), encoding="utf-8")

    def more(module):
        seen.append(module["n"])
        module["n"] += 10
        return module["n"]

    assert absorb(path, more, more) == 11 + 12 + 21 + 22
    assert seen == [1, 2, 11, 12]
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written == {"modules": {"a": {"n": 21}, "b": {"n": 22}}}


def test_a_netlist_in_which_nothing_changes_is_left_alone(tmp_path):
    path = tmp_path / "top.json"
    path.write_text('{"modules": {"a": {}}}', encoding="utf-8")
    assert absorb(path, lambda module: 0) == 0
    assert path.read_text(encoding="utf-8") == '{"modules": {"a": {}}}'
