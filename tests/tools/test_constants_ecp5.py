"""Zeros of carry cells in their tables: the same sum and carry, whatever the other inputs are."""

import copy
import itertools

import numpy as np
import pytest

from hw.tools.constants_ecp5 import BITS, INPUTS, absorb_module


def half(table: str, pins: dict[str, int], carry: int, inject: bool) -> tuple[int, int]:
    """Sum and carry of half a CCU2C, as Yosys' model of the cell has them."""
    four = int(table[::-1][sum(pins[p] << n for n, p in enumerate(INPUTS))])
    two = int(table[::-1][pins["A"] | pins["B"] << 1])
    given, made = (0, 0) if inject else (carry, two)
    return four ^ given, (1 - four) & made | four & carry


def cell(tables: list[str], pins: dict[str, list]) -> dict:
    return {
        "type": "CCU2C",
        "parameters": {"INIT0": tables[0], "INIT1": tables[1], "INJECT1_0": "NO"},
        "connections": copy.deepcopy(pins),
        "port_directions": dict.fromkeys(pins, "input"),
    }


@pytest.mark.parametrize("zeros", [z for n in range(5) for z in itertools.combinations("ABCD", n)])
def test_sum_and_carry_stay_as_they_are(zeros):
    rng = np.random.default_rng(len(zeros))
    tables = ["".join(map(str, rng.integers(2, size=BITS))) for _ in range(2)]
    pins = {p + h: ["0"] if p in zeros else [7] for h in "01" for p in INPUTS}
    module = {"cells": {"a": cell(tables, pins), "b": {"type": "LUT4", "connections": {}}}}
    assert absorb_module(module) == 2 * len(zeros)
    changed = module["cells"]["a"]
    for h, table in zip("01", tables, strict=True):
        ties = {p: changed["connections"][p + h] for p in INPUTS}
        assert ties == {p: ["1"] if p in zeros else [7] for p in INPUTS}
        new = changed["parameters"][f"INIT{h}"]
        free = [p for p in INPUTS if p not in zeros]
        for values in itertools.product((0, 1), repeat=len(free) + 1):
            given = dict(zip(free, values, strict=False))
            was, now = dict.fromkeys(zeros, 0) | given, dict.fromkeys(zeros, 1) | given
            for inject in (False, True):
                assert half(new, now, values[-1], inject) == half(table, was, values[-1], inject)
    assert absorb_module(module) == 0


def test_ones_and_nets_stay_where_they_are():
    pins = {p + h: [t] for h, t in (("0", "1"), ("1", 5)) for p in INPUTS}
    module = {"cells": {"a": cell(["01" * 8, "0011" * 4], pins)}}
    before = copy.deepcopy(module)
    assert absorb_module(module) == 0
    assert module == before
