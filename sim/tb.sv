// Testbench of one core: plays a command file on the load port, start and peek, and logs results
// and every memory write of busy cycles.
//
// Free running: nothing outside touches it but the clock, so C++ (main.cpp) or cocotb's clock may
// drive it. Files by plusargs:
//   +stim=FILE  commands, one per line, "letter hex hex":
//       w ADDR DATA     one write on the load port
//       n RUN 0         number of the next run (image)
//       s BUDGET ABORT  start, wait for the end; at most BUDGET busy cycles; after ABORT busy
//                       cycles, unless it is 0, the run is aborted
//       l CYCLES 0      limit of the runs to come
//       p ADDR WAIT     peek at a word, by its load port address, whose peek takes WAIT cycles
//       i N 0           cycle in which instruction N of the run was taken
//       k LATENCY PERIOD  what the memory outside keeps to (`hw.arch.outside.Contract`)
//   +out=FILE   results, one per line, hex: "n RUN", "s COUNTED CYCLES DONE PC TAKEN", "p DATA",
//               "i CYCLE", "x COUNTED CYCLES STOPPED PC TAKEN" (stopped before its HALT),
//               "o STALLS" (of a core with a mover, after "s" or "x"), "t COUNTED" (budget used up; ends the simulation), "d" (not done, not busy), "e" (end)
//   +outside=FILE  (of a core with a mover, macro OUTSIDE) contents of the memory outside (outside.sv)
//   +log=PREFIX  (optional) PREFIX.row, .col, .res, .mem, .pix: binary records of 32-bit words, little
//               endian: run, cycle (all ones: not busy), then data, address, enable vectors as they
//               are at the core's trace ports, each padded to whole words
//   +wave=FILE  (optional, where compiled in) waveform
`timescale 1ns / 1ns

module tb #(
    parameter R = 4,
    parameter C = 16,
    parameter W = 32
) (
    input  wire clk      /*verilator public_flat_rw*/,
    output reg  finished /*verilator public_flat_rw*/
);
    localparam B = W / 8;
    `define WORDS(n) (32 * (((n) + 31) / 32))

    reg rst = 1, start = 0, abort = 0, load_valid = 0, peek = 0;
    reg [31:0] load_addr = 0, load_data = 0, peek_addr = 0, limit = 0;
    reg [5:0] log_addr = 0;
    wire busy, done;
    wire [1:0] stopped;
    wire [15:0] pc;
    wire [6:0] log_count;
    wire [31:0] cycles, peek_data, log_data;

    wire [R*B-1:0] t_row_en;
    wire [R*16-1:0] t_row_addr;
    wire [R*W-1:0] t_row_data;
    wire [C*B-1:0] t_col_en;
    wire [C*16-1:0] t_col_addr;
    wire [C*W-1:0] t_col_data;
    wire [2*C-1:0] t_res_en;
    wire [C*16-1:0] t_res_addr;
    wire [C*18-1:0] t_res_data;
    wire [2*C-1:0] t_mem_en;
    wire [C*16-1:0] t_mem_addr;
    wire [C*16-1:0] t_mem_data;
    wire t_pix_en;
    wire [15:0] t_pix_addr;
    wire [17:0] t_pix_data;

