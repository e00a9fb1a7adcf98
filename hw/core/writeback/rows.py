"""Write-back to row memory: the write ports of R banks, and the burst of token-packed words."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.isa import Dest, Pack
from hw.core.modes import WriteMode
from hw.core.words import ADDR
from hw.core.writeback.addressing import place_layout
from hw.core.writeback.packing import head_and_rest


class ChannelBurst(wiring.Component):
    """Sends the pieces of C channels to R banks, R a cycle: channel c to bank c mod R.

    Latency: 1 cycle from ``take`` to the first R. Throughput: a tile in C / R cycles, and no tile
    is shorter.

    Parameters
    ----------
    config : Config

    Members
    -------
    take : In(1), pieces come: pieces : In(max(R, 8)), C times, to address addr : In(ADDR), bytes
        en : In(W / 8), the word's head as head : In(1) says. gs : In(10), distance of addresses
        between groups of R channels.
    active : Out(1), o_addr : Out(ADDR), o_en : Out(W / 8), o_data : Out(W), R times.
    """

    take: Signal
    pieces: Any
    addr: Signal
    en: Signal
    head: Signal
    gs: Signal
    active: Signal
    o_addr: Signal
    o_en: Signal
    o_data: Any

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        self.size = max(config.rows, 8)
        n_bytes = config.width // 8
        super().__init__(
            {
                "take": In(1),
                "pieces": In(self.size).array(config.cols),
                "addr": In(ADDR),
                "en": In(n_bytes),
                "head": In(1),
                "gs": In(10),
                "active": Out(1),
                "o_addr": Out(ADDR),
                "o_en": Out(n_bytes),
                "o_data": Out(config.width).array(config.rows),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n, cols, width, size = self.config.rows, self.config.cols, self.config.width, self.size
        left = Signal(range(cols // n + 1))
        pieces = Signal(size * cols, reset_less=True)
        addr = Signal(ADDR, reset_less=True)
        en = Signal(width // 8, reset_less=True)
        head = Signal(reset_less=True)
        m.d.comb += [self.active.eq(left != 0), self.o_addr.eq(addr), self.o_en.eq(en)]
        for b in range(n):
            piece = pieces[size * b : size * b + size]
            m.d.comb += self.o_data[b].eq(head_and_rest(piece, head, width))
        with m.If(self.active):
            m.d.sync += [
                left.eq(left - 1),
                addr.eq(addr + self.gs),
                pieces.eq(pieces >> (size * n)),
            ]
        with m.If(self.take):
            m.d.sync += [
                left.eq(cols // n),
                pieces.eq(Cat(*self.pieces)),
                addr.eq(self.addr),
                en.eq(self.en),
                head.eq(self.head),
            ]
        return m


class RowWrites(wiring.Component):
    """Write ports of the row banks: channel-packed, tap-packed, pooled, or a burst.

    Latency: 1 cycle. Throughput: a row a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    mode : In(WriteMode), constant from a cycle before the first write on.
    valid : In(1), a row is written: to place : In(place_layout(config)).
    slot_word : In(W), slot_en : In(W / 8), channel-packed. tap_word : In(W), tap_en : In(W / 8),
        three times, tap-packed. pooled : In(W), whole words.
    load : In(1), what is channel-packed comes from outside, whatever the mode.
    burst : In(1), burst_addr : In(ADDR), burst_en : In(W / 8), burst_data : In(W), R times, of
        `ChannelBurst`.
    en : Out(W / 8), addr : Out(ADDR), data : Out(W), R times, registers.
    """

    mode: Any
    valid: Signal
    load: Signal
    place: Any
    slot_word: Signal
    slot_en: Signal
    tap_word: Signal
    tap_en: Any
    pooled: Signal
    burst: Signal
    burst_addr: Signal
    burst_en: Signal
    burst_data: Any
    en: Any
    addr: Any
    data: Any

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        n, width = config.rows, config.width
        super().__init__(
            {
                "mode": In(WriteMode),
                "valid": In(1),
                "load": In(1),
                "place": In(place_layout(config)),
                "slot_word": In(width),
                "slot_en": In(width // 8),
                "tap_word": In(width),
                "tap_en": In(width // 8).array(3),
                "pooled": In(width),
                "burst": In(1),
                "burst_addr": In(ADDR),
                "burst_en": In(width // 8),
                "burst_data": In(width).array(n),
                "en": Out(width // 8).array(n),
                "addr": Out(ADDR).array(n),
                "data": Out(width).array(n),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n, width = self.config.rows, self.config.width
        mode, place = self.mode, self.place
        pool = mode.pool & ~self.load
        to_rows, to_taps = Signal(), Signal()
        m.d.sync += [
            to_rows.eq(mode.dest == Dest.ROW),
            to_taps.eq(mode.dest == Dest.ROW_TAPS),
        ]
        for b in range(n):
            en = Signal(width // 8, name=f"en_{b}_q")
            addr = Signal(ADDR, name=f"addr_{b}_q", reset_less=True)
            word = Signal(width, name=f"data_{b}_q", reset_less=True)
            m.d.comb += [self.en[b].eq(en), self.addr[b].eq(addr), self.data[b].eq(word)]
            m.d.sync += [
                en.eq(0),
                addr.eq(place.centre),
                word.eq(Mux(pool, self.pooled, self.slot_word)),
            ]
            with m.If(self.burst):
                m.d.sync += [
                    en.eq(self.burst_en),
                    addr.eq(self.burst_addr),
                    word.eq(self.burst_data[b]),
                ]
            with m.If(to_rows | self.load):
                with m.If(self.valid & (place.bank == b)):
                    m.d.sync += en.eq(Mux(pool, ~Const(0, width // 8), self.slot_en))
            with m.If(to_taps & ~self.load):
                m.d.sync += word.eq(self.tap_word)
                self._taps(m, b, en, addr)
        return m

    def _taps(self, m: Module, b: int, en: Signal, addr: Signal) -> None:
        """Bank b's slots of a token that lies in it or in one of the banks beside it."""
        n, place, valid = self.config.rows, self.place, self.valid
        before, after = (b - 1) % n, (b + 1) % n
        with m.If(valid & (place.bank == b)):
            m.d.sync += en.eq(self.tap_en[1])
        with m.If(valid & (place.bank == before) & place.has_right):
            m.d.sync += en.eq(self.tap_en[0])
        with m.If(valid & (place.bank == after) & place.has_left & (self.mode.pack == Pack.TRIPLE)):
            m.d.sync += en.eq(self.tap_en[2])
        if b == 0:
            with m.If(place.bank == n - 1):
                m.d.sync += addr.eq(place.right)
        if b == n - 1:
            with m.If(place.bank == 0):
                m.d.sync += addr.eq(place.left)
