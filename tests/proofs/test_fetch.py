# amaranth: UnusedElaboratable=no
"""Fetch, proved for all programs and all time: each instruction is taken whole, from its place.

Between memory and register stand the shadows of late words, which are read while the instruction
before still issues. Of any one address of program memory, with any word in it, it is proved that
the instruction that spans it has that word in its place when it was taken; that the next one is
looked for behind it, or behind the table that follows, or where the run starts; and that nothing
of an instruction changes that lanes and write-back still need.
"""

import pytest
from amaranth.hdl import Elaboratable, Module, Mux, Signal

from hw.arch import Config
from hw.arch.isa import LATE_WORD, NI, Op
from hw.core import fetch
from hw.core.words import ADDR
from tests.proofs.induction import always, any_one, given, proved
from tests.proofs.sources import faulty

LATE = NI - LATE_WORD
COUNT = NI.bit_length()
SEEN = {"place": COUNT, "count": COUNT, "at": ADDR, "drain": 9, "keeping": 1, "start": ADDR}


class Takes(Elaboratable):
    """Fetch beside the address of the instruction that it has to bring, and what is done to it."""

    def __init__(self, module, prefetch):
        self.prefetch, self.dut = prefetch, module.Fetch(Config(prefetch=prefetch))
        bits = dict(SEEN)
        if prefetch:
            bits |= {"opened": 1, **{f"late{n}": 32 for n in range(LATE)}}
        self.seen = {name: Signal(n, name=f"seen_{name}") for name, n in bits.items()}
        self.inside = {f"seen_{name}": f"dut.{name}" for name in bits}
        self.addr, self.word = Signal(ADDR, name="any_addr"), Signal(32, name="any_word")
        d = self.dut
        inputs = [d.begin, d.drain, d.restart, d.keep, d.forget, d.setup, d.skip, d.data]
        self.ports = [*inputs, self.addr, self.word, *self.seen.values()]
        self.base = Signal(ADDR)  # of the instruction that is to come; of a table's next word
        self.runs, self.fetches, self.whole = Signal(), Signal(), Signal()
        self.taken = Signal()  # in the cycle before
        self.comes = Signal()  # a word, in this cycle

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        addr, word = any_one(m, self.addr), any_one(m, self.word)
        asked = Signal(ADDR)
        m.d.sync += asked.eq(d.addr)
        with m.If(asked == addr):
            m.d.comb += given(d.data == word)
        self._sequence(m)
        words = [d.insn.as_value()[32 * n : 32 * n + 32] for n in range(NI)]
        place = Signal(ADDR)  # of the word in the instruction that is to come
        m.d.comb += place.eq(addr - self.base)
        with m.If(self.taken):
            for n in range(NI):
                with m.If(place == (n - NI) % (1 << ADDR)):
                    m.d.comb += always(words[n] == word)
        self._stays(m, words)
        self._knows_place(m, asked)
        self._knows_words(m, words, place, word)
        return m

    def _sequence(self, m):
        """What the sequencer keeps to: begin, whole, setup, words of a table, and again."""
        d, runs, fetches, base = self.dut, self.runs, self.fetches, self.base
        keeps, kept, behind = Signal(), Signal(), Signal(ADDR)
        table = d.insn.op == Op.TABLE
        m.d.comb += [
            given(~d.setup | (fetches & self.whole)),
            given(~d.begin | (~fetches & (runs ^ d.restart))),
            given(~d.restart | d.begin),
            given(~d.keep | (table & ~d.restart)),
            given(~d.skip | (runs & ~fetches & table & ~d.begin)),
            given(~(d.forget & runs)),
        ]
        m.d.sync += [self.whole.eq(d.whole), self.taken.eq(d.setup), keeps.eq(d.begin & d.keep)]
        with m.If(d.begin):
            m.d.sync += [runs.eq(1), fetches.eq(1)]
        with m.If(d.setup):
            m.d.sync += [fetches.eq(0), runs.eq(d.insn.op != Op.HALT), base.eq(base + NI)]
        with m.If(d.skip):
            m.d.sync += base.eq(base + 1)
        with m.If(keeps):
            m.d.sync += [kept.eq(1), behind.eq(base)]
        with m.If(d.forget):
            m.d.sync += kept.eq(0)
        with m.If(d.restart):
            m.d.sync += base.eq(Mux(d.kept, behind, 0))
        s = self.seen
        m.d.comb += [
            always(d.kept == (kept & ~d.forget)),
            always((s["keeping"] == keeps) & (~keeps | runs & fetches)),
            always(~kept | (s["start"] == (behind + (LATE_WORD if self.prefetch else 0))[:ADDR])),
        ]

    def _stays(self, m, words):
        """Early words are as they were until the next begins, late ones until the last write."""
        d, left = self.dut, Signal(len(self.dut.drain))
        early, late, known = Signal(32 * LATE_WORD), Signal(32 * LATE), Signal(2)
        was = d.insn.as_value()
        m.d.sync += [early.eq(was[: 32 * LATE_WORD]), late.eq(was[32 * LATE_WORD :])]
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(d.begin):
            m.d.sync += left.eq(d.drain)
        issues = self.runs & ~self.fetches
        writes = issues | self.fetches & (left > 1 + fetch.ENDED)
        m.d.sync += known.eq(issues | (writes & ~d.setup) << 1)
        with m.If(known[0]):
            m.d.comb += always(early == was[: 32 * LATE_WORD])
        with m.If(known[1]):
            m.d.comb += always(late == was[32 * LATE_WORD :])
        m.d.comb += always(self.seen["drain"] == left)

    def _knows_place(self, m, asked):
        """What an induction has to know: how far the fetch is."""
        d, s, base, runs, fetches = self.dut, self.seen, self.base, self.runs, self.fetches
        count, at, table = s["count"], s["at"], d.insn.op == Op.TABLE
        before = Signal.like(count)
        m.d.sync += before.eq(count)
        m.d.comb += [
            self.comes.eq((count != 0) & (count != before)),
            always(~fetches | runs),
            always(~self.taken | ~fetches),
            always(count <= NI),
            always(~(fetches & self.whole) | ((count == NI) & ~self.comes)),
            always(~self.comes | runs & (s["place"] + 1 == count) & (asked == self._at(m))),
        ]
        with m.If(runs & ~fetches):
            ahead = ~table if self.prefetch else 0
            m.d.comb += [
                always(d.insn.op != Op.HALT),
                always(Mux(ahead, count <= LATE, count == 0)),
            ]
        with m.Elif(~fetches):
            m.d.comb += always(count == 0)
        if not self.prefetch:
            with m.If(runs):
                m.d.comb += always(at == (base + count)[:ADDR])
            with m.If(count > LATE_WORD):
                m.d.comb += always(s["drain"] < fetch.AHEAD + fetch.ENDED)
            return
        m.d.comb += always(s["opened"] == fetches)
        waits = runs & ~fetches & table
        with m.If(runs):
            with m.If(waits):
                m.d.comb += always(at == base)
            with m.Elif(count < LATE):
                m.d.comb += always(at == (base + LATE_WORD + count)[:ADDR])
            with m.Elif(count < NI):
                m.d.comb += always(at == (base + count - LATE)[:ADDR])
            with m.Else():
                m.d.comb += always(at == (base + NI + Mux(table, 0, LATE_WORD))[:ADDR])

    def _at(self, m):
        """Address of the word that comes in this cycle."""
        place, at = self.seen["place"], Signal(ADDR, name="coming")
        if self.prefetch:
            m.d.comb += at.eq(self.base + Mux(place < LATE, place + LATE_WORD, place - LATE))
        else:
            m.d.comb += at.eq(self.base + place)
        return at

    def _knows_words(self, m, words, at, word):
        """What came of the instruction that is to come is right."""
        s = self.seen
        for n in range(NI):
            if self.prefetch:
                late = n >= LATE_WORD
                place = n - LATE_WORD if late else n + LATE
                taken = s[f"late{place}"] if late else words[n]
            else:
                place, taken = n, words[n]
            there = (place < s["count"]) & ~(self.comes & (s["place"] == place))
            with m.If(self.runs & there & (at == n)):
                m.d.comb += always(taken == word)


