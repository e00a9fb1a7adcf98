"""Peeking: any word of the memories, while the core is idle."""

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

NEAR = 4  #: Banks side by side whose words go on as one.


class Peek(wiring.Component):
    """Turns the memories to one word while the core is idle, and picks 32 bits of what they read.

    First of NEAR banks each, which lie where their lanes do, so that a fourth of the wires leads
    away from there; then of a memory's; then of all memories'.

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
        times, res_data : In(signed 18), 2 C times, A's and B's: what the memories read.
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
    res_data: Any
    data: Signal

    latency = 1
    SELECT = 3

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
                "res_data": In(signed(MEMBRANE_BITS)).array(2 * config.cols),
                "data": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place: Any = Signal(Place)
        with m.If(self.busy):
            m.d.sync += self.active.eq(0)
        with m.Elif(self.peek):
            m.d.sync += [self.active.eq(1), place.as_value().eq(self.addr)]
        m.d.comb += self.word.eq(place.word)
        words = {
            Mem.PROG: [self.prog_data],
            Mem.COL: _parts(self.col_data, place.part),
            Mem.ROW: _parts(self.row_data, place.part),
            Mem.PIX: [self.pix_data],
            Mem.RES: list(self.res_data),
        }
        with m.If(self.active):
            for memory, banks in words.items():
                near = min(NEAR, len(banks))
                groups = _registers(m, f"near_{memory.name}", _choose(banks, place.bank, near))
                number = place.bank[near.bit_length() - 1 :]
                words[memory] = _registers(m, memory.name, _choose(groups, number, len(groups)))
            with m.Switch(place.mem):
                for memory, (word,) in words.items():
                    with m.Case(memory):
                        m.d.sync += self.data.eq(word)
        return m


def _parts(banks: Any, part: Value) -> list[Value]:
    """Return of each bank's word the 32 bits of this number."""
    parts = len(banks[0]) // 32
    return _choose([b[32 * n : 32 * n + 32] for b in banks for n in range(parts)], part, parts)


def _registers(m: Module, name: str, words: Sequence[Value]) -> list[Signal]:
    """Return words one register later."""
    out = [Signal(word.shape(), name=f"{name}_{n}") for n, word in enumerate(words)]
    m.d.sync += [register.eq(word) for register, word in zip(out, words, strict=True)]
    return out


def _choose(words: Sequence[Value], number: Value, count: int) -> list[Value]:
    """Return of each ``count`` words, a power of two, the one of this number."""
    chosen = list(words)
    for bit in number[: count.bit_length() - 1]:
        chosen = [Mux(bit, b, a) for a, b in zip(chosen[::2], chosen[1::2], strict=True)]
    return chosen
