"""The write-back unit: expands a tile's tag into row events and writes them."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Dest
from hw.arch.memmap import Mem
from hw.core.events import RowEvents
from hw.core.memories import Load
from hw.core.modes import WriteMode
from hw.core.pipe import later
from hw.core.wire import each
from hw.core.words import ADDR, Tag
from hw.core.writeback.addressing import TokenPlace
from hw.core.writeback.columns import ColumnWrites
from hw.core.writeback.means import MeanBurst
from hw.core.writeback.packing import SlotPacking, TapPacking
from hw.core.writeback.pooling import FusedPool
from hw.core.writeback.rows import ChannelBurst, RowWrites
from hw.core.writeback.tokens import TokenPacking


class WriteBack(wiring.Component):
    """Writes a tile's spikes, their windows, pooled words or x where `hw.arch.isa.Dest` says.

    There is one event for each row of a tile, again for each time step (spread), or for each lane
    (PIX). The means of a column tile follow its last row, while the next one's rows come.

    Latency: ``latency`` cycles from ``tag`` to the write of row 0, one from ``spikes``. COL_CHANNEL
    writes with row R - 1, ROW_CHANNEL from one cycle after that. Throughput: a row a cycle.

    Parameters
    ----------
    config : Config

    Members, their times counted from ``tag``
    -------
    mode : In(WriteMode), constant while tags are in flight.
    load : In(Load), a write from outside, while no tag is in flight: it is written a cycle later.
    begin : In(1), an instruction begins, whose first mean goes to mean_base : In(ADDR).
    tag : In(Tag), at 0, two cycles before row 0's spikes are complete.
    spikes : In(C), pooled : In(W), 0 where the operation is not POOL, x : In(signed 18), of row r
        (PIX: lane r) at 2 + r.
    row_en : Out(W / 8), byte enables, row_addr : Out(ADDR), row_data : Out(W), R times, at
        3 + r. col_en, col_addr, col_data likewise, C times.
    move : In(Load), taken : Out(1), of a core with a mover, as `ColumnWrites` has them.
    pix_en : Out(1), pix_addr : Out(ADDR), pix_data : Out(signed 18), at 3 + r.
    """

    mode: Any
    load: Any
    begin: Signal
    mean_base: Signal
    tag: Any
    spikes: Signal
    pooled: Signal
    x: Signal
    move: Any
    taken: Signal
    row_en: Any
    row_addr: Any
    row_data: Any
    col_en: Any
    col_addr: Any
    col_data: Any
    pix_en: Signal
    pix_addr: Signal
    pix_data: Signal

    def __init__(self, config: Config):
        self.config = config
        rows, cols, width = config.rows, config.cols, config.width
        self.events = RowEvents(config, most=cols)
        self.rows, self.columns = RowWrites(config), ColumnWrites(config)
        moving = {"move": In(Load), "taken": Out(1)} if config.block_depth else {}
        super().__init__(
            moving
            | {
                "mode": In(WriteMode),
                "load": In(Load),
                "begin": In(1),
                "mean_base": In(ADDR),
                "tag": In(Tag),
                "spikes": In(cols),
                "pooled": In(width),
                "x": In(signed(MEMBRANE_BITS)),
                "row_en": Out(width // 8).array(rows),
                "row_addr": Out(ADDR).array(rows),
                "row_data": Out(width).array(rows),
                "col_en": Out(width // 8).array(cols),
                "col_addr": Out(ADDR).array(cols),
                "col_data": Out(width).array(cols),
                "pix_en": Out(1),
                "pix_addr": Out(ADDR),
                "pix_data": Out(signed(MEMBRANE_BITS)),
            }
        )

    @property
    def latency(self) -> int:
        return self.events.latency + TokenPlace.latency + self.rows.latency

    def elaborate(self, platform):
        m = Module()
        cfg, mode = self.config, self.mode
        n, cols = cfg.rows, cfg.cols
        assert self.columns.latency == self.rows.latency

        m.submodules.events = events = self.events
        is_pix = mode.dest == Dest.PIX
        m.d.comb += [
            events.tag.eq(self.tag),
            events.last.eq(Mux(is_pix, cols - 1, Mux(mode.mac, mode.n_pix, n - 1))),
            events.passes.eq(mode.passes),
            events.slow.eq(mode.slow),
            events.step.eq(mode.t),
        ]
        # Events come a cycle ahead of their rows, so that places are ready with them.
        ahead = events.event
        event = later(m, ahead, name="event", cleared=("due",))
        tag: Any = event.tag
        in_image = ahead.row < ahead.tag.n_valid
        counts = ahead.due & in_image & (~mode.pool | ~ahead.row[0])
        closes = ahead.due & (ahead.count == n - 1)
        valid = Signal()  # or of a window, below
        m.d.comb += valid.eq(later(m, counts, name="valid", cleared=("valid",)))
        closing = later(m, closes, name="closing", cleared=("closing",))
        mask = Signal(cols, reset_less=True)  # of the last column tile
        spiking = (~mode.pool).replicate(cols)
        m.d.sync += mask.eq(Cat(Const(c, 7) < mode.lanes for c in range(cols)) & spiking)
        spikes = self.spikes & later(m, Mux(ahead.tag.final, mask, spiking), name="mask")
        bits = Signal(cols)  # of the event, one per lane
        m.d.comb += bits.eq(spikes | self.pooled[:cols])

        m.submodules.place = place = TokenPlace(cfg)
        if cfg.pool_depth:
            self._fuse(m, ahead, later(m, in_image, name="in_image"), spikes, place, valid, bits)
        m.submodules.slots = slots = SlotPacking(cfg)
        m.submodules.taps = taps = TapPacking(cfg)
        m.submodules.tokens = tokens = TokenPacking(cfg)
        m.d.comb += [
            place.mode.eq(mode),
            place.tag.eq(self.tag),
            place.now.eq(ahead.tag),
            place.row.eq(ahead.row),
            slots.bits.eq(bits),
            slots.slot.eq(ahead.tag.slot),
            taps.bits.eq(bits),
            taps.slot_log2.eq(mode.slot_log2),
            tokens.due.eq(event.due),
            tokens.bits.eq(bits),
            tokens.valid.eq(valid),
            tokens.closing.eq(closing),
            tokens.tag.eq(ahead.tag),
        ]
        load, n_parts = self.load, cfg.width // 32
        part = Cat((load.part == p).replicate(4) for p in range(n_parts))
        word, en = Signal(cfg.width), Signal(cfg.width // 8)  # channel-packed, or loaded
        m.d.comb += [
            word.eq(Mux(load.valid, load.data.replicate(n_parts), slots.word)),
            en.eq(Mux(load.valid, part, slots.en)),
        ]
        self._rows(m, valid, closing, tag.addr, place, word, en, taps, tokens)
        token = later(m, (ahead.tag.nb + ahead.row)[: cols.bit_length() - 1], name="token")
        self._columns(m, valid, closing, tag.addr, token, word, en, tokens)

        self._pixels(m, event, is_pix, closing)
        return m

    def _pixels(self, m: Module, event, is_pix, closing) -> None:
        """Write x of each lane: of the events of PIX, and means after their column tile."""
        due, addr = event.due & is_pix, event.tag.addr + event.count
        if self.config.means:
            m.submodules.means = means = MeanBurst(self.config)
            m.d.comb += [
                means.begin.eq(self.begin),
                means.base.eq(self.mean_base),
                means.take.eq(closing & event.tag.closes & self.mode.mean),
            ]
            due, addr = due | means.due, Mux(means.due, means.addr, addr)
        pix_en = Signal()
        pix_addr = Signal(ADDR, reset_less=True)
        pix_data = Signal(signed(MEMBRANE_BITS), reset_less=True)
        load = self.load
        m.d.sync += [
            pix_en.eq(due | load.valid & (load.mem == Mem.PIX)),
            pix_addr.eq(Mux(load.valid, load.word, addr)),
            pix_data.eq(Mux(load.valid, load.data[:MEMBRANE_BITS].as_signed(), self.x)),
        ]
        m.d.comb += [self.pix_en.eq(pix_en), self.pix_addr.eq(pix_addr), self.pix_data.eq(pix_data)]

    def _fuse(self, m: Module, ahead, in_image, spikes, place, valid, bits) -> None:
        """Windows in place of spikes: an odd row's, of itself and the even row before it."""
        m.submodules.fused = fused = FusedPool(self.config)
        m.d.comb += [
            fused.due.eq(ahead.due & self.mode.fused),
            fused.row.eq(ahead.row),
            fused.bits.eq(spikes & in_image.replicate(len(spikes))),
            fused.start.eq(place.start),
            fused.tag.eq(ahead.tag),
        ]
        with m.If(self.mode.fused):
            m.d.comb += [valid.eq(fused.valid), bits.eq(fused.window)]

    def _rows(self, m: Module, valid, closing, addr, place, word, en, taps, tokens) -> None:
        """Wire the write ports of row memory."""
        mode, load = self.mode, self.load
        loads = load.valid & (load.mem == Mem.ROW) & (load.bank < self.config.rows)
        m.submodules.burst = burst = ChannelBurst(self.config)
        m.submodules.rows = rows = self.rows
        m.d.comb += [
            burst.take.eq(closing & (mode.dest == Dest.ROW_CHANNEL)),
            burst.addr.eq(addr),
            burst.en.eq(tokens.en),
            burst.head.eq(tokens.head),
            burst.gs.eq(mode.chan_gs),
            *each(burst.pieces, tokens.pieces),
            rows.mode.eq(mode),
            rows.valid.eq(valid | loads),
            rows.load.eq(load.valid),
            rows.place.eq(place.place),
            rows.place.bank.eq(Mux(load.valid, load.bank, place.place.bank)),
            rows.place.centre.eq(Mux(load.valid, load.word, place.place.centre)),
            rows.slot_word.eq(word),
            rows.slot_en.eq(en),
            rows.tap_word.eq(taps.word),
            *each(rows.tap_en, taps.en),
            rows.pooled.eq(self.pooled),
            rows.burst.eq(burst.active),
            rows.burst_addr.eq(burst.o_addr),
            rows.burst_en.eq(burst.o_en),
            *each(rows.burst_data, burst.o_data),
            *each(self.row_en, rows.en),
            *each(self.row_addr, rows.addr),
            *each(self.row_data, rows.data),
        ]

    def _columns(self, m: Module, valid, closing, addr, token, word, en, tokens) -> None:
        """Wire the write ports of column memory."""
        m.submodules.columns = columns = self.columns
        load = self.load
        if self.config.block_depth:
            m.d.comb += [columns.move.eq(self.move), self.taken.eq(columns.taken)]
        loads = load.valid & (load.mem == Mem.COL) & (load.bank < self.config.cols)
        m.d.comb += [
            columns.dest.eq(self.mode.dest),
            columns.load.eq(load.valid),
            columns.addr.eq(Mux(load.valid, load.word, addr)),
            columns.valid.eq(valid | loads),
            columns.token.eq(Mux(load.valid, load.bank, token)),
            columns.word.eq(word),
            columns.en.eq(en),
            columns.closing.eq(closing),
            *each(columns.pieces, tokens.pieces),
            columns.piece_en.eq(tokens.en),
            columns.head.eq(tokens.head),
            *each(self.col_en, columns.o_en),
            *each(self.col_addr, columns.o_addr),
            *each(self.col_data, columns.o_data),
        ]