@pytest.mark.parametrize("prefetch", [0, 1])
def test_instructions_are_taken_whole(tmp_path, prefetch):
    design = Takes(fetch, prefetch)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=3)


FAULTS = [
    (1, "1 - NI, Mux", "2 - NI, Mux"),
    (1, "after = Mux(table, LATE, NI)", "after = NI"),
    (1, "(count >= LATE) & ~opened", "(count >= LATE + 1) & ~opened"),
    (1, "zip(words[LATE_WORD:], shadows", "zip(words[LATE_WORD:], shadows[1:] + shadows[:1]"),
    (1, "m.d.sync += at.eq(at + LATE_WORD)", "m.d.sync += at.eq(at + LATE)"),
    (0, "drained.eq(drain <= AHEAD + ENDED)", "drained.eq(drain <= AHEAD + ENDED + 1)"),
    (0, "place.eq(count)]", "place.eq(count ^ (count == 9))]"),
    (0, "m.d.sync += [start.eq(at), kept.eq(1)]", "m.d.sync += [start.eq(at + 1), kept.eq(1)]"),
    (0, "with m.If(advance | self.skip):", "with m.If(advance):"),
]


@pytest.mark.slow  # as long as the proof, or longer, each
@pytest.mark.parametrize(("prefetch", "old", "new"), FAULTS)
def test_a_fault_of_the_fetch_is_seen(tmp_path, prefetch, old, new):
    design = Takes(faulty(fetch, old, new), prefetch)
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=3)
