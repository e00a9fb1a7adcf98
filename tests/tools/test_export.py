"""Verilog of designs: the same every time, and as simulators need it."""

import subprocess
import sys

import pytest
from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.tools import export_verilog, run_yosys
from hw.tools.export import replicated
from tests.synth.designs import Counter


def test_verilog_is_the_same_every_time(tmp_path):
    code = (
        "import sys; from hw.tools import export_verilog; from tests.synth.designs import Counter\n"
        "export_verilog(Counter(), sys.argv[1])"
    )
    texts = set()
    for seed in ("1", "2"):
        path = tmp_path / seed / "c.v"
        subprocess.run(
            [sys.executable, "-c", code, path],
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        )
        texts.add(path.read_bytes())
    assert len(texts) == 1


def test_verilog_has_no_block_that_waits_for_ever(tmp_path):
    text = export_verilog(Counter(), tmp_path / "c.v").read_text(encoding="utf-8")
    assert "always @*" not in text
    assert "posedge clk" in text


def test_repeated_bits_are_replications():
    text = "assign y = { a[3], a[3], a[3:0], 2'h0, b };\nassign z = { \\s , \\s  };\n"
    assert replicated(text) == (
        "assign y = { {2{a[3]}}, a[3:0], 2'h0, b };\nassign z = { {2{\\s }} };\n"
    )


class Shifted(wiring.Component):
    """A signed word, and the same one as a plain word, shifted by a variable amount."""

    def __init__(self):
        super().__init__(
            {"a": In(signed(8)), "by": In(3), "word": Out(16), "number": Out(signed(16))}
        )

    def elaborate(self, platform):
        m = Module()
        kept = Signal(signed(8))
        m.d.comb += [
            kept.eq(self.a),
            self.word.eq(kept.as_unsigned() << self.by),
            self.number.eq(kept << self.by),
        ]
        return m


@pytest.mark.parametrize("damaged", [False, True])
def test_verilog_means_what_the_design_does(tmp_path, damaged):
    """For all inputs; where a plain word is declared signed, it does not."""
    path = export_verilog(Shifted(), tmp_path / "d.v")
    text = path.read_text(encoding="utf-8")
    assert "signed [" not in text
    assert "$signed" in text
    if damaged:
        path.write_text(text.replace("wire [7:0]", "wire signed [7:0]"), encoding="utf-8")
    log = run_yosys(
        [
            "read_rtlil d.il", "proc", "flatten", "rename top gold",
            "read_verilog -sv d.v", "proc", "flatten top", "rename top gate",
            "miter -equiv -flatten gold gate miter", "sat -prove trigger 0 miter",
        ],
        cwd=tmp_path, name="same",
    )  # fmt: skip
    proved = "SAT proof finished - no model found: SUCCESS!" in log.read_text(encoding="utf-8")
    assert proved != damaged
