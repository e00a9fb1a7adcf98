"""Write-back: spikes, pooled words and x to row, column and pixel memory."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import MAX_STEPS, MEMBRANE_BITS
from hw.arch.isa import SLOT_BYTES, Dest, Pack
from hw.arch.timing import STATE_GAP
from hw.core.sequencer import ADDR, Tag


class WriteMode(data.Struct):
    """Fields of the instruction in flight; constant while tags are."""

    dest: unsigned(3)
    pool: unsigned(1)
    spread: unsigned(1)
    n_spread: unsigned(4)
    gs: unsigned(ADDR)
    t: unsigned(ADDR)  #: Destination distance between steps.
    lanes: unsigned(7)
    pack: unsigned(2)
    slot_log2: unsigned(2)
    chan_gs: unsigned(10)
    img_w: unsigned(11)
    split: unsigned(1)  #: Even and odd columns in planes.
    half: unsigned(ADDR)  #: Distance from even to odd columns.
    slow: unsigned(1)  #: Steps (spread) come every STATE_GAP cycles.


def event_pacer(m: Module, active: Signal, slow) -> tuple[Signal, Signal]:
    """Return (an event is due, counter to clear at the first): every cycle, or STATE_GAP cycles."""
    pause = Signal(range(STATE_GAP), reset_less=True)
    event = Signal()
    m.d.comb += event.eq(active & (pause == 0))
    m.d.sync += pause.eq(Mux(~slow | (pause == STATE_GAP - 1), 0, pause + 1))
    return event, pause


class WriteBack(wiring.Component):
    """Expands a tile's tag into row events and writes them.

    ``tag`` comes one cycle before row 0's spikes are complete; ``spikes`` (C bits),
    ``pooled`` (W) and ``x`` belong to row r one cycle after the tag plus r. Writes are
    presented one cycle later (COL_CHANNEL with row R-1, ROW_CHANNEL from one cycle after that).

    Members
    -------
    row_en : Out(W/8), R times, byte enables; row_addr, row_data. col_* likewise, C times.
    pix_en, pix_addr, pix_data : Out.
    """

    mode: Any
    tag: Any
    spikes: Any
    pooled: Any
    x: Any
    row_en: Any
    row_addr: Any
    row_data: Any
    col_en: Any
    col_addr: Any
    col_data: Any
    pix_en: Any
    pix_addr: Any
    pix_data: Any

    def __init__(self, config: Config):
        self.config = config
        rows, cols, width = config.rows, config.cols, config.width
        super().__init__(
            {
                "mode": In(WriteMode),
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

    def elaborate(self, platform):
        m = Module()
        cfg, mode = self.config, self.mode
        n, cols, width = cfg.rows, cfg.cols, cfg.width
        n_bytes, slice_bytes = width // 8, cols // 8
        log_r = n.bit_length() - 1

        # ---- one event per row, step (spread) or lane (PIX)
        tag: Any = Signal(Tag)
        active = Signal()
        count = Signal(range(max(cols, n, MAX_STEPS)))
        last = Signal(range(max(cols, n, MAX_STEPS)))
        event, pause = event_pacer(m, active, mode.slow & mode.spread)
        is_pix = mode.dest == Dest.PIX
        m.d.comb += last.eq(Mux(is_pix, cols - 1, Mux(mode.spread, mode.n_spread, n - 1)))
        with m.If(event):
            m.d.sync += count.eq(count + 1)
            with m.If(mode.spread):
                m.d.sync += tag.addr.eq(tag.addr + mode.t)
            with m.If(count == last):
                m.d.sync += active.eq(0)
        row = Signal(range(n))  # count, but 0 with spread
        m.d.sync += row.eq(Mux(mode.spread, 0, row + 1))
        to_edge = Signal(11)  # columns from the tile's first to the end of the image row
        at_start = Signal()  # the tile is the first of its image row
        with m.If(self.tag.valid):
            m.d.sync += [
                tag.eq(self.tag),
                active.eq(1),
                count.eq(0),
                row.eq(0),
                pause.eq(0),
                to_edge.eq(mode.img_w - self.tag.x_out),
                at_start.eq(self.tag.x_out == 0),
            ]

        valid = Signal()
        m.d.comb += [
            valid.eq(event & (row < tag.n_valid) & (~mode.pool | ~row[0])),
        ]
        mask = Cat(Const(c, 7) < mode.lanes for c in range(cols))
        bits = Signal(cols)  # spikes of the event, one per lane
        m.d.comb += bits.eq(
            Mux(mode.pool, self.pooled[:cols], self.spikes & Mux(tag.final, mask, ~Const(0, cols)))
        )

        # ---- address of the token
        offset = Signal(range(2 * n))
        centre, right, left = Signal(ADDR), Signal(ADDR), Signal(ADDR)
        bank = Signal(range(n))
        has_left, has_right = Signal(), Signal()
        step = Signal(range(n))
        m.d.comb += [
            step.eq(Mux(mode.pool, row >> 1, row)),
            offset.eq(tag.nb[:log_r] + step),
            bank.eq(Mux(mode.split, Cat(offset[:log_r], tag.nb[log_r])[1:], offset[:log_r])),
            centre.eq(
                tag.addr
                + Mux(mode.split, Mux(offset[0], mode.half, 0), Mux(offset[log_r], mode.gs, 0))
            ),
            right.eq(centre + mode.gs),
            left.eq(centre - mode.gs),
            has_left.eq(~at_start | (step != 0)),
            has_right.eq(step + 1 < to_edge),
        ]

        # ---- channel-packed word
        slot_en = Signal(n_bytes)
        word = Signal(width)
        whole = Signal()
        with m.Switch(tag.slot):
            for s in range(width // cols):
                with m.Case(s):
                    m.d.comb += slot_en.eq(
                        (1 << n_bytes) - 1
                        if s == 0
                        else ((1 << slice_bytes) - 1) << (s * slice_bytes)
                    )
        m.d.comb += whole.eq(tag.slot == 0)
        m.d.comb += word.eq(
            Cat(bits, (bits & ~whole.replicate(cols)).replicate(width // cols - 1))
            if width > cols
            else bits
        )
        # tap-packed word: the low slot repeated, and the bytes of slots 0, 1, 2
        taps = Signal(width)
        tap_en = [Signal(n_bytes, name=f"tap_en_{q}") for q in range(3)]
        with m.Switch(mode.slot_log2):
            for s, size in enumerate(SLOT_BYTES):
                with m.Case(s):
                    if size <= slice_bytes:
                        m.d.comb += taps.eq(bits[: 8 * size].replicate(n_bytes // size))
                    for q in range(3):
                        if (q + 1) * size <= n_bytes:
                            m.d.comb += tap_en[q].eq(((1 << size) - 1) << (q * size))

        # ---- token-packed bytes
        closing = Signal()
        m.d.comb += closing.eq(active & (count == n - 1))
        shift = [Signal(n, name=f"tokens_{c}", reset_less=True) for c in range(cols)]
        group = [Signal(n, name=f"group_{c}") for c in range(cols)]
        for c in range(cols):
            m.d.comb += group[c].eq(Cat(shift[c][1:], bits[c] & valid))
        with m.If(active):
            for c in range(cols):
                m.d.sync += shift[c].eq(group[c])
        piece = max(n, 8)  # bits written at once
        pieces = [Signal(piece, name=f"piece_{c}") for c in range(cols)]
        if n < 8:
            m.submodules.keep = keep = memory.Memory(
                shape=n * cols, depth=MAX_STEPS, init=[], attrs={"ram_style": "distributed"}
            )
            kw, kr = keep.write_port(), keep.read_port(domain="comb")
            odd = tag.nb[log_r]
            m.d.comb += [
                kw.addr.eq(tag.t),
                kr.addr.eq(tag.t),
                kw.data.eq(Cat(*group)),
                kw.en.eq(closing & ~odd),
            ]
            for c in range(cols):
                m.d.comb += pieces[c].eq(
                    Mux(odd, Cat(kr.data[n * c : n * c + n], group[c]), group[c])
                )
        else:
            m.d.comb += [pieces[c].eq(group[c]) for c in range(cols)]
        unit = piece // 8
        at = Signal(range(max(2, width // piece)))
        m.d.comb += at.eq(tag.nb[piece.bit_length() - 1 :])
        piece_en = Signal(n_bytes)
        with m.Switch(at):
            for s in range(width // piece):
                with m.Case(s):
                    m.d.comb += piece_en.eq(
                        (1 << n_bytes) - 1 if s == 0 else ((1 << unit) - 1) << (s * unit)
                    )
        head_piece = at == 0

        def spread_piece(value, lowest):
            return Cat(value, (value & ~lowest.replicate(piece)).replicate(width // piece - 1))

        # ---- row memory
        burst_left = Signal(range(cols // n + 1))
        burst_data = Signal(piece * cols, reset_less=True)
        burst_addr = Signal(ADDR, reset_less=True)
        burst_en = Signal(n_bytes, reset_less=True)
        burst_low = Signal(reset_less=True)
        with m.If(burst_left != 0):
            m.d.sync += [
                burst_left.eq(burst_left - 1),
                burst_addr.eq(burst_addr + mode.chan_gs),
                burst_data.eq(burst_data >> (piece * n)),
            ]
        with m.If(closing & (mode.dest == Dest.ROW_CHANNEL)):
            m.d.sync += [
                burst_left.eq(cols // n),
                burst_data.eq(Cat(*pieces)),
                burst_addr.eq(tag.addr),
                burst_en.eq(piece_en),
                burst_low.eq(head_piece),
            ]
        for b in range(n):
            en, addr, value = self.row_en[b], self.row_addr[b], self.row_data[b]
            en_q = Signal(n_bytes, name=f"row_en_{b}_q")
            addr_q = Signal(ADDR, name=f"row_addr_{b}_q", reset_less=True)
            data_q = Signal(width, name=f"row_data_{b}_q", reset_less=True)
            m.d.comb += [en.eq(en_q), addr.eq(addr_q), value.eq(data_q)]
            m.d.sync += [
                en_q.eq(0),
                addr_q.eq(centre),
                data_q.eq(Mux(mode.pool, self.pooled, word)),
            ]
            with m.If(burst_left != 0):
                m.d.sync += [
                    en_q.eq(burst_en),
                    addr_q.eq(burst_addr),
                    data_q.eq(spread_piece(burst_data[piece * b : piece * b + piece], burst_low)),
                ]
            with m.If(mode.dest == Dest.ROW):
                with m.If(valid & (bank == b)):
                    m.d.sync += en_q.eq(Mux(mode.pool, ~Const(0, n_bytes), slot_en))
            with m.If(mode.dest == Dest.ROW_TAPS):
                m.d.sync += data_q.eq(taps)
                before, after = (b - 1) % n, (b + 1) % n  # banks of this bank's neighbours
                with m.If(valid & (bank == b)):
                    m.d.sync += en_q.eq(tap_en[1])
                with m.If(valid & (bank == before) & has_right):
                    m.d.sync += en_q.eq(tap_en[0])
                with m.If(valid & (bank == after) & has_left & (mode.pack == Pack.TRIPLE)):
                    m.d.sync += en_q.eq(tap_en[2])
                if b == 0:
                    with m.If(bank == n - 1):
                        m.d.sync += addr_q.eq(right)
                if b == n - 1:
                    with m.If(bank == 0):
                        m.d.sync += addr_q.eq(left)

        # ---- column memory
        col_bank = Signal(range(cols))
        m.d.comb += col_bank.eq(tag.nb + row)
        for c in range(cols):
            en_q = Signal(n_bytes, name=f"col_en_{c}_q")
            addr_q = Signal(ADDR, name=f"col_addr_{c}_q", reset_less=True)
            data_q = Signal(width, name=f"col_data_{c}_q", reset_less=True)
            m.d.comb += [
                self.col_en[c].eq(en_q),
                self.col_addr[c].eq(addr_q),
                self.col_data[c].eq(data_q),
            ]
            m.d.sync += [en_q.eq(0), addr_q.eq(tag.addr), data_q.eq(word)]
            with m.If((mode.dest == Dest.COL_TOKEN) & valid & (col_bank == c)):
                m.d.sync += en_q.eq(slot_en)
            with m.If(mode.dest == Dest.COL_CHANNEL):
                m.d.sync += data_q.eq(spread_piece(pieces[c], head_piece))
                with m.If(closing):
                    m.d.sync += en_q.eq(piece_en)

        # ---- pixel memory
        pix_en = Signal()
        pix_addr = Signal(ADDR, reset_less=True)
        pix_data = Signal(signed(MEMBRANE_BITS), reset_less=True)
        m.d.sync += [pix_en.eq(active & is_pix), pix_addr.eq(tag.addr + count), pix_data.eq(self.x)]
        m.d.comb += [self.pix_en.eq(pix_en), self.pix_addr.eq(pix_addr), self.pix_data.eq(pix_data)]
        return m
