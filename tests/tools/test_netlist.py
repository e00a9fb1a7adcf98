"""Netlists as Yosys writes them."""

import json

import pytest

from hw.arch import SpikeloomError
from hw.tools.netlist import Cell, Netlist
from tests.tools.netlists import cell, netlist


def test_netlist_that_is_cut_short(tmp_path):
    path = tmp_path / "n.json"
    path.write_text('{"modules": {"top": {', encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"n.json is not a whole netlist .*is the disk full"):
        Netlist.load(path)


PARAMETERS = {"N": 7, "BITS": "0101 ", "UNKNOWN": "1x1z", "EMPTY": "", "TEXT": " FIXED "}
CELL = cell("X", **PARAMETERS)


@pytest.mark.parametrize(
    ("name", "value"), [("N", 7), ("BITS", 5), ("UNKNOWN", 10), ("EMPTY", 0), ("NONE", 0)]
)
def test_parameters_as_numbers(name, value):
    assert CELL.number(name) == value


def test_parameters_that_are_not_there():
    assert CELL.number("NONE", 3) == 3
    assert CELL.text("NONE") == ""
    assert CELL.text("NONE", "so") == "so"
    assert CELL.text("TEXT") == "FIXED"
    assert CELL.text("N") == "7"


def test_counts_by_type():
    found = netlist(cell("B", "a.1"), cell("A", "a.2"), cell("B", "b.1"), cell("B", "a.3"))
    assert list(found.counts().items()) == [("A", 1), ("B", 3)]
    assert found.counts("a.") == {"A": 1, "B": 2}
    assert found.counts("c") == {}


def module(top, name):
    """A module with one cell and one net, named after it."""
    return {
        "attributes": {} if top is None else {"top": top},
        "ports": {"p": {"bits": [2]}},
        "netnames": {f"net {name}": {"bits": [2, "0"], "hide_name": 0}},
        "cells": {
            f"cell {name}": {"type": "T", "parameters": {"A": "1"}, "connections": {"Q": [2]}}
        },
    }


def test_the_module_that_is_marked_is_read(tmp_path):
    path = tmp_path / "n.json"
    modules = {"a": module("0" * 32, "a"), "b": module(None, "b"), "c": module("0" * 31 + "1", "c")}
    path.write_text(json.dumps({"modules": modules}), encoding="utf-8")
    assert Netlist.load(path) == Netlist(
        "c",
        (Cell("cell c", "T", {"A": "1"}, {"Q": [2]}),),
        {"p": {"bits": [2]}},
        {"net c": [2, "0"]},
    )
    del modules["c"]
    path.write_text(json.dumps({"modules": modules}), encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"no module is marked as top; modules: \['a', 'b'\]$"):
        Netlist.load(path)
