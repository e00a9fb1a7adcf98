# amaranth: UnusedElaboratable=no
"""The walker of an instruction equals nested loops, proved for all instructions and all time.

The nest beside it is written as a programmer would: eight counters of which the innermost advances
and carries, the rows of a tile clipped to the image by their definition, an address that grows by
the delta of the level that advances, between tiles from where the tile began. The walker looks
ahead in registers; that it never looks wrongly is what is proved.
"""

import inspect

import pytest
from amaranth.hdl import Elaboratable, Module, Mux, Signal, signed

from hw.arch.isa import BY_NAME, LEVELS
from hw.core import clip, loops
from hw.core.words import ADDR, instruction_layout
from tests.proofs.induction import always, given, proved
from tests.proofs.sources import faulty

TILE = LEVELS[:3]
#: What the walker keeps without showing it: an induction has to know that it is right.
SEEN = {
    "seen_below": ("loops.clip.dy_below", 2),
    "seen_left": ("loops.clip.left", 14),
    "seen_pad": ("loops.pad", 1),
    "seen_wait": ("loops.wait", 8),
    "seen_waited": ("loops.waited", 1),
    "seen_row": ("addresses.row_base", 16),
    "seen_col": ("addresses.col_base", 16),
}
INSIDE = {name: signal for name, (signal, _) in SEEN.items()}


class Walker(Elaboratable):
    """Loop nest and addresses beside nested loops."""

    def __init__(self, module):
        self.loops, self.addresses = module.LoopNest(), module.Addresses()
        self.insn = Signal(instruction_layout())
        self.setup, self.running = Signal(), Signal()
        self.seen = {name: Signal(bits, name=name) for name, (_, bits) in SEEN.items()}
        self.ports = [self.insn.as_value(), self.setup, self.running, *self.seen.values()]

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops, m.submodules.addresses = nest, addresses = self.loops, self.addresses
        for part in (nest, addresses):
            m.d.comb += [
                part.insn.eq(self.insn),
                part.setup.eq(self.setup),
                part.running.eq(self.running),
            ]
        for name in ("go", "ahead", "index", "first_dy", "tile_end"):
            m.d.comb += getattr(addresses, name).eq(getattr(nest, name))
        active = self._given(m)
        self._nest(m, active)
        return m

    def _given(self, m):
        """What the sequencer keeps to; return whether an instruction is being walked."""
        i, nest = self.insn, self.loops
        active, old = Signal(), Signal(len(i.as_value()))
        m.d.sync += old.eq(i.as_value())
        # The instruction is there for two cycles before its setup, and as long as it is walked.
        kept = Signal(2)
        equal = i.as_value() == old
        m.d.sync += kept.eq(Mux(equal, Mux(kept == 2, 2, kept + 1), 0))
        with m.If(active):
            m.d.comb += [given(equal), given(~self.setup)]
        with m.If(self.setup):
            m.d.comb += [given(equal & (kept != 0)), given(~self.running)]
            m.d.sync += active.eq(1)
        with m.Elif(nest.end):
            m.d.sync += active.eq(0)
        with m.If(self.running):
            m.d.comb += given(active)
        m.d.comb += [given(i[f"n_{lv}"] != 0) for lv in LEVELS]
        m.d.comb += given(i.tile_min >= 2)
        with m.If(active):
            m.d.comb += always(kept != 0)
        return active

    def _rows(self, m, y):
        """First dy, and one more than the last, of a tile of output row ``y``."""
        i = self.insn
        down, left = Signal(14), Signal(signed(16))
        m.d.comb += [down.eq(Mux(i.y_twice, y << 1, y)), left.eq(i.img_h + i.pad_y - down)]
        first, end = Signal(2), Signal(8)
        m.d.comb += [
            first.eq(Mux(i.clip & (down < i.pad_y), i.pad_y - down, 0)),
            end.eq(Mux(i.clip & (left < i.n_dy), left, i.n_dy)),
        ]
        # A tile has a row; where none may be, the compiler does not clip.
        with m.If(y < i.n_y):
            m.d.comb += given(Mux(i.clip, (left > 0) & (first < end), 1))
        return first, end

    def _nest(self, m, active):
        i, nest = self.insn, self.loops
        at = {lv: Signal(BY_NAME[f"n_{lv}"].bits, name=f"at_{lv}") for lv in LEVELS}
        first, end = self._rows(m, at["y"])
        following = Signal(len(at["y"]) + 1)
        m.d.comb += following.eq(at["y"] + 1)
        below, _ = self._rows(m, following)
        top, _ = self._rows(m, Signal(len(at["y"]) + 1, name="zero"))
        last = {lv: Signal(name=f"last_{lv}") for lv in LEVELS}
        for lv in LEVELS:
            count = end if lv == "dy" else i[f"n_{lv}"]
            m.d.comb += last[lv].eq(at[lv] + 1 == count)
        # What the walker shows is where the loops are.
        with m.If(active):
            m.d.comb += [always(nest.index[lv] == at[lv]) for lv in LEVELS] + [
                always(nest.last[lv] == last[lv]) for lv in LEVELS
            ]
            m.d.comb += [always(at[lv] < i[f"n_{lv}"]) for lv in LEVELS if lv != "dy"]
            m.d.comb += always((at["dy"] >= first) & (at["dy"] < end))
            m.d.comb += always(nest.first_dy == first)
            m.d.comb += always(nest.clip.end == end)
            # What it keeps of the row below (the induction needs to know).
            rows = Mux(i.y_twice, following << 1, following)
            m.d.comb += always(self.seen["seen_below"] == below)
            m.d.comb += always(self.seen["seen_left"] == (i.img_h + i.pad_y - rows)[:14])
        word = Signal()  # the loops advance by one
        m.d.comb += word.eq(nest.issue & (nest.phase | ~i.xnor))
        ends = Signal()
        m.d.comb += ends.eq(last["k"] & last["dx"] & last["dy"])
        m.d.comb += always(nest.words_done == (word & ends))
        with m.If(active & self.seen["seen_pad"]):
            m.d.comb += [always(ends & i.shortcut), given(self.running)]  # until the tile ends
        with m.If(nest.tile_end):
            m.d.comb += always(ends)
        self._waits(m, active)
        self._addresses(m, active, at, last, word & ~ends, first)
        inner = word & ~ends
        for levels, advance in ((TILE, inner), (LEVELS[3:], nest.tile_end)):
            carry = advance
            for lv in levels:
                with m.If(carry):
                    m.d.sync += at[lv].eq(Mux(last[lv], 0, at[lv] + 1))
                carry = carry & last[lv]
        with m.If(inner & last["k"] & last["dx"]):
            m.d.sync += at["dy"].eq(at["dy"] + 1)
        moves = nest.tile_end & last["t"] & last["x"]
        with m.If(nest.tile_end):
            m.d.sync += [at["k"].eq(0), at["dx"].eq(0), at["dy"].eq(first)]
        with m.If(moves):
            m.d.sync += at["dy"].eq(Mux(last["y"], top, below))
        m.d.comb += [
            always(nest.column_end == (nest.tile_end & last["t"] & last["x"] & last["y"])),
            always(nest.end == (nest.column_end & last["j"] & last["h"])),
        ]
        with m.If(self.setup):
            m.d.sync += [at[lv].eq(top if lv == "dy" else 0) for lv in LEVELS]

    def _waits(self, m, active):
        """Last words are ``tile_min`` apart, and a word waits for nothing else."""
        i, nest = self.insn, self.loops
        rest, begins = Signal(8), Signal()  # cycles in which none may come; setup was just now
        m.d.sync += [rest.eq(Mux(rest == 0, 0, rest - 1)), begins.eq(self.setup)]
        with m.If(nest.words_done):
            m.d.sync += rest.eq(i.tile_min - 1)
            m.d.comb += always(rest == 0)
        with m.If(self.setup):
            m.d.sync += rest.eq(0)
        with m.If(self.running & ~nest.issue):
            m.d.comb += always((rest != 0) | begins)
        wait, waited = self.seen["seen_wait"], self.seen["seen_waited"]
        with m.If(active):
            m.d.comb += always(Mux(begins, ~waited & (wait == 1), waited == (rest == 0)))
            m.d.comb += always((rest == 0) | (wait == rest))
            m.d.comb += always(~self.seen["seen_pad"] | (rest == i.tile_min - 1))

    def _addresses(self, m, active, at, last, inner, first):
        i, nest = self.insn, self.loops
        up = Mux(first == 0, 0, Mux((first == 3) & i.y_twice, 2, 1))
        for name, shown in (("row", self.addresses.row), ("col", self.addresses.col)):
            addr, tile = Signal(ADDR, name=f"want_{name}"), Signal(ADDR, name=f"tile_{name}")
            with m.If(active):
                m.d.comb += [always(shown == addr), always(self.seen[f"seen_{name}"] == tile)]
            taken = {False: inner, True: nest.tile_end}
            for lv in LEVELS:
                outer = lv not in TILE
                step = i[f"{name}_{lv}"]
                if lv in ("dx", "dy"):
                    step = Mux(at[lv][0], i[f"{name}_{lv}2"], step)
                if lv == "y":
                    step = step + Mux(
                        up == 0, 0, Mux(up == 1, i[f"{name}_up"], i[f"{name}_up"] << 1)
                    )
                with m.If(taken[outer] & ~last[lv]):
                    start = tile if outer else addr
                    m.d.sync += addr.eq(start + step)
                    if outer:
                        m.d.sync += tile.eq(start + step)
                taken[outer] = taken[outer] & last[lv]
            with m.If(self.setup):
                m.d.sync += [addr.eq(i[f"{name}_base"]), tile.eq(i[f"{name}_base"])]


