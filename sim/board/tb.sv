// A board's top with the ports of its bench; sim/board/main.cpp drives them all.
`timescale 1ns / 1ns

module tb #(
    parameter LATENCY = 1,  // of the memory outside, where there is one: outside.sv
    parameter PERIOD = 1
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        uart_rx,
    output wire        uart_tx,
    input  wire        load_valid,
    input  wire [31:0] load_addr,
    input  wire [31:0] load_data,
    input  wire        tick,
    output wire        rests
);
`ifdef OUTSIDE
    wire [47:0] request;
    wire request_valid, request_ready, read_valid, read_ready, write_valid, write_ready, drop;
    wire [31:0] read, write;
    outside_memory outside (
        .clk(clk), .rst(rst), .latency(LATENCY), .period(PERIOD), .request(request),
        .request_valid(request_valid), .request_ready(request_ready), .read(read),
        .read_valid(read_valid), .read_ready(read_ready), .write(write),
        .write_valid(write_valid), .write_ready(write_ready), .drop(drop)
    );
`endif
    top top (
`ifdef OUTSIDE
        .outside__request__payload(request), .outside__request__valid(request_valid),
        .outside__request__ready(request_ready), .outside__read__payload(read),
        .outside__read__valid(read_valid), .outside__read__ready(read_ready),
        .outside__write__payload(write), .outside__write__valid(write_valid),
        .outside__write__ready(write_ready), .outside__drop(drop),
`endif
        .clk(clk), .rst(rst), .uart_rx(uart_rx), .uart_tx(uart_tx), .led_busy(), .led_done(),
        .load_valid(load_valid), .load_addr(load_addr), .load_data(load_data),
        .tick(tick), .rests(rests)
    );
endmodule
