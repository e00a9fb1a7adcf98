"""Lattice ECP5: names of parts, cells counted as resources, the router's figures."""

import pytest

import boards
from hw import targets
from hw.arch import SpikeloomError
from hw.targets.ecp5 import PART, device_options, figures
from hw.tools.room_ecp5 import DIES
from tests.targets.parts import with_part


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


def test_ecp5_resources():
    counts = {"LUT4": 10, "CCU2C": 2, "DP16KD": 3, "TRELLIS_FF": 4, "TRELLIS_DPR16X4": 1}
    assert targets.of(boards.get("ulx3s")).resources(counts) == {
        "lut": 20,
        "lut_as_memory": 6,
        "ff": 4,
        "bram18": 3,
        "dsp": 0,
    }


def test_cells_that_keep_places_free_are_not_the_designs():
    report = {
        "utilization": {"TRELLIS_COMB": {"used": 1500}, "TRELLIS_FF": {"used": 1200}},
        "fmax": {"clk": {"achieved": 70.5}},
    }
    used = figures(report, 1000)["resources"]
    assert used == {"lut": 500, "ff": 200, "bram18": 0, "dsp": 0}


@pytest.mark.parametrize("name", [n for n, b in boards.table().items() if PART.fullmatch(b.part)])
def test_the_die_of_every_board_is_known(name):
    """As `room_ecp5` names it, by the device that nextpnr is told."""
    assert device_options(boards.get(name))[0].rpartition("-")[2] in DIES


def test_router_without_a_clock():
    with pytest.raises(SpikeloomError, match="reports no clock"):
        figures({"utilization": {}, "fmax": {}})
