// An SDR SDRAM of 4 banks, 8192 rows and 512 columns of 16 bits: what it does and what it must not be
// told, as the data sheets of MT48LC16M16A2 and AS4C32M16SB have it, and nothing of the controller.
// CAS latency 2 and bursts of one word; a clock that stops, power down and self refresh are refused.
//
// Times are in picoseconds. `wrong` has a bit for each rule (bench.py names them), set once it was
// broken; `first` is when one was for the first time.
module sdr (
    input             clk,
    input      [31:0] period, t_rcd, t_rp, t_ras, t_rc, t_rrd, t_rfc, t_wr, t_refi, t_power,
    input      [31:0] n_mrd, n_refreshes,
    input             cke, cs_n, ras_n, cas_n, we_n,
    input       [1:0] ba,
    input      [12:0] a,
    input       [1:0] dqm,
    input      [15:0] dq, dq_oe,
    output     [15:0] q,
    output reg [31:0] wrong,
    output reg [63:0] first,
    output reg [31:0] refreshes, activates, reads, writes
);
    localparam POWER = 0, INIT = 1, RCD = 2, RP = 3, RAS = 4, RC = 5, RRD = 6, RFC = 7, WR = 8;
    localparam MRD = 9, CLOSED = 10, OPEN = 11, LATE = 12, MODE = 13, FIGHT = 14, UNDRIVEN = 15, CKE = 16;
    localparam UNKNOWN = 17, LONG = 18;
    localparam [63:0] RAS_MOST = 64'd100_000_000;  // 120 us are allowed
    localparam [63:0] NEVER = 64'd0;

    reg [15:0] cells [0:(1 << 24) - 1];
    reg [63:0] now, t_cke, t_start, t_refresh, t_activate, t_mode;
    reg [63:0] act [0:3], pre [0:3], wrote [0:3];
    reg [12:0] row [0:3];
    reg  [3:0] open;
    reg        up, precharged, mode_set, started;
    reg [31:0] woken, since_mode;

    // data on its way out: `out` drives the pins, else they float and anything is there
    reg        out, next_out;
    reg [15:0] data, next_data, noise;
    assign q = out ? data : noise;

    wire [2:0] command = {ras_n, cas_n, we_n};
    wire [63:0] wanted = ({32'd0, refreshes} + 1) * {32'd0, t_refi} + {35'd0, t_refi[31:3]};
    wire [23:0] place = {row[ba], ba, a[8:0]};
    wire [15:0] byte_mask = {{8{~dqm[1]}}, {8{~dqm[0]}}};

    task broken(input integer rule);
        begin
            if (wrong == 0) first <= now;
            wrong[rule] <= 1;
        end
    endtask

    // a precharge of one bank at time `at`; one that is closed may be precharged
    task precharge(input [1:0] bank);
        begin
            if (open[bank]) begin
                if (now - act[bank] < {32'd0, t_ras}) broken(RAS);
                if (now - act[bank] > RAS_MOST) broken(LONG);
                if (now - wrote[bank] < {32'd0, t_wr} && wrote[bank] != NEVER) broken(WR);
                pre[bank] <= now;
                open[bank] <= 0;
            end
        end
    endtask

    // the bank is precharged by itself after this word
    task closing;
        begin
            if (now + {32'd0, we_n ? period : t_wr} - act[ba] < {32'd0, t_ras}) broken(RAS);
            pre[ba] <= now + {32'd0, we_n ? period : t_wr};
            open[ba] <= 0;
        end
    endtask

    task all_closed;
        begin
            if (open != 0) broken(OPEN);
            for (int b = 0; b < 4; b++)
                if (now < pre[b] + {32'd0, t_rp}) broken(RP);
        end
    endtask

    initial begin
        now = 64'd1_000_000_000;  // long after what never was
        t_cke = 0; t_start = 0; t_refresh = 0; t_activate = 0; t_mode = 0;
        open = 0; up = 0; precharged = 0; mode_set = 0; started = 0;
        woken = 0; since_mode = 0; wrong = 0; first = 0; noise = 16'hACE1;
        refreshes = 0; activates = 0; reads = 0; writes = 0;
        out = 0; next_out = 0; data = 0; next_data = 0;
        for (int b = 0; b < 4; b++) begin
            act[b] = 0; pre[b] = 0; wrote[b] = NEVER; row[b] = 0;
        end
    end

    // both may drive at any time of a cycle
    always @(negedge clk) if (out && dq_oe != 0) wrong[FIGHT] <= 1;

    always @(posedge clk) begin
        now <= now + {32'd0, period};
        noise <= {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};
        since_mode <= since_mode + 1;
        out <= next_out;
        data <= next_data;
        next_out <= 0;
        if (out && dq_oe != 0) broken(FIGHT);
        if (cke && !up) begin
            up <= 1;
            t_cke <= now;
        end
        if (up && !cke) begin  // before the first command the wait begins again
            if (precharged) broken(CKE);
            up <= 0;
        end
        // of refreshes one in each interval is wanted, on the average from the start on
        if (started && now - t_start > wanted) broken(LATE);
        if (!cs_n && command != 3'b111) begin
            if (!up || now - t_cke < {32'd0, t_power}) broken(POWER);
            if (now - t_refresh < {32'd0, t_rfc}) broken(RFC);
            if (mode_set && since_mode < n_mrd) broken(MRD);
            if (!precharged && !(command == 3'b010 && a[10])) broken(INIT);
            case (command)
                3'b011: begin  // activate
                    if (!mode_set || woken < n_refreshes) broken(INIT);
                    if (open[ba]) broken(OPEN);
                    if (now < pre[ba] + {32'd0, t_rp}) broken(RP);
                    if (now - act[ba] < {32'd0, t_rc}) broken(RC);
                    if (now - t_activate < {32'd0, t_rrd}) broken(RRD);
                    open[ba] <= 1;
                    row[ba] <= a;
                    act[ba] <= now;
                    wrote[ba] <= NEVER;
                    t_activate <= now;
                    activates <= activates + 1;
                    if (!started) begin
                        started <= 1;
                        t_start <= now;
                        refreshes <= 0;
                    end
                end
                3'b101: begin  // read
                    if (!open[ba]) broken(CLOSED);
                    if (now - act[ba] < {32'd0, t_rcd}) broken(RCD);
                    next_out <= ~&dqm;
                    next_data <= cells[place];
                    reads <= reads + 1;
                    if (a[10]) closing;
                end
                3'b100: begin  // write
                    if (!open[ba]) broken(CLOSED);
                    if (now - act[ba] < {32'd0, t_rcd}) broken(RCD);
                    if (~&dqm && ~&dq_oe) broken(UNDRIVEN);
                    if (next_out) broken(FIGHT);
                    cells[place] <= (dq & byte_mask) | (cells[place] & ~byte_mask);
                    wrote[ba] <= now;
                    writes <= writes + 1;
                    if (a[10]) closing;
                end
                3'b010: begin  // precharge
                    for (int b = 0; b < 4; b++)
                        if (a[10] || ba == b[1:0]) precharge(b[1:0]);
                    if (a[10]) precharged <= 1;
                end
                3'b001: begin  // refresh
                    all_closed;
                    t_refresh <= now;
                    refreshes <= refreshes + 1;
                    woken <= woken + 1;
                end
                3'b000: begin  // load the mode register
                    all_closed;
                    mode_set <= 1;
                    since_mode <= 1;
                    if (a != 13'h020 || ba != 0) broken(MODE);
                end
                default: broken(UNKNOWN);
            endcase
        end
    end
endmodule
