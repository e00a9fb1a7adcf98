"""The SDRAM's gateware with the pins of a ULX3S, placed and routed.

``python -m tests.outside.route`` prints what it takes and the clock that is reached. The top
shows what a board's must do: two clocks of one PLL, tristate buffers, resets held together.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from hw.common.cli import command
from hw.outside import litedram
from hw.outside.sdram import DOMAIN, Sdram
from hw.tools.find import run_tool
from hw.tools.yosys import run_yosys

CLOCK = 75_000_000
#: Pins of the platform that only go out, and ours.
OUT = {"clk_en": "cke", "dqm": "dqm"} | {n: n for n in ("cs", "we", "ras", "cas", "ba", "a")}
LED = 32  #: Words that are read end in a LED, so that nothing is taken away.


def pll(source: Signal, shifted: Signal, locked: Signal) -> Instance:
    """Three times 25 MHz for domain ``sdram``, and that a quarter of a cycle later."""
    unused = ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "ENCLKOP", "ENCLKOS", "PLLWAKESYNC")
    return Instance(
        "EHXPLLL",
        p_CLKI_DIV=1,
        p_CLKFB_DIV=3,
        p_CLKOP_DIV=8,
        p_CLKOP_CPHASE=7,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOS_DIV=8,
        p_CLKOS_CPHASE=9,
        p_CLKOS_ENABLE="ENABLED",
        p_FEEDBK_PATH="CLKOP",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        i_CLKI=source,
        i_CLKFB=ClockSignal(DOMAIN),
        i_PHASEDIR=Const(1),
        i_PHASESTEP=Const(1),
        i_PHASELOADREG=Const(1),
        o_CLKOP=ClockSignal(DOMAIN),
        o_CLKOS=shifted,
        o_LOCK=locked,
        **{f"i_{name}": Const(0) for name in unused},
    )


class Top(Elaboratable):
    """An `Sdram`, its pins, and a register of noise on the core's side, at the board's 25 MHz."""

    def elaborate(self, platform):
        m, memory = Module(), Sdram(clock=CLOCK)
        shifted, locked = Signal(), Signal()
        m.domains += [ClockDomain("sync"), ClockDomain(DOMAIN)]
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk25", dir="-"))
        m.d.comb += ClockSignal("sync").eq(clock.i)
        m.submodules.pll = pll(clock.i, shifted, locked)
        for domain in ("sync", DOMAIN):
            m.submodules += ResetSynchronizer(~locked, domain=domain)
        m.submodules.memory = memory
        ports = platform.request("sdram", dir=dict.fromkeys(("clk", "dq", *OUT), "-"))
        outs = {"clk": shifted} | {name: getattr(memory.pins, ours) for name, ours in OUT.items()}
        for theirs, ours in outs.items():
            m.submodules[theirs] = pin = io.Buffer("o", getattr(ports, theirs))
            m.d.comb += pin.o.eq(ours)
        for n, port in enumerate(ports.dq):
            m.submodules[f"dq_{n}"] = pin = io.Buffer("io", port)
            m.d.comb += [
                pin.o.eq(memory.pins.dq_o[n]),
                pin.oe.eq(memory.pins.dq_oe[n]),
                memory.pins.dq_i[n].eq(pin.i),
            ]
        self._traffic(m, memory.port, platform)
        return m

    def _traffic(self, m, port, platform):
        """Requests and words of a shift register; what is read, down to a LED."""
        noise, seen = Signal(96, init=1), Signal(LED)
        m.d.sync += noise.eq(Cat(noise[1:], noise[0] ^ noise[5] ^ noise[93] ^ seen[0]))
        m.d.comb += [
            port.request.payload.eq(noise[:48]),
            port.request.valid.eq(noise[50]),
            port.write.payload.eq(noise[8:40]),
            port.write.valid.eq(noise[41]),
            port.read.ready.eq(noise[60]),
            port.drop.eq(noise[70:78] == 3),
        ]
        with m.If(port.read.valid):
            m.d.sync += seen.eq(seen ^ port.read.payload ^ port.request.ready ^ port.write.ready)
        m.submodules.led = led = io.Buffer("o", platform.request("led", dir="-"))
        m.d.comb += led.o.eq(seen.xor())


def routed(folder: Path, seed: int = 1) -> dict:
    """Return nextpnr's report; everything is left in ``folder``."""
    platform = ULX3S_85F_Platform()
    platform.default_clk = None
    for name, content in platform.prepare(Top(), name="top").files.items():
        if name in ("top.il", "top.lpf"):
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    litedram.generate(folder, clock=CLOCK)
    read = ["read_rtlil top.il", f"read_verilog {litedram.NAME}.v"]
    run_yosys([*read, "synth_ecp5 -top top -json top.json"], cwd=folder)
    options = ["--85k", "--package", "CABGA381", "--speed", "6", "--seed", str(seed)]
    options += ["--json", "top.json", "--lpf", "top.lpf", "--report", "report.json"]
    run_tool("nextpnr-ecp5", options, cwd=folder, log="nextpnr.log")
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def clock_of(report: dict) -> float:
    """Return the MHz that domain ``sdram`` reaches."""
    clocks = report["fmax"].values()
    return next(c["achieved"] for c in clocks if abs(c["constraint"] - CLOCK / 1e6) < 1)


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print cells and clocks."""
    p = argparse.ArgumentParser(
        prog="python -m tests.outside.route",
        description="The SDRAM's gateware with the pins of a ULX3S, placed and routed.",
    )
    p.add_argument("--seeds", type=int, default=3, help="of placement (default: %(default)s)")
    args = p.parse_args(argv)
    for seed in range(1, args.seeds + 1):
        with tempfile.TemporaryDirectory() as place:
            report = routed(Path(place), seed)
        used = {name: cell["used"] for name, cell in report["utilization"].items() if cell["used"]}
        print(f"seed {seed}: {clock_of(report):.1f} MHz for {CLOCK / 1e6:.0f}; {used}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
