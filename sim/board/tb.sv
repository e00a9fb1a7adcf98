// A board's top with the ports of its bench; sim/board/main.cpp drives them all.
`timescale 1ns / 1ns

module tb (
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
    top top (
        .clk(clk), .rst(rst), .uart_rx(uart_rx), .uart_tx(uart_tx), .led_busy(), .led_done(),
        .load_valid(load_valid), .load_addr(load_addr), .load_data(load_data),
        .tick(tick), .rests(rests)
    );
endmodule
