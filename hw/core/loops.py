"""The loop nest of an instruction, and the addresses that it walks."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.isa import BY_NAME, LEVELS
from hw.core.clip import RowClip
from hw.core.words import ADDR, instruction_layout

TILE = LEVELS[:3]  #: Levels inside a tile; the others go from tile to tile.
INDEX = data.StructLayout({level: BY_NAME[f"n_{level}"].bits for level in LEVELS})
EACH = data.StructLayout({level: 1 for level in LEVELS})  #: A flag for each level.


class LoopNest(wiring.Component):
    """Counts the levels of an instruction and says when its tiles begin and end.

    A word is issued in every cycle of ``running``, except in the cycle of a tile's shortcut, and
    where the last word of a tile must wait: it comes ``tile_min`` cycles or more after the last
    word of the tile before, and two or more after setup. A word of an instruction with ``xnor`` is
    issued twice.

    Latency: none; the first word is issued in the cycle after ``setup`` if it runs then.
    Throughput: a word a cycle.

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction begins. running : In(1).
    index : Out(INDEX), of the word. last : Out(EACH), each level's index is its last.
    go : Out(EACH), the level advances. ahead : Out(EACH), the outer level that will advance at the
        end of the tile; two or more cycles long, a tile is known a cycle before it ends.
    first_dy : Out(2), the first dy of the tile (`RowClip`).
    issue : Out(1), a word is issued, phase : Out(1), as the second of an xnor pair, opening :
        Out(1), as the first of its tile, fresh : Out(1), in a column tile's first tile.
    words_done : Out(1), the tile's last word is issued. tile_end, column_end, end : Out(1), the
        tile, the column tile, the instruction ends.
    """

    insn: Any
    setup: Signal
    running: Signal
    index: Any
    last: Any
    go: Any
    ahead: Any
    first_dy: Signal
    issue: Signal
    phase: Signal
    opening: Signal
    fresh: Signal
    words_done: Signal
    tile_end: Signal
    column_end: Signal
    end: Signal

    def __init__(self):
        self.clip = RowClip()
        flags = ("issue", "phase", "opening", "fresh", "words_done", "tile_end", "column_end")
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "running": In(1),
                "index": Out(INDEX),
                "last": Out(EACH),
                "go": Out(EACH),
                "ahead": Out(EACH),
                "first_dy": Out(2),
                **dict.fromkeys((*flags, "end"), Out(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.clip = self.clip
        i, last = self.insn, self.last
        phase = Signal(reset_less=True)  # second pass of an xnor word
        pad = Signal()  # the shortcut's cycle
        wait = Signal(8, reset_less=True)  # cycles until a tile may end
        waited = Signal(reset_less=True)  # there are none
        fresh = Signal(reset_less=True)
        opening = Signal(reset_less=True)
        second = Signal()  # addresses advance when this word is issued
        ends = Signal()  # no word of the tile follows
        walks = Signal()
        outer_end = Signal(reset_less=True)  # the tile is the column tile's last
        m.d.comb += [
            second.eq(phase | ~i.xnor),
            ends.eq(last.k & last.dx & last.dy),
            walks.eq(self.running & ~pad),
            self.issue.eq(walks & (waited | ~(second & ends))),
            self.words_done.eq(walks & second & ends & waited),
            self.tile_end.eq((self.words_done & ~i.shortcut) | (self.running & pad)),
            self.column_end.eq(self.tile_end & outer_end),
            self.end.eq(self.column_end & last.j & last.h),
            self.phase.eq(phase),
            self.opening.eq(opening),
            self.fresh.eq(fresh),
        ]
        m.d.sync += outer_end.eq(last.t & last.x & last.y)
        self._levels(m, walks & second & ~ends)
        with m.If(~waited):
            m.d.sync += [wait.eq(wait - 1), waited.eq(wait == 1)]
        with m.If(self.issue):
            m.d.sync += [phase.eq(~phase & i.xnor), opening.eq(0)]
        with m.If(self.words_done):
            m.d.sync += [pad.eq(i.shortcut), wait.eq(i.tile_min - 1), waited.eq(i.tile_min == 1)]
        with m.If(self.tile_end):
            m.d.sync += [pad.eq(0), opening.eq(1), fresh.eq(0)]
        with m.If(self.column_end):
            m.d.sync += fresh.eq(1)
        with m.If(self.setup):
            # What follows a tile is known two cycles after setup.
            m.d.sync += [wait.eq(1), waited.eq(0)]
            m.d.sync += [phase.eq(0), pad.eq(0), fresh.eq(1), opening.eq(1)]
        return m

    def _levels(self, m: Module, inner: Value) -> None:
        """Counters: a level advances where all inside it are at their last, and those restart.

        ``inner``: a level inside the tile advances.
        """
        i = self.insn
        index = {
            lv: Signal(BY_NAME[f"n_{lv}"].bits, name=f"idx_{lv}", reset_less=True) for lv in LEVELS
        }
        last = {lv: Signal(name=f"wrap_{lv}", reset_less=True) for lv in LEVELS}

        clip = self.clip

        def restart(lv):
            if lv == "dy":
                return [index[lv].eq(clip.next_dy), last[lv].eq(clip.next_single)]
            return [index[lv].eq(0), last[lv].eq(i[f"n_{lv}"] == 1)]

        def count(lv):
            return clip.end if lv == "dy" else i[f"n_{lv}"]

        m.d.comb += [
            self.go.k.eq(inner & ~last["k"]),
            self.go.dx.eq(inner & last["k"] & ~last["dx"]),
            self.go.dy.eq(inner & last["k"] & last["dx"]),
        ]
        m.d.comb += [
            clip.insn.eq(i),
            clip.setup.eq(self.setup),
            clip.last.eq(last["y"]),
            clip.advance.eq(self.go.y | self.go.j | self.go.h),
            self.first_dy.eq(clip.dy),
        ]
        before = Const(1, 1)
        for lv in LEVELS[len(TILE) :]:
            known = Signal(name=f"outer_{lv}", reset_less=True)
            m.d.comb += [
                self.ahead[lv].eq(before & ~last[lv]),
                self.go[lv].eq(self.tile_end & known),
            ]
            m.d.sync += known.eq(self.ahead[lv])
            before = before & last[lv]
        for n, lv in enumerate(LEVELS):
            m.d.comb += [self.index[lv].eq(index[lv]), self.last[lv].eq(last[lv])]
            above = [self.go[level] for level in LEVELS[n + 1 :]]
            if lv in TILE:  # where a tile ends, a level outside advances, or the instruction ends
                above = [*above[: len(TILE) - 1 - n], self.tile_end]
            with m.If(self.go[lv]):
                m.d.sync += [
                    index[lv].eq(index[lv] + 1),
                    last[lv].eq(index[lv] + 2 == count(lv)),
                ]
            with m.If(Cat(*above).any()):
                m.d.sync += restart(lv)
        with m.If(self.setup):
            m.d.sync += [statement for lv in LEVELS for statement in restart(lv)]


class Addresses(wiring.Component):
    """Row and column address of a word: grow by the delta of the level that advances.

    From tile to tile the address of the tile's first word grows, wherever its last one was.

    Latency: 1 cycle. Throughput: a word a cycle.

    Members
    -------
    insn : In(instruction_layout()). setup : In(1), the instruction begins. running : In(1).
    go, ahead : In(EACH), index : In(INDEX), first_dy : In(2), tile_end : In(1), of `LoopNest`.
    row, col : Out(ADDR).
    """

    insn: Any
    setup: Signal
    running: Signal
    go: Any
    ahead: Any
    index: Any
    first_dy: Signal
    tile_end: Signal
    row: Signal
    col: Signal

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "setup": In(1),
                "running": In(1),
                "go": In(EACH),
                "ahead": In(EACH),
                "index": In(INDEX),
                "first_dy": In(2),
                "tile_end": In(1),
                "row": Out(ADDR),
                "col": Out(ADDR),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i = self.insn
        for name, out in (("row", self.row), ("col", self.col)):
            addr = Signal(ADDR, name=f"{name}_addr", reset_less=True)
            base = Signal(ADDR, name=f"{name}_base", reset_less=True)  # the tile's first word
            outer = Signal(ADDR, name=f"{name}_outer", reset_less=True)  # to the next tile's
            delta = Signal(ADDR, name=f"{name}_delta")
            start = Signal(ADDR, name=f"{name}_start")
            up = i[f"{name}_up"]
            up = Mux(self.first_dy == 0, 0, Mux((self.first_dy == 3) & i.y_twice, up << 1, up))
            for lv in LEVELS[len(TILE) :]:
                step = i[f"{name}_{lv}"]
                with m.If(self.ahead[lv]):
                    m.d.sync += outer.eq(step + up if lv == "y" else step)
            m.d.comb += start.eq(addr)
            with m.If(self.tile_end):
                m.d.comb += [delta.eq(outer), start.eq(base)]
            for lv in TILE:
                step = i[f"{name}_{lv}"]
                if lv != "k":  # from an odd index dx and dy have a delta of their own
                    step = Mux(self.index[lv][0], i[f"{name}_{lv}2"], step)
                with m.If(self.go[lv]):
                    m.d.comb += delta.eq(step)
            with m.If(self.running):
                m.d.sync += addr.eq(start + delta)
            with m.If(self.tile_end):
                m.d.sync += base.eq(start + delta)
            with m.If(self.setup):
                m.d.sync += [addr.eq(i[f"{name}_base"]), base.eq(i[f"{name}_base"])]
            m.d.comb += out.eq(addr)
        return m
