"""A board's top in Amaranth's simulator: reset, UART and LEDs; and what it says of its ports."""

from types import SimpleNamespace

import pytest
from amaranth import Module, Signal
from amaranth.build.res import ResourceError
from amaranth.hdl import Fragment
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

import boards
from boards.platform import Facts
from hw.build.board_top import BoardTop, elaborate
from hw.targets.target import Pin
from tests.synth.designs import Echo

PERIOD = 1e-6


class Inside(wiring.Component):
    """A design that shows whether it is in reset, and its input on the next cycle."""

    uart_rx: In(1)
    uart_tx: Out(1)
    led_busy: Out(1)
    led_done: Out(1)
    led_alive: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.uart_tx.eq(self.uart_rx), self.led_alive.eq(1)]
        m.d.comb += [self.led_busy.eq(self.uart_rx), self.led_done.eq(~self.uart_rx)]
        return m


class Target:
    """A PLL that takes the oscillator as it is, and is good when the test says so."""

    def __init__(self, reset):
        self.board = SimpleNamespace(facts=Facts("clk", 1_000_000, reset))
        self.good = Signal()

    def clock(self, source, clock, locked):
        m = Module()
        m.d.comb += [clock.eq(source), locked.eq(self.good)]
        return m


class Platform:
    """Pins of a simulation; as many LEDs as asked for."""

    def __init__(self, leds):
        directions = {"clk": "i", "button": "i", "rx": "i", "tx": "o"}
        directions |= {f"led{n}": "o" for n in range(leds)}
        self.pins = {k: io.SimulationPort(d, 1) for k, d in directions.items()}

    def request(self, name, number=0, *, dir):
        assert dir == "-"
        if name == "uart":
            return SimpleNamespace(rx=self.pins["rx"], tx=self.pins["tx"])
        found = f"led{number}" if name == "led" else name
        if found not in self.pins:
            raise ResourceError(found)
        return self.pins[found]


def simulate(process, reset=None, leds=3):
    """Run ``process`` with the context, a way to clock, the pins and the PLL's goodness."""
    target, platform = Target(reset), Platform(leds)
    whole = Fragment.get(BoardTop(target, Inside()), platform)
    clock = platform.pins["clk"].i

    async def bench(ctx):
        async def cycles(count=1):
            for _ in range(count):
                await ctx.delay(PERIOD / 2)
                ctx.set(clock, 1)
                await ctx.delay(PERIOD / 2)
                ctx.set(clock, 0)

        await process(ctx, cycles, platform.pins, target.good)

    sim = Simulator(whole)
    sim.add_testbench(bench)
    sim.run()


#: Two flip-flops that synchronise and the one that resets, then a counter to 16.
SYNCHRONISE, COUNT = 3, 16


def test_reset_lasts_until_16_cycles_after_the_pll_is_good():
    async def process(ctx, cycles, pins, good):
        out = pins["led2"].o  # 1 from the first cycle out of reset on
        await cycles(40)
        assert ctx.get(out) == 0
        ctx.set(good, 1)
        await cycles(SYNCHRONISE + COUNT)
        assert ctx.get(out) == 0
        await cycles()
        assert ctx.get(out) == 1
        await cycles(100)
        assert ctx.get(out) == 1
        ctx.set(good, 0)  # the clock is lost: reset again, and from the first cycle of 16
        await cycles(SYNCHRONISE + 2)
        assert ctx.get(out) == 0
        ctx.set(good, 1)
        await cycles(SYNCHRONISE + COUNT)
        assert ctx.get(out) == 0
        await cycles()
        assert ctx.get(out) == 1

    simulate(process)


def test_a_good_pll_is_waited_for_anew_where_it_wavers():
    async def process(ctx, cycles, pins, good):
        ctx.set(good, 1)
        await cycles(SYNCHRONISE + COUNT - 4)
        ctx.set(good, 0)
        await cycles()
        ctx.set(good, 1)
        await cycles(SYNCHRONISE + COUNT)
        assert ctx.get(pins["led2"].o) == 0
        await cycles()
        assert ctx.get(pins["led2"].o) == 1

    simulate(process)


def test_button_is_reset():
    async def process(ctx, cycles, pins, good):
        ctx.set(good, 1)
        await cycles(30)
        assert ctx.get(pins["led2"].o) == 1
        ctx.set(pins["button"].i, 1)
        await cycles(SYNCHRONISE + 2)
        assert ctx.get(pins["led2"].o) == 0
        await cycles(30)
        ctx.set(pins["button"].i, 0)
        await cycles(SYNCHRONISE + COUNT)
        assert ctx.get(pins["led2"].o) == 0
        await cycles()
        assert ctx.get(pins["led2"].o) == 1

    simulate(process, reset="button")


def test_uart_and_leds_reach_their_pins():
    async def process(ctx, cycles, pins, good):
        ctx.set(good, 1)
        await cycles(30)
        last = 0
        for bit in (1, 0, 1, 1, 0):
            ctx.set(pins["rx"].i, bit)
            assert ctx.get(pins["tx"].o) == last  # not before the clock
            last = bit
            await cycles()
            assert ctx.get(pins["tx"].o) == bit
            assert (ctx.get(pins["led0"].o), ctx.get(pins["led1"].o)) == (bit, 1 - bit)

    simulate(process)


@pytest.mark.parametrize("leds", [0, 1, 2])
def test_leds_are_the_first_that_there_are(leds):
    async def process(ctx, cycles, pins, good):
        ctx.set(good, 1)
        ctx.set(pins["rx"].i, 1)
        await cycles(30)
        assert ctx.get(pins["tx"].o) == 1
        assert [ctx.get(pins[f"led{n}"].o) for n in range(leds)] == [1, 0][:leds]

    simulate(process, leds=leds)


@pytest.mark.parametrize(
    ("name", "clock", "pins"),
    [
        (
            "arty_a7",
            ("clk100_0__io", 100e6),
            {
                Pin("clk100_0__io", "E3", (("IOSTANDARD", "LVCMOS33"),)),
                Pin("uart_0__rx__io", "A9", (("IOSTANDARD", "LVCMOS33"),)),
                Pin("uart_0__tx__io", "D10", (("IOSTANDARD", "LVCMOS33"),)),
            },
        ),
        (
            "ulx3s",
            ("clk25_0__io", 25e6),
            {Pin("clk25_0__io", "G2", (("IO_TYPE", "LVCMOS33"),))},
        ),
    ],
)
def test_pins_and_clocks_of_a_board(name, clock, pins):
    made = elaborate(boards.get(name), Echo([1]), "mine")
    assert made.clocks == (clock,)
    assert pins <= set(made.pins)
    ports = {p.port for p in made.pins}
    assert {"uart_0__rx__io", "uart_0__tx__io"} <= ports
    assert all(f"\\{port}\n" in made.rtlil for port in ports)
    assert "attribute \\top 1\nmodule \\mine\n" in made.rtlil.replace("  ", "")
    assert elaborate(boards.get(name), Echo([1]), "mine") == made
