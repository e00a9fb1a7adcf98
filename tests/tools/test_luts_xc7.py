"""LUTs of two outputs taken apart compute what they did."""

import json

import pytest

from hw.tools.luts_xc7 import split_luts
from hw.tools.netlist import Netlist


def written(path, cells):
    module = {"attributes": {"top": "1"}, "ports": {}, "netnames": {}, "cells": cells}
    path.write_text(json.dumps({"modules": {"top": module}}), encoding="utf-8")
    return path


def lut(init, *outputs):
    wires = {f"I{n}": [n + 2] for n in range(5)} | {"I5": ["1"]}
    wires |= {name: [20 + n] for n, name in enumerate(outputs)}
    return {
        "hide_name": 0,
        "type": "LUT6_2",
        "parameters": {"INIT": format(init, "064b")},
        "attributes": {"keep": "1"},
        "port_directions": {},
        "connections": wires,
    }


def value(cell, inputs):
    """What a LUT gives for wires by number, "1" being 1."""
    size = int(cell.type[3:])
    bits = [cell.connections[f"I{n}"][0] for n in range(size)]
    at = sum((1 if b == "1" else inputs[b]) << n for n, b in enumerate(bits))
    return cell.number("INIT") >> at & 1


@pytest.mark.parametrize("init", [0x9669_9669_8000_F00F, 1, 1 << 63, (1 << 64) - 1])
def test_halves_compute_what_the_whole_did(init, tmp_path):
    source = written(
        tmp_path / "a.json", {"x": lut(init, "O5", "O6"), "f": {**lut(0), "type": "FDRE"}}
    )
    assert split_luts(source, tmp_path / "b.json") == 1
    cells = {c.name: c for c in Netlist.load(tmp_path / "b.json").cells}
    assert sorted(cells) == ["f", "x$O5", "x$O6"]
    low, high = cells["x$O5"], cells["x$O6"]
    assert (low.type, high.type) == ("LUT5", "LUT6")
    assert (low.connections["O"], high.connections["O"]) == ([20], [21])
    for word in range(32):
        inputs = {n + 2: word >> n & 1 for n in range(5)}
        assert value(low, inputs) == init >> word & 1
        assert value(high, inputs) == init >> (word + 32) & 1


def test_an_output_that_nobody_reads_makes_no_lut(tmp_path):
    source = written(tmp_path / "a.json", {"x": lut(5, "O6")})
    assert split_luts(source, tmp_path / "b.json") == 1
    assert [c.name for c in Netlist.load(tmp_path / "b.json").cells] == ["x$O6"]


def test_without_such_luts_the_netlist_is_the_same(tmp_path):
    source = written(tmp_path / "a.json", {"x": {**lut(5), "type": "LUT6"}})
    assert split_luts(source, tmp_path / "b.json") == 0
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == json.loads(
        source.read_text(encoding="utf-8")
    )
