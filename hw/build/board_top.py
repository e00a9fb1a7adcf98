"""What stands between a board's pins and the design: clock, reset and the UART's buffers."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import Elaboratable
from amaranth.lib import io

from boards import Board

INPUT, OUTPUT = io.Direction.Input, io.Direction.Output
POWER_UP = 4  #: log2 of the cycles that reset is held after the clock is good.
RESET_DONE = "reset_done"  #: Net that is 0 in reset; a flip-flop, so its name outlives synthesis.


class BoardTop(Elaboratable):
    """A design with the ports of ``hw.soc.top.Top`` on a board: PLL, reset, pins.

    Reset is held from configuration until 16 cycles after the PLL has locked, by a counter that
    starts at 0 (flip-flops that power up at 1 are not to be relied on), and while the board's
    reset button is pressed.
    """

    def __init__(self, board: Board, design: Any):
        self.board, self.design = board, design

    def elaborate(self, platform: Any) -> Module:
        m, board = Module(), self.board
        m.domains.sync = ClockDomain("sync")
        m.domains.start = ClockDomain("start", reset_less=True)

        clk_io = platform.request(board.clock_resource, dir="-")
        m.submodules.clk_buffer = clk_buffer = io.Buffer(INPUT, clk_io)
        clock, locked = Signal(), Signal()
        m.submodules.pll = pll(board, clk_buffer.i, clock, locked)
        m.d.comb += [ClockSignal("sync").eq(clock), ClockSignal("start").eq(clock)]

        hold = Signal()
        if board.reset_resource:
            rst_io = platform.request(board.reset_resource, dir="-")
            m.submodules.rst_buffer = rst_buffer = io.Buffer(INPUT, rst_io)
            m.d.comb += hold.eq(rst_buffer.i | ~locked)
        else:
            m.d.comb += hold.eq(~locked)
        held, count, done = Signal(2), Signal(POWER_UP), Signal(name=RESET_DONE)
        m.d.start += held.eq(Cat(held[1], hold))
        with m.If(held[0]):
            m.d.start += [count.eq(0), done.eq(0)]
        with m.Elif(~done):
            m.d.start += [count.eq(count + 1), done.eq(count.all())]
        m.d.comb += ResetSignal("sync").eq(~done)

        m.submodules.design = design = self.design
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx_buffer = rx = io.Buffer(INPUT, uart.rx)
        m.submodules.tx_buffer = tx = io.Buffer(OUTPUT, uart.tx)
        m.d.comb += [design.uart_rx.eq(rx.i), tx.o.eq(design.uart_tx)]
        for n, name in enumerate(("led_busy", "led_done", "led_alive")):
            led = platform.request("led", n, dir="-")
            m.submodules[f"{name}_buffer"] = buffer = io.Buffer(OUTPUT, led)
            m.d.comb += buffer.o.eq(getattr(design, name))
        return m


def pll(board: Board, source: Signal, clock: Signal, locked: Signal) -> Module:
    """Return the PLL of the board's family, from ``source`` to ``clock``."""
    m = Module()
    if board.family == "xc7":
        raw, feedback = Signal(), Signal()
        m.submodules.pll = Instance(
            "PLLE2_ADV",
            p_BANDWIDTH="OPTIMIZED",
            p_COMPENSATION="INTERNAL",
            p_STARTUP_WAIT="FALSE",
            p_CLKIN1_PERIOD=1e9 / board.clock,
            p_DIVCLK_DIVIDE=1,
            p_CLKFBOUT_MULT=board.vco // board.clock,
            p_CLKOUT0_DIVIDE=board.vco // board.core_clock,
            i_CLKIN1=source,
            i_CLKIN2=Const(0),
            i_CLKINSEL=Const(1),
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            i_DADDR=Const(0, 7),
            i_DCLK=Const(0),
            i_DEN=Const(0),
            i_DI=Const(0, 16),
            i_DWE=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=raw,
            o_LOCKED=locked,
        )
        m.submodules.global_clock = Instance("BUFG", i_I=raw, o_O=clock)
    else:
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=1,
            p_CLKFB_DIV=board.core_clock // board.clock,
            p_CLKOP_DIV=board.vco // board.core_clock,
            p_CLKOP_CPHASE=board.vco // board.core_clock - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOP_ENABLE="ENABLED",
            p_FEEDBK_PATH="CLKOP",
            p_OUTDIVIDER_MUXA="DIVA",
            a_FREQUENCY_PIN_CLKI=str(board.clock / 1e6),
            a_FREQUENCY_PIN_CLKOP=str(board.core_clock / 1e6),
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            i_CLKI=source,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_ENCLKOP=Const(0),
            i_PLLWAKESYNC=Const(0),
            o_CLKOP=clock,
            o_LOCK=locked,
        )
    return m


@dataclass(frozen=True)
class Pin:
    """One bit of a port on a pin, and the attributes of its buffer."""

    port: str
    pin: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Elaborated:
    """RTL of a board's top, and what the constraint files say about its ports."""

    rtlil: str
    pins: tuple[Pin, ...]
    clocks: tuple[tuple[str, float], ...]  #: Port, Hz.


class _Flow:
    """Base put before an amaranth-boards platform: preparing gives RTLIL, nothing more."""

    def toolchain_prepare(self, fragment: Any, name: str, **_: Any) -> str:
        text, self._name_map = rtlil.convert_fragment(
            fragment, name=name, emit_src=False, propagate_domains=False
        )
        return text


def elaborate(board: Board, design: Any, name: str = "top") -> Elaborated:
    """Return a design on a board as RTLIL with its pins and clocks."""
    platform = board.make_platform(_Flow)
    text = platform.prepare(BoardTop(board, design), name)
    pins = tuple(
        Pin(port, pin, tuple(sorted((k, str(v)) for k, v in attributes.items())))
        for port, pin, attributes in platform.iter_port_constraints_bits()
    )
    clocks = tuple((port.name, hz) for port, hz in platform.iter_port_clock_constraints())
    return Elaborated(text, pins, clocks)
