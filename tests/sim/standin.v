// A stand-in with the ports of a core, to test the testbench: a run of as many cycles as program
// word 0 says, with one write of each kind at known cycles.
module core #(
    parameter R = 4, C = 16, W = 32, B = W / 8
) (
    input clk, rst, start,
    output reg busy, done,
    output reg [31:0] cycles,
    input load_valid,
    input [31:0] load_addr, load_data,
    input abort, input [31:0] limit, output reg [1:0] stopped, output [15:0] pc,
    input [5:0] log_addr, output reg [31:0] log_data, output [6:0] log_count,
    input peek, input [31:0] peek_addr,
    output reg [31:0] peek_data,
    output [R*B-1:0] t_row_en, output [R*16-1:0] t_row_addr, output [R*W-1:0] t_row_data,
    output [C*B-1:0] t_col_en, output [C*16-1:0] t_col_addr, output [C*W-1:0] t_col_data,
    output t_col_read,
    output [2*C-1:0] t_res_en, output [C*16-1:0] t_res_addr, output [C*18-1:0] t_res_data,
    output [2*C-1:0] t_mem_en, output [C*16-1:0] t_mem_addr, output [C*16-1:0] t_mem_data,
    output t_pix_en, output [15:0] t_pix_addr, output [17:0] t_pix_data
);
    reg [17:0] pix[0:255];
    reg [31:0] length;
    reg lost = 0;  // program word 1: stop without done
    initial begin
        busy = 0;
        done = 0;
        cycles = 0;
        stopped = 0;
    end
    always @(posedge clk) begin
        if (peek) peek_data <= {{14{pix[peek_addr[7:0]][17]}}, pix[peek_addr[7:0]]};
        log_data <= {26'd0, log_addr} + cycles;
        if (busy && (abort || (limit != 0 && cycles == limit))) begin
            busy <= 0;
            stopped <= abort ? 1 : 2;
        end
        if (load_valid)
            case (load_addr[29:27])
                0: if (load_addr[0]) lost <= load_data[0]; else length <= load_data;
                3: pix[load_addr[7:0]] <= load_data[17:0];
                default: ;
            endcase
        if (t_pix_en) pix[t_pix_addr[7:0]] <= t_pix_data;
        if (start) begin
            busy <= 1;
            done <= 0;
            stopped <= 0;
            cycles <= 0;
        end
        if (busy) begin
            cycles <= cycles + 1;
            if (cycles + 1 == length) begin
                busy <= 0;
                done <= !lost;
            end
        end
        if (rst) begin
            busy <= 0;
            done <= 0;
        end
    end
    assign pc = 16'h0123;
    assign log_count = 7'd2;
    assign t_row_en = (busy && cycles == 3) ? 4'b0101 << B : 0;  // bank 1, bytes 0 and 2
    assign t_row_addr = 16'h1234 << 16;
    assign t_row_data = 32'hdeadbeef << W;
    assign t_col_en = (busy && cycles == 4) ? {4'hf, {(C * B - B) {1'b0}}} : 0;  // last bank
    assign t_col_addr = 16'h0042 << (16 * (C - 1));
    assign t_col_data = 32'hcafef00d << (W * (C - 1));
    assign t_col_read = 0;  // no word is read: nothing is made of one here
    assign t_res_en = (busy && cycles == 5) ? (1 << 2) | (1 << (C + 3)) : 0;  // A lane 2, B lane 3
    assign t_res_addr = (16'd7 << 32) | (16'd9 << 48);
    assign t_res_data = (18'h3ffff << 36) | (18'd5 << 54);
    assign t_mem_en = (busy && cycles == 7) ? (1 << 5) | (1 << 6) : 0;  // lane 2 high, lane 3 low
    assign t_mem_addr = (16'd7 << 32) | (16'd9 << 48);
    assign t_mem_data = (16'h2525 << 32) | (16'h8181 << 48);
    assign t_pix_en = busy && cycles == 6;
    assign t_pix_addr = 16'd3;
    assign t_pix_data = pix[2] - 18'h10;
endmodule