`ifdef OUTSIDE
    wire [47:0] request;
    wire request_valid, request_ready, read_valid, read_ready, write_valid, write_ready, drop;
    wire [31:0] read, write, stalls;
    reg [31:0] latency = 1, period = 1;
    outside_memory outside (
        .clk(clk), .rst(rst), .latency(latency), .period(period), .request(request),
        .request_valid(request_valid), .request_ready(request_ready), .read(read),
        .read_valid(read_valid), .read_ready(read_ready), .write(write),
        .write_valid(write_valid), .write_ready(write_ready), .drop(drop)
    );
`endif

    core core (
`ifdef OUTSIDE
        .outside__request__payload(request), .outside__request__valid(request_valid),
        .outside__request__ready(request_ready), .outside__read__payload(read),
        .outside__read__valid(read_valid), .outside__read__ready(read_ready),
        .outside__write__payload(write), .outside__write__valid(write_valid),
        .outside__write__ready(write_ready),
        .outside__drop(drop), .stalls(stalls),
`endif
        .clk(clk), .rst(rst), .start(start), .busy(busy), .done(done), .cycles(cycles),
        .abort(abort), .limit(limit), .stopped(stopped), .pc(pc),
        .log_addr(log_addr), .log_data(log_data), .log_count(log_count),
        .load_valid(load_valid), .load_addr(load_addr), .load_data(load_data),
        .peek(peek), .peek_addr(peek_addr), .peek_data(peek_data),
        .t_row_en(t_row_en), .t_row_addr(t_row_addr), .t_row_data(t_row_data),
        .t_col_en(t_col_en), .t_col_addr(t_col_addr), .t_col_data(t_col_data),
        .t_res_en(t_res_en), .t_res_addr(t_res_addr), .t_res_data(t_res_data),
        .t_col_read(),
        .t_mem_en(t_mem_en), .t_mem_addr(t_mem_addr), .t_mem_data(t_mem_data),
        .t_pix_en(t_pix_en), .t_pix_addr(t_pix_addr), .t_pix_data(t_pix_data)
    );

    // Records, padded to whole 32-bit words.
    wire [`WORDS(R*B)-1:0] row_en = t_row_en;
    wire [`WORDS(R*16)-1:0] row_addr = t_row_addr;
    wire [`WORDS(R*W)-1:0] row_data = t_row_data;
    wire [`WORDS(C*B)-1:0] col_en = t_col_en;
    wire [`WORDS(C*16)-1:0] col_addr = t_col_addr;
    wire [`WORDS(C*W)-1:0] col_data = t_col_data;
    wire [`WORDS(2*C)-1:0] res_en = t_res_en;
    wire [`WORDS(C*16)-1:0] res_addr = t_res_addr;
    wire [`WORDS(C*18)-1:0] res_data = t_res_data;
    wire [`WORDS(2*C)-1:0] mem_en = t_mem_en;
    wire [`WORDS(C*16)-1:0] mem_addr = t_mem_addr;
    wire [`WORDS(C*16)-1:0] mem_data = t_mem_data;
    wire [63:0] pix = {14'b0, t_pix_data, 16'b0, t_pix_addr};

    integer stim, out, f_row, f_col, f_res, f_mem, f_pix, got;
    reg logging;
    string path;
    initial begin
        finished = 0;
        if (!$value$plusargs("stim=%s", path)) $fatal(1, "tb: +stim=FILE is missing");
        stim = $fopen(path, "r");
        if (stim == 0) $fatal(1, "tb: cannot read %s", path);
        if (!$value$plusargs("out=%s", path)) $fatal(1, "tb: +out=FILE is missing");
        out = $fopen(path, "w");
        if (out == 0) $fatal(1, "tb: cannot write %s", path);
        logging = $value$plusargs("log=%s", path) != 0;
        if (logging) begin
            f_row = $fopen({path, ".row"}, "wb");
            f_col = $fopen({path, ".col"}, "wb");
            f_res = $fopen({path, ".res"}, "wb");
            f_mem = $fopen({path, ".mem"}, "wb");
            f_pix = $fopen({path, ".pix"}, "wb");
        end
        if ($value$plusargs("wave=%s", path)) begin
            $dumpfile(path);
            $dumpvars(0, tb);
        end
    end

    localparam RESET = 0, FETCH = 1, STARTED = 2, RUN = 3, PEEKED = 4, LOGGED = 5, END = 6;
    reg [2:0] state = RESET;
    reg [2:0] resets = 0;
    reg [7:0] letter;
    reg [31:0] a, b, run = 0, counted = 0, budget = 0, last = 0, wait_for = 0;

    always @(posedge clk) begin
        start <= 0;
        abort <= 0;
        load_valid <= 0;
        peek <= 0;
        if (busy) counted <= counted + 1;
        case (state)
            RESET: begin
                resets <= resets + 1;
                if (resets == 4) begin
                    rst <= 0;
                    state <= FETCH;
                end
            end
            FETCH: begin
                got = $fscanf(stim, " %c %h %h", letter, a, b);
                if (got != 3) begin
                    $fdisplay(out, "e");
                    state <= END;
                end else case (letter)
                    "w": begin
                        load_valid <= 1;
                        load_addr <= a;
                        load_data <= b;
                    end
                    "n": begin
                        run <= a;
                        $fdisplay(out, "n %h", a);
                    end
                    "s": begin
                        start <= 1;
                        counted <= 0;
                        budget <= a;
                        last <= b;
                        state <= STARTED;
                    end
                    "l": limit <= a;
`ifdef OUTSIDE
                    "k": begin
                        latency <= a;
                        period <= b;
                    end
`endif
                    "p": begin
                        peek <= 1;
                        peek_addr <= a;
                        wait_for <= b;
                        state <= PEEKED;
                    end
                    "i": begin
                        log_addr <= a[5:0];
                        wait_for <= 1;
                        state <= LOGGED;
                    end
                    default: $fatal(1, "tb: unknown command %c", letter);
                endcase
            end
            STARTED: state <= RUN;
            RUN:
                if (!busy) begin
                    if (done)
                        $fdisplay(out, "s %h %h %h %h %h", counted, cycles, done, pc, log_count);
                    else if (stopped != 0)
                        $fdisplay(out, "x %h %h %h %h %h", counted, cycles, stopped, pc, log_count);
                    else $fdisplay(out, "d");
`ifdef OUTSIDE
                    $fdisplay(out, "o %h", stalls);
`endif
                    state <= done || stopped != 0 ? FETCH : END;
                end else if (last != 0 && counted + 1 == last) abort <= 1;
                else if (counted >= budget) begin
                    $fdisplay(out, "t %h", counted);
                    state <= END;
                end
            PEEKED, LOGGED: begin
                wait_for <= wait_for - 1;
                if (wait_for == 0) begin
                    if (state == PEEKED) $fdisplay(out, "p %h", peek_data);
                    else $fdisplay(out, "i %h", log_data);
                    state <= FETCH;
                end
            end
            END: if (!finished) begin
                $fclose(out);
                if (logging) begin
                    $fclose(f_row);
                    $fclose(f_col);
                    $fclose(f_res);
                    $fclose(f_mem);
                    $fclose(f_pix);
                end
                finished <= 1;
            end
            default: ;
        endcase
    end

    wire [31:0] cycle = busy ? counted : 32'hffffffff;
    always @(posedge clk)
        if (logging && state != END && !rst) begin
            if (|t_row_en) $fwrite(f_row, "%u", {row_en, row_addr, row_data, cycle, run});
            if (|t_col_en) $fwrite(f_col, "%u", {col_en, col_addr, col_data, cycle, run});
            if (|t_res_en) $fwrite(f_res, "%u", {res_en, res_addr, res_data, cycle, run});
            if (|t_mem_en) $fwrite(f_mem, "%u", {mem_en, mem_addr, mem_data, cycle, run});
            if (t_pix_en) $fwrite(f_pix, "%u", {pix, cycle, run});
        end
endmodule
