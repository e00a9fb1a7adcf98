"""Peeking: any word of the memories that the load port writes, while the core is idle."""

from collections.abc import Sequence
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.memmap import Mem
from hw.core.memories import Place
from hw.core.words import ADDR


class Peek(wiring.Component):
    """Turns the memories to one word while the core is idle, and picks 32 bits of what they read.

    An address outside the core's memories gives any word.

    Latency: 1 cycle from ``peek`` to ``active``, SELECT cycles from a memory's word to ``data``.
    Throughput: one at a time.

    Parameters
    ----------
    config : Config

    Members
    -------
    peek : In(1), addr : In(32), a load port address, is asked for. busy : In(1), the core is not
        idle: nothing is.
    active : Out(1), memories read the word word : Out(ADDR), registers; from the request until
        the core is busy.
    prog_data : In(32), pix_data : In(signed 18), row_data : In(W), R times, col_data : In(W), C
        times: what the memories read.
    data : Out(32), a register.
    """

    peek: Signal
    addr: Signal
    busy: Signal
    active: Signal
    word: Signal
    prog_data: Signal
    pix_data: Signal
    row_data: Any
    col_data: Any
    data: Signal

    latency = 1
    SELECT = 2

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "peek": In(1),
                "addr": In(32),
                "busy": In(1),
                "active": Out(1),
                "word": Out(ADDR),
                "prog_data": In(32),
                "pix_data": In(signed(MEMBRANE_BITS)),
                "row_data": In(config.width).array(config.rows),
                "col_data": In(config.width).array(config.cols),
                "data": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place: Any = Signal(Place)
        column, row, pixel = (Signal(signed(32), name=n) for n in ("column", "row", "pixel"))
        other = Signal(32)
        with m.If(self.busy):
            m.d.sync += self.active.eq(0)
        with m.Elif(self.peek):
            m.d.sync += [self.active.eq(1), place.as_value().eq(self.addr)]
        m.d.comb += self.word.eq(place.word)
        with m.If(self.active):
            m.d.sync += [
                column.eq(_part(self.col_data, place)),
                row.eq(_part(self.row_data, place)),
                pixel.eq(self.pix_data),
                other.eq(self.prog_data),
            ]
            with m.Switch(place.mem):
                for mem, word in ((Mem.COL, column), (Mem.ROW, row), (Mem.PIX, pixel)):
                    with m.Case(mem):
                        m.d.sync += self.data.eq(word)
                with m.Default():
                    m.d.sync += self.data.eq(other)
        return m


def _part(banks: Any, place: Any) -> Value:
    """Return the part of a bank's word that ``place`` says."""
    parts = len(banks[0]) // 32
    words = [bank[32 * n : 32 * n + 32] for bank in banks for n in range(parts)]
    return _choose(_choose(words, place.part, parts), place.bank, len(banks))[0]


def _choose(words: Sequence[Value], number: Value, count: int) -> list[Value]:
    """Return of each ``count`` words, a power of two, the one of this number."""
    chosen = list(words)
    for bit in number[: count.bit_length() - 1]:
        chosen = [Mux(bit, b, a) for a, b in zip(chosen[::2], chosen[1::2], strict=True)]
    return chosen
