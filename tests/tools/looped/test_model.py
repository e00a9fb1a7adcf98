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
from hw.tools import export_verilog
from hw.tools.looped import looped
from sim import verilator
from tests.tools.looped.design import Row

BENCH = """
module tb (input wire clk, output reg finished);
    reg [63:0] s = 64'h9e3779b97f4a7c15;
    wire [63:0] x = s ^ (s << 13), y = x ^ (x >> 7);
    reg [31:0] cycle = 0;
    reg [48:0] most = 0;
    wire [48:0] o, p;
    wire rst = cycle < 3 || cycle[9:2] == 8'hff;
    plain plain (.clk(clk), .rst(rst), .a(s[12:0]), .b(s[30:13]), .mode(s[40:37]), .o(o));
    looped looped (.clk(clk), .rst(rst), .a(s[12:0]), .b(s[30:13]), .mode(s[40:37]), .o(p));
    initial finished = 0;
    always @(posedge clk) begin
        s <= y ^ (y << 17);
        cycle <= cycle + 1;
        most <= most | o;
        if (o !== p) $fatal(1, "cycle %0d: %h is not %h", cycle, p, o);
        if (cycle == 20000) begin
            if (most != '1) $fatal(1, "bits of the outputs never rise: %h", most);
            finished <= 1;
        end
    end
endmodule
"""


def outcome(folder, wrong=()):
    """Status and output of both forms side by side; ``wrong``: what is changed in the C++."""
    plain = export_verilog(Row(), folder / "plain.v", name="plain").read_text(encoding="utf-8")
    plain += verilator.COUNTONES.read_text(encoding="utf-8")
    wrapper, cpp = looped(Row(), folder, name="looped")
    if wrong:
        assert wrong[0] in cpp
        cpp = cpp.replace(*wrong, 1)
    bench = folder / "bench.sv"
    bench.write_text(BENCH, encoding="utf-8")
    made = verilator.compile_bench(plain + wrapper, bench, cpp=cpp)
    done = process.run([made / "free"])
    return done.returncode, done.stdout + done.stderr


def test_loops_do_the_same(tmp_path):
    status, said = outcome(tmp_path)
    assert status == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [(" ^ ", " | "), ("~-", "-")])
def test_a_wrong_loop_is_found(tmp_path, wrong):
    status, said = outcome(tmp_path, wrong)
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
