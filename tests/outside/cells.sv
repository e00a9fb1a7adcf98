// Cells of the ECP5 that the generated controller has, as they behave: flip-flops that are 1 from
// the start and set by PD, the first at once, those of pins at the clock.
module FD1S3BX (input D, CK, PD, output reg Q);
    initial Q = 1;
    always @(posedge CK or posedge PD) Q <= PD ? 1'b1 : D;
endmodule

module OFS1P3BX (input D, SP, SCLK, PD, output reg Q);
    initial Q = 1;
    always @(posedge SCLK) if (PD) Q <= 1; else if (SP) Q <= D;
endmodule

module IFS1P3BX (input D, SP, SCLK, PD, output reg Q);
    initial Q = 1;
    always @(posedge SCLK) if (PD) Q <= 1; else if (SP) Q <= D;
endmodule