def test_walker_is_nested_loops(tmp_path):
    design = Walker(loops)
    assert proved(design, design.ports, tmp_path, inside=INSIDE, most=4)


@pytest.mark.slow  # as long as the proof, each
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m.d.sync += known.eq(self.ahead[lv])", "m.d.sync += known.eq(before & last[lv])"),
        ("dy_below.eq(fewer(dy_below))", "dy_below.eq(fewer(dy_first))"),
        ("m.d.sync += base.eq(start + delta)", "m.d.sync += base.eq(addr + delta)"),
        (
            "self.words_done.eq(walks & second & ends & waited)",
            "self.words_done.eq(walks & second & ends)",
        ),
        ("wait.eq(i.tile_min - 1), waited", "wait.eq(i.tile_min), waited"),
        ("m.d.sync += [wait.eq(1), waited.eq(0)]", "m.d.sync += [wait.eq(0), waited.eq(1)]"),
        ("outer_end.eq(last.t & last.x & last.y)", "outer_end.eq(last.t & last.x)"),
    ],
)
def test_a_fault_of_the_walker_is_seen(tmp_path, monkeypatch, old, new):
    walker = loops
    if old in inspect.getsource(clip):
        monkeypatch.setattr(loops, "RowClip", faulty(clip, old, new).RowClip)
    else:
        walker = faulty(loops, old, new)
    design = Walker(walker)
    assert not proved(design, design.ports, tmp_path, inside=INSIDE, most=4)
