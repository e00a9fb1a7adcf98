"""Verilog of designs: the same every time, and as simulators need it."""

import subprocess
import sys

from hw.tools import export_verilog
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
