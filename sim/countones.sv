// Number of ones of a word: what the popcounts of the simulated core are made of.
module countones #(
    parameter WIDTH = 32
) (
    input  wire [WIDTH-1:0] a,
    output wire [$clog2(WIDTH+1)-1:0] o
);
    assign o = $countones(a);
endmodule
