"""What is C++ in loops does the same in every cycle as what is Verilog part by part."""

import os
import subprocess
import sys

import pytest
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common import process
from hw.core.pipe import delay
from hw.tools.looped import looped
from sim import verilator
from tests.tools.looped.beside import outcome
from tests.tools.looped.design import Row


def test_loops_do_the_same(tmp_path):
    status, said = outcome(Row(), tmp_path)
    assert status == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [(" ^ ", " | "), ("~-", "-")])
def test_a_wrong_loop_is_found(tmp_path, wrong):
    status, said = outcome(Row(), tmp_path, wrong)
    assert status != 0
    assert "is not" in said


#: Names of ports that C++, its library or the functions around have a meaning for.
NAMES = ("abort", "exit", "main", "r", "s", "m", "i", "it", "any", "now", "word", "u32")


class Named(wiring.Component):
    """Three registers of each input, one after the other, so that there are loops too."""

    def __init__(self):
        super().__init__(dict.fromkeys(NAMES, In(5)) | {"o": Out(5 * len(NAMES))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(Cat(delay(m, getattr(self, n), 3, name=n) for n in NAMES))
        return m


def test_a_port_may_have_any_name(tmp_path):
    wrapper, cpp = looped(Named(), tmp_path, name="named")
    given = "".join(f", .{name}(5'({n} + 1))" for n, name in enumerate(NAMES))
    shown = ", ".join(f"5'({n} + 1)" for n in reversed(range(len(NAMES))))
    bench = tmp_path / "bench.sv"
    bench.write_text(
        f"""
module tb (input wire clk, output reg finished);
    reg [3:0] cycle = 0;
    wire [{5 * len(NAMES) - 1}:0] o;
    named named (.clk(clk), .rst(1'b0), .o(o){given});
    initial finished = 0;
    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (cycle == 8) begin
            if (o !== {{{shown}}}) $fatal(1, "%h", o);
            finished <= 1;
        end
    end
endmodule
""",
        encoding="utf-8",
    )
    done = process.run([verilator.compile_bench(wrapper, bench, cpp=cpp) / "free"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_text_is_the_same_every_time(tmp_path):
    code = (
        "import sys; from pathlib import Path; from hw.tools.looped import looped\n"
        "from tests.tools.looped.design import Row\n"
        "print(*looped(Row(), Path(sys.argv[1])))"
    )
    texts = set()
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / seed],
            check=True,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        )
        texts.add(done.stdout)
    assert len(texts) == 1
