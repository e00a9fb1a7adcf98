"""Resets on global nets: of enough flip-flops, and of nothing else."""

import copy

import pytest

from hw.tools.globals_ecp5 import LEAST, MOST, promote_module


def flip_flop(reset: int | str, q: int) -> dict:
    pins = {"CLK": [2], "LSR": [reset], "DI": ["0"], "Q": [q]}
    return {
        "type": "TRELLIS_FF",
        "parameters": {},
        "connections": pins,
        "port_directions": {pin: "output" if pin == "Q" else "input" for pin in pins},
    }


def lut(a: int, z: int) -> dict:
    ways = {"A": "input", "Z": "output"}
    return {"type": "LUT4", "connections": {"A": [a], "Z": [z]}, "port_directions": ways}


def module(counts: dict[int, int]) -> dict:
    """Flip-flops by the bit that resets them, a LUT that reads each such bit, others without."""
    cells = {f"l{bit}": lut(bit, 9000 + bit) for bit in counts}
    for bit, count in counts.items():
        cells |= {f"f{bit}_{n}": flip_flop(bit, 10000 + 1000 * bit + n) for n in range(count)}
    cells |= {f"n{n}": flip_flop("0", 100 + n) for n in range(LEAST + 1)}
    return {"cells": cells, "netnames": {"alone": {"bits": [99999]}}}


def test_a_reset_of_many_goes_by_a_global_net():
    made = module({5: LEAST, 6: LEAST - 1})
    before = copy.deepcopy(made)
    assert promote_module(made) == 1
    buffer = made["cells"].pop("$reset0")
    assert buffer["type"] == "DCCA"
    ((source,), (net,)) = buffer["connections"]["CLKI"], buffer["connections"]["CLKO"]
    assert (source, net) == (5, 100000)  # behind every net of the module
    for name, cell in made["cells"].items():
        was = before["cells"][name]
        if name.startswith("f5_"):
            assert cell["connections"].pop("LSR") == [net]
            was["connections"].pop("LSR")
        assert cell == was


@pytest.mark.parametrize("count", [1, MOST, MOST + 2])
def test_no_more_nets_than_there_may_be(count):
    """Those of most flip-flops."""
    made = module({3 + n: LEAST + n for n in range(count)})
    assert promote_module(made) == min(count, MOST)
    got = [made["cells"][f"$reset{n}"]["connections"]["CLKI"] for n in range(min(count, MOST))]
    assert got == [[3 + n] for n in reversed(range(count))][:MOST]
    assert promote_module({"cells": {}}) == 0
