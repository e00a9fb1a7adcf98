"""hw.build.outside: which cores a board takes, and what stands at the pins of its SDRAM."""

import json
from dataclasses import replace

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import boards
from hw.arch.outside import CONTRACT
from hw.build import outside
from hw.build.board_top import elaborate
from hw.common.errors import SpikeloomError
from hw.core.outside import OutsidePort
from hw.tools.yosys import run_yosys


def board(name, settings):
    found = boards.get(name)
    return replace(found, config=found.config.changed(settings))


def test_a_core_without_a_mover_wants_nothing():
    for name in boards.NAMES:
        outside.check(boards.get(name))


def test_a_board_without_memory_is_refused():
    with pytest.raises(SpikeloomError, match=r"Cmod.*wants a memory outside.*\(ulx3s, arty_a7\)"):
        outside.check(board("cmod_a7", "block_depth=64,outside=8"))


@pytest.mark.parametrize("words", [4, 16])
def test_memory_of_another_size_is_refused(words):
    with pytest.raises(SpikeloomError, match="give outside=8 in --config"):
        outside.check(board("ulx3s", f"block_depth=64,outside={words}"))


def test_every_board_that_is_advised_has_a_memory():
    for size in ("", "_12f", "_25f", "_45f"):
        sdram, flash = boards.get(f"ulx3s{size}").outside
        assert (sdram.kind, sdram.words, flash.kind, flash.words) == ("sdram", 8, "flash", 3)
    for name in ("arty_a7", "arty_a7_100"):
        (flash,) = boards.get(name).outside
        assert (flash.kind, flash.words) == ("flash", 3)


def test_the_forecast_is_of_the_memory_that_is_there():
    assert outside.contract(boards.get("ulx3s")) == CONTRACT
    assert outside.contract(boards.get("ulx3s").having("flash")).latency == 104
    assert outside.contract(boards.get("arty_a7")).latency == 107
    assert outside.contract(boards.get("cmod_a7")) == CONTRACT


class Design(wiring.Component):
    """A port whose words are a shift register's, with what is read in a LED."""

    uart_rx: In(1)
    uart_tx: Out(1)
    led_busy: Out(1)
    led_done: Out(1)
    led_alive: Out(1)
    outside: Out(OutsidePort())

    def elaborate(self, platform):
        m, port = Module(), self.outside
        noise, seen = Signal(64), Signal()
        m.d.sync += noise.eq(Cat(self.uart_rx, noise))
        m.d.comb += [
            port.request.payload.eq(noise),
            port.request.valid.eq(noise[50]),
            port.write.payload.eq(noise[8:]),
            port.write.valid.eq(noise[41]),
            port.read.ready.eq(noise[60]),
            self.led_busy.eq(seen),
        ]
        with m.If(port.read.valid):
            m.d.sync += seen.eq(port.read.payload.xor() ^ port.request.ready ^ port.write.ready)
        return m


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Cells of a ULX3S with such a design, as Yosys makes them of what a build folder holds."""
    folder, ulx3s = tmp_path_factory.mktemp("outside"), board("ulx3s", "block_depth=64,outside=8")
    (folder / "top.il").write_text(elaborate(ulx3s, Design()).rtlil, encoding="utf-8")
    outside.add_controller(folder, ulx3s)
    left = sorted(p.name for p in folder.iterdir() if p.suffix not in (".ys", ".log"))
    assert left == ["top.il"]
    run_yosys(["read_rtlil top.il", "synth_ecp5 -top top -json top.json"], cwd=folder)
    netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
    return netlist["modules"]["top"]["cells"]


def drivers(cells):
    """Each bit's cell and port that drives it."""
    return {
        bit: (cell["type"], port)
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        for bit in bits
        if cell["port_directions"][port] == "output"
    }


def test_data_pins_have_registers_of_their_own(cells):
    """Word out and enable are flip-flops; nothing stands between them and the pin."""
    driven = drivers(cells)
    pins = {
        name: cell
        for name, cell in cells.items()
        if cell["type"] == "TRELLIS_IO" and cell["parameters"]["DIR"] == "BIDIR"
    }
    assert len(pins) == 16
    enables = set()
    for cell in pins.values():
        for port in ("I", "T"):
            (bit,) = cell["connections"][port]
            assert driven[bit] == ("TRELLIS_FF", "Q"), port
        enables.add(cell["connections"]["T"][0])
    assert len(enables) == len(pins)  # one that were shared could not lie in the pin's cell
    taken = {bit for cell in pins.values() for bit in cell["connections"]["O"]}
    readers = [c for c in cells.values() if taken & set(c["connections"].get("DI", ()))]
    assert {c["type"] for c in readers} == {"TRELLIS_FF"}
    assert len(readers) == len(pins)


def test_the_clock_pin_is_half_a_cycle_late(cells):
    """Of two half cycles it is 0 in the first one."""
    (clock,) = (c for c in cells.values() if c["type"] == "ODDRX1F")
    assert clock["connections"]["D0"] == ["0"]
    assert clock["connections"]["D1"] == ["1"]


def test_the_controller_is_there(cells):
    assert sum(c["type"] == "TRELLIS_FF" for c in cells.values()) > 300
