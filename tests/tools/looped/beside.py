"""A design as C++ beside the same in Verilog part by part, with inputs as at random."""

from hw.common import process
from hw.tools import export_verilog
from hw.tools.looped import looped
from sim import verilator

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


def outcome(design, folder, wrong=()):
    """Status and output of both forms side by side; ``wrong``: what is changed in the C++.

    ``design`` has the ports of `tests.tools.looped.design.Row`.
    """
    plain = export_verilog(design, folder / "plain.v", name="plain").read_text(encoding="utf-8")
    plain += verilator.COUNTONES.read_text(encoding="utf-8")
    wrapper, cpp = looped(design, folder, name="looped")
    if wrong:
        assert wrong[0] in cpp
        cpp = cpp.replace(*wrong, 1)
    bench = folder / "bench.sv"
    bench.write_text(BENCH, encoding="utf-8")
    made = verilator.compile_bench(plain + wrapper, bench, cpp=cpp)
    done = process.run([made / "free"])
    return done.returncode, done.stdout + done.stderr
