"""The link behind its UART with its faults, and what is played to its pins and ports."""

from pathlib import Path

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from benchmarks.mutation.copies import Copy
from benchmarks.mutation.faults import BITS, faults, faulty_verilog, flat
from benchmarks.mutation.played import CLOCK, CONFIG
from benchmarks.mutation.recording import DIVISOR, INPUTS, recording
from hw.arch import link
from hw.arch.memmap import LOG_DEPTH
from hw.soc.link import LinkEndpoint
from hw.soc.uart import STEPS, UARTReceiver, UARTTransmitter
from hw.tools.export import export_rtlil
from sim import verilator


class Wired(wiring.Component):
    """The link between its pins and the core's ports."""

    OUTPUTS = {"uart_tx": 1, "start": 1, "limit": 32, "abort": 1, "rate": 2}
    OUTPUTS |= {"load_valid": 1, "load_addr": 32, "load_data": 32}
    OUTPUTS |= {"peek": 1, "peek_addr": 32, "log_addr": (LOG_DEPTH - 1).bit_length()}

    def __init__(self) -> None:
        inputs = {name: In(bits) for name, bits in INPUTS.items()}
        super().__init__(inputs | {name: Out(bits) for name, bits in self.OUTPUTS.items()})

    def elaborate(self, platform):
        m, ports = Module(), vars(self)
        m.submodules.rx = rx = UARTReceiver(STEPS * DIVISOR)
        m.submodules.tx = tx = UARTTransmitter(STEPS * DIVISOR)
        m.submodules.link = endpoint = LinkEndpoint(CONFIG, clk_freq=CLOCK, rates=link.RATES)
        wiring.connect(m, rx.o, endpoint.i)
        wiring.connect(m, endpoint.o, tx.i)
        m.d.comb += [rx.rx.eq(ports["uart_rx"]), ports["uart_tx"].eq(tx.tx)]
        m.d.comb += [part.period.eq(STEPS * DIVISOR) for part in (rx, tx)]
        m.d.comb += endpoint.sent.eq(tx.idle)
        for name in INPUTS:
            if name != "uart_rx":
                m.d.comb += getattr(endpoint, name).eq(ports[name])
        for name in self.OUTPUTS:
            if name != "uart_tx":
                m.d.comb += ports[name].eq(getattr(endpoint, name))
        return m


def link_bench() -> str:
    """Return the module ``tb`` that plays a recording into the link and records its outputs."""
    ins = sum(INPUTS.values())
    wires = "".join(f".{name}({name}), " for name in (*INPUTS, *Wired.OUTPUTS))
    wires_in = "".join(f"wire [{bits - 1}:0] {name};\n" for name, bits in INPUTS.items())
    outs = "".join(f"wire [{bits - 1}:0] {name};\n" for name, bits in Wired.OUTPUTS.items())
    width = sum(Wired.OUTPUTS.values())
    return f"""`timescale 1ns / 1ns
module tb (
    input wire clk /*verilator public_flat_rw*/, output reg finished /*verilator public_flat_rw*/
);
reg [{BITS - 1}:0] mutsel = 0;
reg [{ins - 1}:0] now = 1;
reg rst = 1;
{wires_in}assign {{{", ".join(reversed(INPUTS))}}} = now;
{outs}wire [{width - 1}:0] seen = {{{", ".join(Wired.OUTPUTS)}}};
reg [{width - 1}:0] earlier = 0;
reg [31:0] cycle = 0;
integer stim, out;
string path;
link link(.clk(clk), .rst(rst), {wires}.mutsel(mutsel));
initial begin
    finished = 0;
    if (!$value$plusargs("mut=%d", mutsel)) mutsel = 0;
    if (!$value$plusargs("stim=%s", path)) $fatal(1, "no stim");
    stim = $fopen(path, "r");
    if (!$value$plusargs("out=%s", path)) $fatal(1, "no out");
    out = $fopen(path, "w");
end
always @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 4;
    earlier <= seen;
    if (cycle > 8 && seen !== earlier) $fdisplay(out, "%d %h", cycle, seen);
    if (cycle > 8 && !finished && $fscanf(stim, "%h", now) != 1) begin
        $fclose(out);
        finished <= 1;
    end
end
endmodule
"""


def shown(folder: Path) -> bytes:
    """Return every change of the outputs, with its cycle."""
    return (folder / "results").read_bytes()


def link_copy(folder: Path, count: int) -> Copy:
    """Return the link with its faults, and recordings to play to it."""
    export_rtlil(Wired(), folder / "link.il", name="link")
    flat(folder, "link")
    chosen = faults(folder, "link", count)
    design = faulty_verilog(folder, "link", chosen)
    (folder / "link_tb.sv").write_text(link_bench(), encoding="utf-8")
    built = verilator.compile_bench(design, folder / "link_tb.sv")
    job = folder / "jobs" / "link"
    job.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"{row:x}" for row in recording())
    (job / "commands").write_text(text + "\n", encoding="utf-8")
    return Copy("link", built / "free", chosen, {"recording": job}, dict, design, shown)
