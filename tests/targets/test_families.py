"""The two families: names of parts, cells counted as resources, PLL parameters in RTL."""

import dataclasses

import pytest

import boards
from boards.dies import DIES
from hw import targets
from hw.arch import SpikeloomError
from hw.build import board_top
from hw.targets import TARGETS
from hw.targets.ecp5 import device_options, figures
from hw.targets.xc7 import database_names, lut_cells
from tests.synth.designs import Echo


def with_part(name, part):
    return dataclasses.replace(boards.get(name), part=part)


@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("LFE5U-85F-6BG381C", ["--85k", "CABGA381", "6"]),
        ("LFE5U-25F-8MG285C", ["--25k", "CSFBGA285", "8"]),
        ("LFE5UM-45F-7BG554I", ["--um-45k", "CABGA554", "7"]),
        ("LFE5UM5G-85F-8BG756C", ["--um5g-85k", "CABGA756", "8"]),
    ],
)
def test_ecp5_parts(part, options):
    found = device_options(with_part("ulx3s", part))
    assert [found[0], *found[2::2]] == options
    assert found[1::2] == ["--package", "--speed"]


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("xc7a35ticsg324-1L", ("xc7a35tcsg324-1", "artix7")),
        ("xc7a100ticsg324-1L", ("xc7a100tcsg324-1", "artix7")),
        ("xc7s25csga324-1", ("xc7s25csga324-1", "spartan7")),
        ("XC7A35TFTG256-1", ("xc7a35tftg256-1", "artix7")),
        ("xc7z010clg400-1", ("xc7z010clg400-1", "zynq7")),
        ("xc7k325tffg900-2", ("xc7k325tffg900-2", "kintex7")),
    ],
)
def test_xc7_parts(part, names):
    assert database_names(with_part("arty_a7", part)) == names


@pytest.mark.parametrize(("name", "part"), [("ulx3s", "LFE5U-85F"), ("arty_a7", "xc7a35t")])
def test_part_that_does_not_tell_its_package(name, part):
    with pytest.raises(SpikeloomError, match=f"board {name}: part '{part}' does not tell"):
        targets.of(with_part(name, part))


COUNTS = {
    "LUT2": 3,
    "LUT6_2": 2,
    "INV": 1,
    "SRLC32E": 5,
    "RAM32M": 2,
    "FDRE": 7,
    "FDSE": 1,
    "RAMB36E1": 3,
    "RAMB18E1": 3,
    "DSP48E1": 4,
}


def test_xc7_resources():
    assert lut_cells(COUNTS) == 6
    assert targets.of(boards.get("arty_a7")).resources(COUNTS) == {
        "lut": 19,
        "lut_as_memory": 13,
        "ff": 8,
        "bram36": 5,
        "dsp": 4,
    }


def test_ecp5_resources():
    counts = {"LUT4": 10, "CCU2C": 2, "DP16KD": 3, "TRELLIS_FF": 4, "TRELLIS_DPR16X4": 1}
    assert targets.of(boards.get("ulx3s")).resources(counts) == {
        "lut": 20,
        "lut_as_memory": 6,
        "ff": 4,
        "bram18": 3,
        "dsp": 0,
    }


def test_router_without_a_clock():
    with pytest.raises(SpikeloomError, match="reports no clock"):
        figures({"utilization": {}, "fmax": {}})


def test_budgets_are_of_what_targets_count():
    for name, die in DIES.items():
        titles = TARGETS[die.family].titles
        assert set(die.resources) <= set(titles), name
        assert die.block.resource in die.resources, name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ulx3s", {"CLKI_DIV": 1, "CLKFB_DIV": 2, "CLKOP_DIV": 12, "CLKOP_CPHASE": 11}),
        ("arty_a7", {"DIVCLK_DIVIDE": 1, "CLKFBOUT_MULT": 8, "CLKOUT0_DIVIDE": 16}),
    ],
)
def test_ratio_reaches_the_pll(name, parameters):
    text = board_top.elaborate(boards.get(name), Echo([1])).rtlil
    for parameter, value in parameters.items():
        assert f"    parameter \\{parameter} {value}\n" in text
