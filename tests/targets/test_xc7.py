"""Xilinx 7-series: names of parts, cells counted as resources."""

import pytest

import boards
from hw import targets
from hw.targets.xc7 import database_names, lut_cells
from tests.targets.parts import with_part


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
