"""A board's top on a bench: contents, time and rest from outside, beside the pins."""

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Value

from boards import Board
from hw.soc.top import Top


def flatten(port: Any) -> list[Value]:
    """Return the signals of a port to the memory outside."""
    return [Value.cast(value) for _, _, value in port.signature.flatten(port)]


class BenchTop(Top):
    """`hw.soc.top.Top` with ports that a bench needs beside the pins.

    Latency and Throughput: the top's.

    Members, beside the top's
    -------
    load_valid, load_addr, load_data : as inputs of 1, 32 and 32 bits
        Go to the core's load port while ``load_valid``: so a simulator gets the contents that a
        bitstream brings, without being compiled for each network.
    tick : as an input of 1 bit
        In place of the top's own: a simulator that skips cycles in which nothing happens tells
        how time passes.
    rests : as an output of 1 bit
        Nothing is to be done or said; a clock cycle changes nothing.
    """

    def __init__(self, board: Board):
        super().__init__(board.config, clk_freq=board.core_clock, primitives="simulation")
        self.load_valid, self.tick, self.rests = (
            Signal(name=name) for name in ("load_valid", "tick", "rests")
        )
        self.load_addr = Signal(32, name="load_addr")
        self.load_data = Signal(32, name="load_data")

    @property
    def ports(self) -> list[Value]:
        """All ports but the clock's."""
        pins = [self.uart_rx, self.uart_tx, self.led_busy, self.led_done]
        ours = [self.load_valid, self.load_addr, self.load_data, self.tick, self.rests]
        out = flatten(self.outside) if self.config.block_depth else []
        return [*pins, *ours, *out]

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        parts: Any = m.submodules
        core, endpoint = parts.core, parts.link
        with m.If(self.load_valid):
            m.d.comb += [
                core.load_valid.eq(1),
                core.load_addr.eq(self.load_addr),
                core.load_data.eq(self.load_data),
            ]
        m.d.comb += [
            endpoint.tick.eq(self.tick),
            self.rests.eq(endpoint.rests & parts.tx.idle & ~core.busy),
        ]
        return m
