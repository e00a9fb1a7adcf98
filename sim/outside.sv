// A memory outside the core that keeps to a contract (`hw.arch.outside.Contract`): word k of a
// request that was taken in cycle c is there in cycle c + latency + k * period, or in the cycle
// after the one before it was taken, whichever is later. What is written is taken as it comes.
//   +outside=FILE  contents: 32-bit words, big endian, from address 0
`timescale 1ns / 1ns

module outside_memory (
    input  wire        clk,
    input  wire        rst,
    input  wire [31:0] latency,
    input  wire [31:0] period,
    input  wire [47:0] request,  // address, count, write: `hw.core.outside.Request`
    input  wire        request_valid,
    output wire        request_ready,
    output wire [31:0] read,
    output wire        read_valid,
    input  wire        read_ready,
    input  wire [31:0] write,
    input  wire        write_valid,
    output wire        write_ready,
    input  wire        drop
);
    localparam BITS = 22;  // words, the most that a program has
    reg [31:0] store [0:(1 << BITS) - 1];
    reg [31:0] timer = 0, next = 0;
    reg [26:0] at = 0;
    reg [19:0] left = 0;
    reg writes = 0;
    integer file, got;
    string path;
    initial if ($value$plusargs("outside=%s", path)) begin
        file = $fopen(path, "rb");
        if (file == 0) $fatal(1, "outside_memory: cannot read %s", path);
        got = $fread(store, file);
        $fclose(file);
    end
    assign request_ready = left == 0;
    assign read = store[at[BITS-1:0]];
    assign read_valid = left != 0 && !writes && timer >= next;
    assign write_ready = left != 0 && writes;
    always @(posedge clk) begin
        timer <= timer + 1;
        if ((read_valid && read_ready) || (write_valid && write_ready)) begin
            at <= at + 1;
            left <= left - 1;
            next <= next + period;
        end
        if (write_valid && write_ready) store[at[BITS-1:0]] <= write;
        if (request_valid && request_ready) begin
            {writes, left, at} <= request;
            timer <= 1;
            next <= latency;
        end
        if (rst || drop) left <= 0;
    end
endmodule
