"""Packings of write-back: a row's C spikes as part of a word."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.isa import SLOT_BYTES


def head_and_rest(value, lowest, width: int):
    """Return a word of ``width`` bits of ``value``, whose other parts are 0 where it is ``lowest``.

    The lowest part of a word is written with the whole word, so that what no part follows is 0;
    the parts after it are written by themselves, from any place.
    """
    n = len(value)
    return Cat(value, (value & ~lowest.replicate(n)).replicate(width // n - 1))


class SlotPacking(wiring.Component):
    """Channel-packed: slot s of a word holds C bits, of column tile s modulo W / C.

    Latency: combinational of ``bits``, 1 cycle from ``slot``. Throughput: a row a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    bits : In(C). slot : In(5), 0 to W / C - 1, a cycle before its bits.
    word : Out(W). en : Out(W / 8), bytes of it: all of them with slot 0, else the slot's.
    """

    bits: Signal
    slot: Signal
    word: Signal
    en: Signal

    def __init__(self, config: Config):
        self.config = config
        width = config.width
        super().__init__(
            {"bits": In(config.cols), "slot": In(5), "word": Out(width), "en": Out(width // 8)}
        )

    def elaborate(self, platform):
        m = Module()
        cols, width = self.config.cols, self.config.width
        n_bytes, size = width // 8, cols // 8
        head, en = Signal(reset_less=True), Signal(n_bytes, reset_less=True)
        m.d.sync += [head.eq(self.slot == 0), en.eq(0)]
        m.d.comb += [self.word.eq(head_and_rest(self.bits, head, width)), self.en.eq(en)]
        with m.Switch(self.slot):
            for s in range(width // cols):
                with m.Case(s):
                    some = ((1 << size) - 1) << (s * size)
                    m.d.sync += en.eq(some if s else (1 << n_bytes) - 1)
        return m


class TapPacking(wiring.Component):
    """Tap-packed: a word holds its token's left neighbour, itself and its right one, in slots.

    So a token's bits go to three words: to slot 0 of the one to its right, to slot 1 of its own,
    to slot 2 of the one to its left.

    Latency: combinational. Throughput: a row a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    bits : In(C). slot_log2 : In(2), bytes of a slot are SLOT_BYTES of it.
    word : Out(W), the bits in every slot. en : Out(W / 8), three times, bytes of slots 0, 1, 2.
    """

    bits: Signal
    slot_log2: Signal
    word: Signal
    en: Any

    def __init__(self, config: Config):
        self.config = config
        width = config.width
        super().__init__(
            {
                "bits": In(config.cols),
                "slot_log2": In(2),
                "word": Out(width),
                "en": Out(width // 8).array(3),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n_bytes, most = self.config.width // 8, self.config.cols // 8
        with m.Switch(self.slot_log2):
            for s, size in enumerate(SLOT_BYTES):
                with m.Case(s):
                    if size <= most:
                        m.d.comb += self.word.eq(self.bits[: 8 * size].replicate(n_bytes // size))
                    for q in range(3):
                        if (q + 1) * size <= n_bytes:
                            m.d.comb += self.en[q].eq(((1 << size) - 1) << (q * size))
        return m
