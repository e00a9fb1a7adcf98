"""Dies: found by their parts, with budgets of data sheets that are of what targets count."""

import pytest

from boards.dies import DIES, DP16KD, RAMB36, die
from hw.common.errors import SpikeloomError
from hw.targets import TARGETS


def test_budgets_are_of_what_targets_count():
    for name, found in DIES.items():
        titles = TARGETS[found.family].titles
        assert set(found.resources) <= set(titles), name
        assert found.block.resource in found.resources, name


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("xc7a35ticsg324-1L", "xc7a35t"),
        ("XC7A100TCSG324-1", "xc7a100t"),
        ("lfe5u-25f-6BG381C", "LFE5U-25F"),
        ("LFE5UM-25F-6BG381C", "LFE5UM-25F"),
        ("LFE5UM5G-85F-8BG756C", "LFE5UM5G-85F"),
    ],
)
def test_die_of_a_part(part, name):
    assert die(part, "b") is DIES[name]


def test_longest_name_counts(monkeypatch):
    monkeypatch.setitem(DIES, "xc7a35tic", DIES["xc7z010"])
    assert die("xc7a35ticsg324-1L", "b") is DIES["xc7z010"]
    assert die("xc7a35tcsg324-1", "b") is DIES["xc7a35t"]


@pytest.mark.parametrize("part", ["", "xc7a", "xc6slx9", " xc7a35t"])
def test_part_of_no_die(part):
    with pytest.raises(SpikeloomError) as e:
        die(part, "mine")
    assert str(e.value).startswith(
        f"board mine: part {part!r} is of no known die; known dies: xc7s25, xc7s50, xc7a15t, "
    )
    assert str(e.value).endswith("a new one is a line of DIES in boards/dies.py")


#: From the data sheets DS180, DS189, DS190 and FPGA-DS-02012: LUTs, flip-flops, blocks, DSPs.
SHEETS = {
    "xc7a35t": (20_800, 41_600, 50, 90),
    "xc7a100t": (63_400, 126_800, 135, 240),
    "xc7z020": (53_200, 106_400, 140, 220),
    "LFE5U-25F": (24_288, 24_288, 56, 28),
    "LFE5U-85F": (83_640, 83_640, 208, 156),
}


@pytest.mark.parametrize("name", SHEETS)
def test_budgets_of_data_sheets(name):
    found = DIES[name]
    names = ("lut", "ff", found.block.resource, "dsp")
    assert tuple(found.resources[n] for n in names) == SHEETS[name]


@pytest.mark.parametrize(("block", "kbits"), [(RAMB36, 36), (DP16KD, 18)])
def test_shapes_fill_the_block(block, kbits):
    """All widths hold the block's data bits, those of whole bytes the parity bits too."""
    for depth, width in block.ram.shapes:
        bits = 1024 * (18 if width % 9 == 0 else 16)
        assert depth * width == bits
    assert 18 * block.each == kbits
