"""Token-packing of write-back: a channel's spikes of consecutive tokens in one word."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MAX_STEPS
from hw.core.pipe import later
from hw.core.words import Tag


class TokenPacking(wiring.Component):
    """Turns a tile of R tokens by C channels: a piece of max(R, 8) tokens for each channel.

    With R = 4 a piece is of two tiles; the first is kept for each time step until the second
    comes.

    Latency: combinational of the tile's last row, 1 cycle from its tag. Throughput: a row a
    cycle, a piece a tile.

    Parameters
    ----------
    config : Config

    Members
    -------
    due : In(1), a row comes: bits : In(C), valid : In(1), it is a token of the image (else 0 is
        packed).
    closing : In(1), it is the last of its tile. tag : In(Tag), the tile's, a cycle before.
    pieces : Out(max(R, 8)), C times; with ``closing``.
    en : Out(W / 8), bytes of the word that they are written to: all of them with the piece of
        the word's first tokens, which ``head`` : Out(1) tells.
    """

    due: Signal
    bits: Signal
    valid: Signal
    closing: Signal
    tag: Any
    pieces: Any
    en: Signal
    head: Signal

    def __init__(self, config: Config):
        self.config = config
        self.size = max(config.rows, 8)  #: Tokens of a piece.
        super().__init__(
            {
                "due": In(1),
                "bits": In(config.cols),
                "valid": In(1),
                "closing": In(1),
                "tag": In(Tag),
                "pieces": Out(self.size).array(config.cols),
                "en": Out(config.width // 8),
                "head": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n, cols, width = self.config.rows, self.config.cols, self.config.width
        t, nb = (later(m, self.tag[name], name=name) for name in ("t", "nb"))
        rows = [Signal(n, name=f"tokens_{c}", reset_less=True) for c in range(cols)]
        group = [Signal(n, name=f"group_{c}") for c in range(cols)]
        for c in range(cols):
            m.d.comb += group[c].eq(Cat(rows[c][1:], self.bits[c] & self.valid))
        with m.If(self.due):
            for c in range(cols):
                m.d.sync += rows[c].eq(group[c])
        if n < 8:
            m.submodules.keep = keep = memory.Memory(
                shape=n * cols, depth=MAX_STEPS, init=[], attrs={"ram_style": "distributed"}
            )
            write, read = keep.write_port(), keep.read_port(domain="comb")
            odd = nb[n.bit_length() - 1]
            m.d.comb += [
                write.addr.eq(t),
                read.addr.eq(t),
                write.data.eq(Cat(*group)),
                write.en.eq(self.closing & ~odd),
            ]
            for c in range(cols):
                both = Cat(read.data[n * c : n * c + n], group[c])
                m.d.comb += self.pieces[c].eq(Mux(odd, both, group[c]))
        else:
            m.d.comb += [self.pieces[c].eq(group[c]) for c in range(cols)]
        unit, n_bytes = self.size // 8, width // 8
        at = Signal(range(max(2, width // self.size)))
        head, en = Signal(reset_less=True), Signal(n_bytes, reset_less=True)
        m.d.sync += [head.eq(at == 0), en.eq(0)]
        m.d.comb += [
            at.eq(self.tag.nb[self.size.bit_length() - 1 :]),
            self.head.eq(head),
            self.en.eq(en),
        ]
        with m.Switch(at):
            for s in range(width // self.size):
                with m.Case(s):
                    some = ((1 << unit) - 1) << (s * unit)
                    m.d.sync += en.eq(some if s else (1 << n_bytes) - 1)
        return m
