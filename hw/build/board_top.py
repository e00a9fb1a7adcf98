"""What stands between a board's pins and the design: clock, reset and the UART's buffers."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.build.res import ResourceError
from amaranth.hdl import Elaboratable
from amaranth.lib import io

from boards import Board
from hw import targets
from hw.build import outside
from hw.targets.target import Clocks, Pin, Pins, Target

INPUT, OUTPUT = io.Direction.Input, io.Direction.Output
POWER_UP = 4  #: log2 of the cycles that reset is held after the clock is good.
LEDS = ("led_busy", "led_done", "led_alive")  #: Ports of a design, in the order of the LEDs.
IN_RESET = "rst"  #: Net that is 1 in reset; a flip-flop, so its name outlives synthesis.


class BoardTop(Elaboratable):
    """A design with the ports of ``hw.soc.top.Top`` on a board: PLL, reset, pins.

    Reset is held from configuration until 16 cycles after the PLL has locked, by a counter that
    starts at 0 (flip-flops that power up at 1 are not to be relied on), and while the board's
    reset button is pressed, where there is one. Of the design's three LEDs the board shows as many
    as it has on pins of their own.
    """

    def __init__(self, target: Target, design: Any):
        self.target, self.design = target, design

    def elaborate(self, platform: Any) -> Module:
        m, facts = Module(), self.target.board.facts
        m.domains.sync = ClockDomain("sync")
        m.domains.start = ClockDomain("start", reset_less=True)

        clk_io = platform.request(facts.clock_resource, dir="-")
        m.submodules.clk_buffer = clk_buffer = io.Buffer(INPUT, clk_io)
        clock, locked = Signal(), Signal()
        m.submodules.pll = self.target.clock(clk_buffer.i, clock, locked)
        m.d.comb += [ClockSignal("sync").eq(clock), ClockSignal("start").eq(clock)]

        hold = Signal()
        if facts.reset_resource:
            rst_io = platform.request(facts.reset_resource, dir="-")
            m.submodules.rst_buffer = rst_buffer = io.Buffer(INPUT, rst_io)
            m.d.comb += hold.eq(rst_buffer.i | ~locked)
        else:
            m.d.comb += hold.eq(~locked)
        held, count, done = Signal(2), Signal(POWER_UP), Signal()
        in_reset = Signal()  # no logic between it and all that it resets
        m.d.start += held.eq(Cat(held[1], hold))
        with m.If(held[0]):
            m.d.start += [count.eq(0), done.eq(0)]
        with m.Elif(~done):
            m.d.start += [count.eq(count + 1), done.eq(count.all())]
        m.d.start += in_reset.eq(~done)
        m.d.comb += ResetSignal("sync").eq(in_reset)

        m.submodules.design = design = self.design
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx_buffer = rx = io.Buffer(INPUT, uart.rx)
        m.submodules.tx_buffer = tx = io.Buffer(OUTPUT, uart.tx)
        m.d.comb += [design.uart_rx.eq(rx.i), tx.o.eq(design.uart_tx)]
        if getattr(design, "outside", None) is not None:
            outside.attach(m, platform, self.target, design.outside)
        for n, name in enumerate(LEDS):
            try:
                led = platform.request("led", n, dir="-")
            except ResourceError:  # there is none, or its pin is already something else's
                continue
            m.submodules[f"{name}_buffer"] = buffer = io.Buffer(OUTPUT, led)
            m.d.comb += buffer.o.eq(getattr(design, name))
        return m


@dataclass(frozen=True)
class Elaborated:
    """RTL of a board's top, and what the constraint files say about its ports."""

    rtlil: str
    pins: Pins
    clocks: Clocks


class _Flow:
    """Base put before an amaranth-boards platform: preparing gives RTLIL, nothing more."""

    def toolchain_prepare(self, fragment: Any, name: str, **_: Any) -> str:
        text, self._name_map = rtlil.convert_fragment(
            fragment, name=name, emit_src=False, propagate_domains=False
        )
        return text


def elaborate(board: Board, design: Any, name: str = "top") -> Elaborated:
    """Return a design on a board as RTLIL with its pins and clocks."""
    top = BoardTop(targets.of(board), design)
    platform = board.make_platform(_Flow)
    text = platform.prepare(top, name)
    pins = tuple(
        Pin(port, pin, tuple(sorted((k, str(v)) for k, v in attributes.items())))
        for port, pin, attributes in platform.iter_port_constraints_bits()
    )
    clocks = tuple((port.name, hz) for port, hz in platform.iter_port_clock_constraints())
    return Elaborated(text, pins, clocks)
