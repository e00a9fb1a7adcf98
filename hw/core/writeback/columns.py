"""Write-back to column memory: the write ports of C banks."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.isa import Dest
from hw.core.memories import Load
from hw.core.words import ADDR
from hw.core.writeback.packing import head_and_rest


class ColumnWrites(wiring.Component):
    """Write ports of the column banks: keys by token, values by channel.

    A token's channel-packed word goes to bank token mod C (COL_TOKEN); a channel's token-packed
    piece to the bank of its lane (COL_CHANNEL).

    Latency: 1 cycle. Throughput: a row a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    dest : In(3), hw.arch.isa.Dest, from a cycle before the first write on. addr : In(ADDR).
    valid : In(1), a row is written: of token : In(log2 C), as word : In(W), bytes en : In(W / 8).
    load : In(1), that row comes from outside, whatever ``dest``.
    move : In(Load), of a core with a mover: a word that is written in a cycle in which nothing else
        is: taken : Out(1), in this one.
    closing : In(1), pieces are written: pieces : In(max(R, 8)), C times, bytes piece_en :
        In(W / 8), the word's head as head : In(1) says.
    o_en : Out(W / 8), o_addr : Out(ADDR), o_data : Out(W), C times, registers.
    """

    dest: Signal
    addr: Signal
    valid: Signal
    load: Signal
    token: Signal
    word: Signal
    en: Signal
    closing: Signal
    pieces: Any
    piece_en: Signal
    head: Signal
    move: Any
    taken: Signal
    o_en: Any
    o_addr: Any
    o_data: Any

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        cols, width = config.cols, config.width
        moving = {"move": In(Load), "taken": Out(1)} if config.block_depth else {}
        super().__init__(
            moving
            | {
                "dest": In(3),
                "addr": In(ADDR),
                "valid": In(1),
                "load": In(1),
                "token": In(range(cols)),
                "word": In(width),
                "en": In(width // 8),
                "closing": In(1),
                "pieces": In(max(config.rows, 8)).array(cols),
                "piece_en": In(width // 8),
                "head": In(1),
                "o_en": Out(width // 8).array(cols),
                "o_addr": Out(ADDR).array(cols),
                "o_data": Out(width).array(cols),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self.config.width
        by_token, by_channel = Signal(), Signal()
        m.d.sync += [
            by_token.eq(self.dest == Dest.COL_TOKEN),
            by_channel.eq(self.dest == Dest.COL_CHANNEL),
        ]
        addr_in, word_in, en_in = self.addr, self.word, self.en
        token, goes = self.token, Const(0, 1)
        if self.config.block_depth:
            move, parts = self.move, width // 32
            own = (by_token & self.valid) | (by_channel & self.closing)
            goes = Signal(name="goes")
            m.d.comb += [self.taken.eq(~own & ~self.load), goes.eq(move.valid & self.taken)]
            addr_in = Mux(goes, move.word, addr_in)
            word_in = Mux(goes, move.data.replicate(parts), word_in)
            en_in = Mux(goes, Cat((move.part == p).replicate(4) for p in range(parts)), en_in)
            token = Mux(goes, move.bank, token)
        for c in range(self.config.cols):
            en = Signal(width // 8, name=f"en_{c}_q")
            addr = Signal(ADDR, name=f"addr_{c}_q", reset_less=True)
            word = Signal(width, name=f"data_{c}_q", reset_less=True)
            m.d.comb += [self.o_en[c].eq(en), self.o_addr[c].eq(addr), self.o_data[c].eq(word)]
            m.d.sync += [en.eq(0), addr.eq(addr_in), word.eq(word_in)]
            with m.If((((by_token | self.load) & self.valid) | goes) & (token == c)):
                m.d.sync += en.eq(en_in)
            with m.If(by_channel & ~self.load & ~goes):
                m.d.sync += word.eq(head_and_rest(self.pieces[c], self.head, width))
                with m.If(self.closing):
                    m.d.sync += en.eq(self.piece_en)
        return m
