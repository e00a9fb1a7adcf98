// The gateware of an SDRAM and the SDRAM's model, with the core's side left to main.cpp. Times of
// the model come from the command line (+rcd=21000 and so on, in picoseconds).
module tb (
    input         clk, rst, sdram_clk, sdram_rst, pin_clk,
    input         request_valid,
    output        request_ready,
    input  [47:0] request,
    input         write_valid,
    output        write_ready,
    input  [31:0] write,
    output        read_valid,
    input         read_ready,
    output [31:0] read,
    input         drop,
    output [31:0] wrong,
    output [63:0] first,
    output [31:0] refreshes, activates, reads, writes
);
    reg [31:0] period, rcd, rp, ras, rc, rrd, rfc, wr, refi, power, mrd, wake;
    initial begin
        if (!$value$plusargs("period=%d", period)) period = 0;
        if (!$value$plusargs("rcd=%d", rcd)) rcd = 0;
        if (!$value$plusargs("rp=%d", rp)) rp = 0;
        if (!$value$plusargs("ras=%d", ras)) ras = 0;
        if (!$value$plusargs("rc=%d", rc)) rc = 0;
        if (!$value$plusargs("rrd=%d", rrd)) rrd = 0;
        if (!$value$plusargs("rfc=%d", rfc)) rfc = 0;
        if (!$value$plusargs("wr=%d", wr)) wr = 0;
        if (!$value$plusargs("refi=%d", refi)) refi = 0;
        if (!$value$plusargs("power=%d", power)) power = 0;
        if (!$value$plusargs("mrd=%d", mrd)) mrd = 0;
        if (!$value$plusargs("wake=%d", wake)) wake = 0;
    end
    wire        cke, cs, ras_, cas, we;
    wire  [1:0] ba, dqm;
    wire [12:0] a;
    wire [15:0] dq_o, dq_oe, q;
    sdram dut (
        .clk, .rst, .sdram_clk, .sdram_rst,
        .port__request__valid(request_valid), .port__request__ready(request_ready),
        .port__request__payload(request),
        .port__write__valid(write_valid), .port__write__ready(write_ready),
        .port__write__payload(write),
        .port__read__valid(read_valid), .port__read__ready(read_ready), .port__read__payload(read),
        .port__drop(drop),
        .pins__cke(cke), .pins__cs(cs), .pins__ras(ras_), .pins__cas(cas), .pins__we(we),
        .pins__ba(ba), .pins__a(a), .pins__dqm(dqm), .pins__dq_o(dq_o), .pins__dq_oe(dq_oe),
        .pins__dq_i((q & ~dq_oe) | (dq_o & dq_oe))
    );
    sdr memory (
        .clk(pin_clk), .period, .t_rcd(rcd), .t_rp(rp), .t_ras(ras), .t_rc(rc), .t_rrd(rrd),
        .t_rfc(rfc), .t_wr(wr), .t_refi(refi), .t_power(power), .n_mrd(mrd), .n_refreshes(wake),
        .cke, .cs_n(~cs), .ras_n(~ras_), .cas_n(~cas), .we_n(~we), .ba, .a, .dqm,
        .dq(dq_o), .dq_oe, .q, .wrong, .first, .refreshes, .activates, .reads, .writes
    );
endmodule
