# amaranth: UnusedElaboratable=no
"""What write-back gathers before it is written, proved for all data and all time.

Tags become row events, rows of a tile pieces, pieces a burst of words. As in `test_held` no part
can stall its producer; under the distance that it is promised, every part of what came in is
written once, in its place, and nothing else is.
"""

from typing import Any

import pytest
from amaranth.hdl import Array, Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import data

from hw.arch import Config, timing
from hw.core import events
from hw.core.words import ADDR, Tag
from hw.core.writeback import rows, tokens
from tests.proofs.induction import always, any_one, given, proved
from tests.proofs.sources import faulty
from tests.proofs.test_held import apart, looks

CONFIG = Config(rows=4, cols=16, width=32)
ROWS, COLS, WIDTH = CONFIG.rows, CONFIG.cols, CONFIG.width


class Burst(Elaboratable):
    """Of any one channel, each piece is sent once, to its bank and its tile's address."""

    def __init__(self, module):
        self.dut = d = module.ChannelBurst(CONFIG)
        self.channel = Signal(range(COLS), name="any_channel")
        self.ports = [d.take, *d.pieces, d.addr, d.en, d.head, d.gs, self.channel]
        beats = (COLS // ROWS).bit_length()
        self.seen, self.inside = looks(
            self.ports, [("left", beats), ("pieces", 8 * COLS), ("head", 1)]
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        channel, gs = any_one(m, self.channel), any_one(m, d.gs)
        beats = COLS // ROWS
        rest = apart(m, d.take, beats)
        beat = Signal(range(beats + 1), init=beats)  # of the tile that is sent; beats: none is
        piece, addr = Signal(8), Signal(ADDR)
        en, head = Signal.like(d.en), Signal()
        with m.If(beat != beats):
            m.d.sync += [beat.eq(beat + 1), addr.eq(addr + gs)]
        with m.If(d.take):
            m.d.sync += [beat.eq(0), piece.eq(Array(d.pieces)[channel]), addr.eq(d.addr)]
            m.d.sync += [en.eq(d.en), head.eq(d.head)]
        m.d.comb += [
            always(d.active == (beat != beats)),
            always(self.seen["left"] == beats - beat),
            always(beat <= beats),
            always((beat == beats) | (rest == beats - 1 - beat)),
        ]
        mine = channel >> (ROWS.bit_length() - 1)
        with m.If(beat != beats):
            m.d.comb += [always(d.o_addr == addr), always(d.o_en == en)]
            m.d.comb += always(self.seen["head"] == head)
        with m.If(beat == mine):
            sent = Array(d.o_data)[channel[: ROWS.bit_length() - 1]]
            m.d.comb += always(sent == Cat(piece, *[Mux(head, 0, piece)] * (WIDTH // 8 - 1)))
        with m.If(beat <= mine):
            here = self.seen["pieces"].word_select((channel - (beat << 2))[:4], 8)
            m.d.comb += always(here == piece)
        return m


class Pieces(Elaboratable):
    """Of any one channel and time step, a piece is the bits of its rows in the order they came."""

    def __init__(self, module, n_rows):
        self.config = Config(rows=n_rows, cols=16, width=32)
        self.dut = d = module.TokenPacking(self.config)
        self.channel = Signal(range(16), name="any_channel")
        self.step = Signal(4, name="any_step")
        tag = d.tag.as_value()
        self.ports = [d.due, d.bits, d.valid, d.closing, tag, self.channel, self.step]
        names = [(f"tokens_{c}", n_rows) for c in range(16)]
        if n_rows < 8:
            wrote = [("en", 1), ("addr", 4), ("data", 16 * n_rows)]
            names += [(f"$signature__{name}", bits) for name, bits in wrote]
            names.append(("read__data", 16 * n_rows))
        self.seen, self.inside = looks(self.ports, names)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        n = self.config.rows
        channel, step = any_one(m, self.channel), any_one(m, self.step)
        row, bits, whole = Signal(range(n)), Signal(n), Signal(n)
        bit = d.bits.bit_select(channel, 1) & d.valid
        m.d.comb += [
            given(d.closing == (d.due & (row == n - 1))),
            whole.eq(bits | bit << (n - 1)),
        ]
        with m.If(d.due):
            m.d.sync += [row.eq(row + 1), bits.bit_select(row, 1).eq(bit)]
            with m.If(d.closing):
                m.d.sync += bits.eq(0)
        shown = Array(d.pieces)[channel]
        held: Any = Array(self.seen[f"tokens_{c}"] for c in range(16))[channel]
        for r in range(n):  # the rows so far stand at the top
            with m.If(row == r):
                m.d.comb += always(bits[r:] == 0)
                if r:
                    m.d.comb += always(held[n - r :] == bits[:r])
        if n >= 8:
            with m.If(d.closing):
                m.d.comb += always(shown == whole)
        else:
            self._pairs(m, step, channel, shown, whole)
        return m

    def _pairs(self, m, step, channel, shown, whole):
        """A piece of two tiles: the even one's bits are kept until the odd one of their step."""
        d, n, s = self.dut, self.config.rows, self.seen
        odd, mine = Signal(), Signal()  # of the tag that came a cycle before
        m.d.sync += [odd.eq(d.tag.nb[n.bit_length() - 1]), mine.eq(d.tag.t == step)]
        # The memory, at that step.
        word, known, kept = Signal(16 * n), Signal(), Signal(n)
        with m.If(s["$signature__en"] & (s["$signature__addr"] == step)):
            m.d.sync += word.eq(s["$signature__data"])
        with m.If(mine):
            m.d.comb += given(s["read__data"] == word)
        with m.If(d.closing & mine & ~odd):
            m.d.sync += [kept.eq(whole), known.eq(1)]
        with m.If(known):
            m.d.comb += always(word.word_select(channel, n) == kept)
        with m.If(d.closing & mine & (~odd | known)):
            m.d.comb += always(shown == Mux(odd, Cat(kept, whole), whole))


class Events(Elaboratable):
    """A tag's rows come in order, once in each pass, with the tag; nothing comes without one."""

    def __init__(self, module):
        self.dut = d = module.RowEvents(CONFIG, most=COLS)
        tag = d.tag.as_value()
        self.ports = [tag, d.last, d.passes, d.slow, d.step]
        gap = timing.STATE_GAP.bit_length()
        self.seen, self.inside = looks(self.ports, [("active", 1), ("step", 4), ("pause", gap)])

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        last, passes = any_one(m, d.last), any_one(m, d.passes)
        slow, step = any_one(m, d.slow), any_one(m, d.step)
        tag = Signal.like(d.tag)
        busy, place, turn = Signal(), Signal(range(COLS)), Signal(range(16))
        period, event = Signal(range(COLS + 1)), d.event
        m.d.comb += period.eq(Mux(slow & (last + 1 < timing.STATE_GAP), timing.STATE_GAP, last + 1))
        done = busy & (turn == passes) & (place == last)
        m.d.comb += given(~d.tag.valid | ~busy | done)  # tags keep their distance
        with m.If(busy):
            m.d.sync += place.eq(place + 1)
            with m.If(place == period - 1):
                m.d.sync += [place.eq(0), turn.eq(turn + 1)]
            with m.If(done):
                m.d.sync += busy.eq(0)
        with m.If(d.tag.valid):
            m.d.sync += [busy.eq(1), place.eq(0), turn.eq(0), tag.eq(d.tag)]
        m.d.comb += always(event.due == (busy & (place <= last)))
        addr = Signal(ADDR)
        with m.If(busy & (place == last)):
            m.d.sync += addr.eq(addr + step)
        with m.If(d.tag.valid):
            m.d.sync += addr.eq(d.tag.addr)
        pauses = place > last
        with m.If(busy):
            kept = [name for name, _ in data.Layout.cast(Tag) if name != "addr"]
            m.d.comb += [
                *(always(event.tag[name] == tag[name]) for name in kept),
                always(event.tag.addr == addr),
                always(event.count == Mux(pauses, 0, place)),
                always(event.row == event.count[: len(event.row)]),
                always(event.first == (turn + pauses == 0)),
                always(event.opens == (event.first & (event.count == 0))),
                # What an induction has to know.
                always((place < period) & (turn <= passes) & (~pauses | (turn != passes))),
                always(self.seen["step"] == turn + pauses),
                always(self.seen["pause"] == Mux(pauses, period - place, 0)),
            ]
        m.d.comb += always(self.seen["active"] == busy)
        return m


PARTS = {
    "burst": (Burst, rows, ()),
    "whole": (Pieces, tokens, (8,)),
    "pairs": (Pieces, tokens, (4,)),
    "events": (Events, events, ()),
}


@pytest.mark.parametrize("name", PARTS)
def test_all_is_written_once_in_its_place(tmp_path, name):
    part, module, sizes = PARTS[name]
    design = part(module, *sizes)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=3)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("burst", "pieces.eq(pieces >> (size * n))", "pieces.eq(pieces >> size)"),
        ("burst", "left.eq(cols // n)", "left.eq(cols // n - 1)"),
        ("burst", "addr.eq(addr + self.gs)", "addr.eq(addr + 1)"),
        ("burst", "with m.If(self.take):", "with m.If(self.take & ~self.active):"),
        ("whole", "with m.If(self.due):", "with m.If(self.due & self.valid):"),
        ("whole", "self.bits[c] & self.valid", "self.bits[c]"),
        ("pairs", "write.en.eq(self.closing & ~odd)", "write.en.eq(self.closing)"),
        ("pairs", "write.addr.eq(t)", "write.addr.eq(t[:3])"),
        (
            "pairs",
            "Cat(read.data[n * c : n * c + n], group[c])",
            "Cat(group[c], read.data[n * c : n * c + n])",
        ),
        ("events", "active.eq(step != self.passes)", "active.eq(step != 15)"),
        ("events", "pause.eq(rest)", "pause.eq(0)"),
        ("events", "active.eq(1), count.eq(0)", "active.eq(1), count.eq(1)"),
        ("events", "tag.addr.eq(tag.addr + self.step)", "tag.addr.eq(self.tag.addr + self.step)"),
    ],
)
def test_a_fault_is_seen(tmp_path, name, old, new):
    part, module, sizes = PARTS[name]
    design = part(faulty(module, old, new), *sizes)
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=3)
