"""Board top: core, link endpoint and UART."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link
from hw.arch.config import Config
from hw.core.core import Core
from hw.core.outside import OutsidePort
from hw.soc.link import DRIVES, READS, LinkEndpoint
from hw.soc.uart import UARTReceiver, UARTTransmitter, period, rates

_BLINK = 4  #: log2 of the ticks in half a period of ``led_alive``.


class Top(wiring.Component):
    """A core behind a UART; see ``hw.arch.link`` for what may be said on it.

    One clock domain, ``sync``. Registers start at 0 and are set by reset, which the board holds
    after power-up.

    Parameters
    ----------
    config : Config
    clk_freq : int
        Of the clock, Hz; it must give ``link.BAUD`` within 2 %.
    program : sw.compiler.Program, optional
        Initial contents of program and column memory.
    primitives : str
        Cells that popcounts and multipliers are made of: 'generic' or 'xc7'; see ``hw.core``.

    Members
    -------
    uart_rx : In(1)
        From the host, asynchronous.
    uart_tx : Out(1)
        To the host.
    led_busy, led_done, led_alive : Out(1)
        The core runs; it has run since it was last started; blinks while there is a clock.
    outside : Out(OutsidePort())
        Of a core with a mover, to the memory outside.
    """

    uart_rx: Signal
    uart_tx: Signal
    led_busy: Signal
    led_done: Signal
    led_alive: Signal
    outside: Any

    def __init__(
        self, config: Config, *, clk_freq: int, program: Any = None, primitives: str = "generic"
    ):
        self.config, self.clk_freq, self.program = config, clk_freq, program
        self.primitives = primitives
        self.rates = rates(clk_freq)  #: Baud rates that the link can have.
        moving = {"outside": Out(OutsidePort())} if config.block_depth else {}
        super().__init__(
            moving
            | {
                "uart_rx": In(1),
                "uart_tx": Out(1),
                "led_busy": Out(1),
                "led_done": Out(1),
                "led_alive": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        periods = {link.RATES.index(rate): period(self.clk_freq, rate) for rate in self.rates}
        longest = max(periods.values())
        m.submodules.rx = rx = UARTReceiver(longest)
        m.submodules.tx = tx = UARTTransmitter(longest)
        m.submodules.link = endpoint = LinkEndpoint(
            self.config, clk_freq=self.clk_freq, rates=self.rates
        )
        core: Any = Core(self.config, self.program, target=self.primitives)
        m.submodules.core = core
        if self.config.block_depth:
            wiring.connect(m, core.outside, wiring.flipped(self.outside))
        wiring.connect(m, rx.o, endpoint.i)
        wiring.connect(m, endpoint.o, tx.i)
        m.d.comb += [
            rx.rx.eq(self.uart_rx),
            self.uart_tx.eq(tx.tx),
            endpoint.sent.eq(tx.idle),
            *(getattr(core, name).eq(getattr(endpoint, name)) for name in DRIVES),
            *(getattr(endpoint, name).eq(getattr(core, name)) for name in READS),
        ]
        with m.Switch(endpoint.rate):
            for index, length in periods.items():
                with m.Case(index):
                    m.d.sync += [rx.period.eq(length), tx.period.eq(length)]

        cycles = max(2, int(self.clk_freq) * link.TICK_MS // 1000)
        timer, tick = Signal(range(cycles)), Signal()
        blink = Signal(_BLINK + 1)
        m.d.sync += [timer.eq(timer + 1), tick.eq(timer == cycles - 2)]
        with m.If(tick):
            m.d.sync += [timer.eq(0), blink.eq(blink + 1)]
        m.d.comb += [
            endpoint.tick.eq(tick),
            self.led_busy.eq(core.busy),
            self.led_done.eq(core.done),
            self.led_alive.eq(blink[-1]),
        ]
        return m
