# amaranth: UnusedElaboratable=no
"""hw.build.flash: cells and pins of a core that reads the configuration flash, and the image."""

import json
from dataclasses import replace

import numpy as np
import pytest

import boards
from boards.memory import Flash
from hw import targets
from hw.build import flash, outside
from hw.build.board_top import elaborate
from hw.common.errors import SpikeloomError
from hw.tools import check_xc7, find
from hw.tools.netlist import Netlist
from hw.tools.yosys import run_yosys
from tests.build.test_outside import Design, board

#: Clock cell, its pins in the netlist, and the sites of cs and dq0 to dq3, by the boards' diagrams.
CELLS = {
    "ulx3s": ("USRMCLK", "USRMCLKI", "USRMCLKTS", ("R2", "W2", "V2", "Y2", "W1")),
    "arty_a7_100": ("STARTUPE2", "USRCCLKO", "USRCCLKTS", ("L13", "K17", "K18", "L14", "M14")),
}


def reading(name):
    return board(name, "block_depth=64,outside=3").having("flash")


@pytest.fixture(scope="module", params=CELLS)
def made(request, tmp_path_factory):
    """Board, pins, and the netlist as a build makes it."""
    found, folder = reading(request.param), tmp_path_factory.mktemp("flash")
    top = elaborate(found, Design())
    (folder / "top.il").write_text(top.rtlil, encoding="utf-8")
    outside.add_controller(folder, found)
    run_yosys(targets.of(found).synthesis("top.il", "top.json", "top.stat"), cwd=folder)
    netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
    return found, top.pins, netlist["modules"]["top"]["cells"], folder / "top.json"


def drivers(cells):
    return {
        bit: cell
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }


def test_the_clock_is_a_register_at_the_configuration_clock(made):
    """Its enable comes from a register too, and is 0 while the pin is driven."""
    found, _, cells, _ = made
    kind, clock, off, _ = CELLS[found.name]
    (cell,) = (c for c in cells.values() if c["type"] == kind)
    driven, pins = drivers(cells), cell["connections"]
    flip_flop = {"USRMCLK": "TRELLIS_FF", "STARTUPE2": "FDRE"}[kind]
    assert driven[pins[clock][0]]["type"] == flip_flop
    inverter = driven[pins[off][0]]
    assert inverter["type"] in ("LUT4", "INV", "LUT1")
    if kind == "STARTUPE2":
        assert pins["USRDONEO"] == pins["USRDONETS"] == ["1"]
        assert all(pins[name] == ["0"] for name in ("CLK", "GSR", "GTS", "KEYCLEARB", "PACK"))


def test_pins_are_the_flashs(made):
    found, pins, cells, _ = made
    sites = [pin.pin for pin in pins if pin.port.startswith("quad_flash")]
    assert tuple(sites) == CELLS[found.name][-1]
    both = [c for c in cells.values() if c["type"] in ("TRELLIS_IO", "IOBUF")]
    both = [c for c in both if c["type"] == "IOBUF" or c["parameters"]["DIR"] == "BIDIR"]
    assert len(both) == 4


def test_the_open_flow_knows_the_cells(made):
    found, _, _, path = made
    if found.family == "xc7":
        check_xc7.refuse_offences(Netlist.load(path), path, {"rst": 1})
        assert targets.of(found).timing(Netlist.load(path)) is not None


def test_a_platform_without_a_flash_is_refused():
    there = boards.get("nexys_video")
    memory = Flash(size=1 << 24, offset=0, volatile_quad=False)
    with pytest.raises(SpikeloomError, match=r"Nexys Video: its platform names no pins of a quad"):
        flash.resource(there.make_platform(), replace(there, outside=(memory,)))


def test_the_image_is_little_endian_words(tmp_path):
    words = np.array([0x04030201, 0x80000000], np.uint32)
    said = flash.write_image(reading("arty_a7_100"), words, tmp_path)
    assert (tmp_path / "flash.bin").read_bytes() == bytes([1, 2, 3, 4, 0, 0, 0, 0x80])
    assert "8 bytes that the core reads from the flash, from byte 0x400000 on" in said[0]
    assert said[1].endswith(
        "openFPGALoader -b arty_a7_100t --write-flash --verify --offset 0x400000 flash.bin"
    )
    assert said[2].endswith("openFPGALoader -b arty_a7_100t --enable-quad")
    script = (tmp_path / "write_flash.sh").read_text(encoding="utf-8").splitlines()
    assert [script[0], *script[-2:]] == ["#!/bin/sh", "set -eu", said[1].partition("network: ")[2]]
    assert all(line.startswith("#") for line in script[1:-2])


def test_where_quad_is_enabled_for_a_while_nobody_sets_it(tmp_path):
    said = flash.write_image(reading("ulx3s"), np.ones(1, np.uint32), tmp_path)
    assert len(said) == 2


def test_no_image_without_words_or_without_a_flash(tmp_path):
    assert flash.write_image(reading("ulx3s"), np.zeros(0, np.uint32), tmp_path) == []
    assert flash.write_image(boards.get("ulx3s"), np.ones(1, np.uint32), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_bitstream_that_reaches_the_words_is_refused(tmp_path):
    path = tmp_path / "top.bit"
    path.write_bytes(bytes(0x200001))
    with pytest.raises(SpikeloomError, match=r"2097153 bytes, but the words .* byte 2097152; give"):
        flash.check_bitstream(reading("ulx3s"), path)
    flash.check_bitstream(boards.get("ulx3s"), path)
    path.write_bytes(bytes(0x200000))
    flash.check_bitstream(reading("ulx3s"), path)


def test_an_ecp5_is_routed_and_packed_with_it(need, tmp_path):
    """nextpnr gives the clock cell its place, and Project Trellis a bitstream."""
    need(find.have("nextpnr-ecp5"), "nextpnr-ecp5")
    found = reading("ulx3s_25f")
    target, top = targets.of(found), elaborate(found, Design())
    (tmp_path / "top.il").write_text(top.rtlil, encoding="utf-8")
    run_yosys(target.synthesis("top.il", "top.json", "top.stat"), cwd=tmp_path)
    target.constrain(tmp_path, top.pins, top.clocks)
    assert target.route(tmp_path) is None
    placed = target.placed(tmp_path)
    assert placed is not None
    assert placed.fmax_mhz > 100
    assert placed.resources["lut"] < 400
    target.pack(tmp_path)
    flash.check_bitstream(found, tmp_path / "top.bit")
