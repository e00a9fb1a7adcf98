"""The pixel memory's way to the lanes of a MAC: masked, shifted, centred."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import timing
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import CENTRES, OVERLAYS, Op
from hw.core.pipe import Pipeline, delay
from hw.core.words import Word, instruction_layout


class Pixels(wiring.Component):
    """``pixel = (word << pix_shift) - centre`` of a tap inside the image, else 0.

    The centre is the one of the word's channel modulo CENTRES, so that a tap outside the image
    counts as a pixel of the mean's value.

    Latency: timing.S_READY cycles from ``word`` to ``o``, timing.S_READY - 1 from ``read``.
    Throughput: a pixel a cycle.

    Members
    -------
    insn : In(instruction_layout()). word : In(Word), at 0.
    read : In(signed 18), the word of pixel memory, at 1.
    o : Out(signed 18), at S_READY; 0 where the word is no tap inside the image of a MAC.
    """

    insn: Any
    word: Any
    read: Signal
    o: Signal

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "word": In(Word),
                "read": In(signed(MEMBRANE_BITS)),
                "o": Out(signed(MEMBRANE_BITS)),
            }
        )

    @property
    def latency(self) -> int:
        return timing.S_READY

    def elaborate(self, platform):
        m = Module()
        i, word = self.insn, self.word
        inside = word.valid & word.x_ok & word.y_ok & (i.op == Op.MAC)
        tap = delay(m, inside, 1, name="tap")
        over = {f.name: f.over for f in OVERLAYS}
        names = (f"centre{k}" for k in range(CENTRES))
        centres = [i[over.get(name, name)].as_signed() for name in names]
        centre = Signal(signed(16), reset_less=True)
        m.d.sync += centre.eq(Choice(centres)[word.k[: CENTRES.bit_length() - 1]])
        pixel = Signal(signed(MEMBRANE_BITS), reset_less=True)
        with m.If(tap):
            m.d.sync += pixel.eq((self.read << i.pix_shift) - centre)
        with m.Else():
            m.d.sync += pixel.eq(0)
        m.d.comb += self.o.eq(Pipeline(m, pixel, 2, name="pixel").at(self.latency))
        return m
