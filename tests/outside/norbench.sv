// The gateware of a flash and cocotbext-qspi's model of one, with the core's side left to cocotb.
module tb (
    input         clk /*verilator public_flat_rw*/,
    input         rst /*verilator public_flat_rw*/,
    input         request_valid /*verilator public_flat_rw*/,
    output        request_ready /*verilator public_flat_rd*/,
    input  [47:0] request /*verilator public_flat_rw*/,
    output        read_valid /*verilator public_flat_rd*/,
    input         read_ready /*verilator public_flat_rw*/,
    output [31:0] read /*verilator public_flat_rd*/,
    input         drop /*verilator public_flat_rw*/,
    output        clash /*verilator public_flat_rd*/,
    output        finished  // never: what runs without cocotb wants it
);
    wire sck, cs;
    wire [3:0] o, oe, io;
    flash dut (
        .clk, .rst,
        .port__request__valid(request_valid), .port__request__ready(request_ready),
        .port__request__payload(request),
        .port__write__valid(1'b0), .port__write__payload(32'b0),
        .port__read__valid(read_valid), .port__read__ready(read_ready), .port__read__payload(read),
        .port__drop(drop),
        .pins__clk(sck), .pins__cs(cs), .pins__o(o), .pins__oe(oe), .pins__i(io)
    );
    assign io[0] = oe[0] ? o[0] : 1'bz;
    assign io[1] = oe[1] ? o[1] : 1'bz;
    assign io[2] = oe[2] ? o[2] : 1'bz;
    assign io[3] = oe[3] ? o[3] : 1'bz;
    qspi_flash #(.MEM_DEPTH(65536)) memory (.clk(sck), .csb(~cs), .io(io));
    assign clash = memory.driving & |oe;
    assign finished = 1'b0;
    // norbench.py knows these bytes too
    integer n;
    always @(posedge clk) if (rst)
        for (n = 0; n < 65536; n = n + 1) memory.memory[n] = n[7:0] * 8'd151 + n[15:8] * 8'd37;
endmodule
