// A board top behind its UART's pins; cocotb drives clock and pins.
`timescale 1ns / 1ns

module tb (
    input  wire clk     /*verilator public_flat_rw*/,
    input  wire rst     /*verilator public_flat_rw*/,
    input  wire uart_rx /*verilator public_flat_rw*/,
    output wire uart_tx /*verilator public_flat_rw*/,
    output wire led_busy /*verilator public_flat_rw*/,
    output wire led_done /*verilator public_flat_rw*/
);
    top top (
        .clk(clk), .rst(rst), .uart_rx(uart_rx), .uart_tx(uart_tx),
        .led_busy(led_busy), .led_done(led_done), .led_alive()
    );
endmodule
