"""Sequencer: fetches macro-instructions, walks their loop nest, issues one word a cycle."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import STATE_CELLS
from hw.arch.isa import BY_NAME, FIELDS, LATE_WORD, LEVELS, NI, Mod, Op, Step, Taps
from hw.core.state import TableLoader, TableWrite

ADDR = 16  #: Width of addresses inside the sequencer.


def instruction_layout() -> data.StructLayout:
    """All fields at their bits of NI concatenated words."""
    members: dict[str, Any] = {}
    pos = 0
    for f in FIELDS:
        at = 32 * f.word + f.low
        if at > pos:
            members[f"_{pos}"] = at - pos
        members[f.name] = signed(f.bits) if f.signed else f.bits
        pos = at + f.bits
    if pos < 32 * NI:
        members[f"_{pos}"] = 32 * NI - pos
    return data.StructLayout(members)


class Word(data.Struct):
    """What goes out with every issue cycle, at cycle 0."""

    valid: unsigned(1)  #: A word of the current tile.
    par: unsigned(1)  #: A parameter word.
    par_index: unsigned(5)
    half: unsigned(1)  #: Which half of the factor table parameters go to, or words use.
    row_addr: unsigned(ADDR)
    col_addr: unsigned(ADDR)
    first: unsigned(1)  #: First word of its tile.
    last: unsigned(1)  #: Last word of its tile.
    new: unsigned(1)  #: The tile is the first of its column tile.
    neg: unsigned(1)  #: Inverted rows, subtract.
    left: unsigned(1)  #: Horizontal shift -1.
    right: unsigned(1)  #: Horizontal shift +1.
    dx0: unsigned(1)  #: dx == 0.
    y_ok: unsigned(1)  #: The input row is inside the image.
    x_ok: unsigned(1)  #: MAC: the tap's column is inside the image.
    k: unsigned(4)  #: k modulo 16.
    x_zero: unsigned(1)  #: x == 0.
    x_left: unsigned(12)  #: Tokens from the tile's first to the end of the image row.
    second: unsigned(1)  #: h == 1 (MEAN: buffer B).
    sum_ok: unsigned(1)  #: MEAN: the word is a valid token.
    edge: unsigned(1)  #: Mask as if the shift were +1 (last odd column missing).
    sc: unsigned(1)  #: A word of shortcut spikes; not valid.
    sc_byte: unsigned(4)  #: Byte of the column tile's C bits in it.


class Tag(data.Struct):
    """A tile, for lanes and write-back; valid in the cycle after tau."""

    valid: unsigned(1)
    half: unsigned(1)
    new: unsigned(1)  #: First tile of a column tile.
    final: unsigned(1)  #: Last column tile of its head.
    t: unsigned(4)
    start: unsigned(1)  #: t == 0.
    n_valid: unsigned(5)  #: Valid rows.
    nb: unsigned(8)  #: Token counter, low bits.
    addr: unsigned(ADDR)  #: Destination address of row 0.
    slot: unsigned(5)
    res: unsigned(ADDR)  #: Residual group of row 0.
    x_out: unsigned(11)  #: Destination image column of row 0.


class Sequencer(wiring.Component):
    """See ``docs/architecture/core.md``; cycle-exact with ``hw.arch.timing``.

    Members
    -------
    start : In(1). busy, done : Out(1). cycles : Out(32), busy cycles of the run.
    prog_addr, prog_data : program memory, latency 1.
    insn : Out, the instruction register; late words change only when the pipeline is empty.
    setup : Out(1), the cycle before the first issue: copies of early fields are taken.
    word : Out(Word), at cycle 0. tag : Out(Tag), at tau + 1.
    table : Out(TableWrite), the table that a TABLE makes, an entry a cycle.
    """

    start: Any
    busy: Any
    done: Any
    cycles: Any
    prog_addr: Any
    prog_data: Any
    insn: Any
    setup: Any
    word: Any
    tag: Any
    table: Any

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "done": Out(1),
                "cycles": Out(32),
                "prog_addr": Out(ADDR),
                "prog_data": In(32),
                "insn": Out(instruction_layout()),
                "setup": Out(1),
                "word": Out(Word),
                "tag": Out(Tag),
                "table": Out(TableWrite),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cfg = self.config
        log_r = cfg.rows.bit_length() - 1
        ir = [Signal(32, name=f"ir{n}", reset_less=True) for n in range(NI)]
        i = self.insn
        m.d.comb += i.eq(Cat(*ir))

        # ---- fetch
        pc = Signal(ADDR)
        fetch = Signal(range(NI + 2))
        capture, capture_at = Signal(), Signal(range(NI))
        drain = Signal(range(timing.drain_cycles(cfg, True) + 1))
        advance = Signal()
        m.submodules.loader = loader = TableLoader()
        words_left, cells_left = Signal(7), Signal(range(STATE_CELLS + 1))
        next_word = Signal()  # of a TABLE
        m.d.comb += [
            self.prog_addr.eq(Mux(next_word, pc + 1, pc)),
            advance.eq((fetch != NI) & ~((fetch == LATE_WORD) & (drain != 0))),
        ]
        m.d.sync += capture.eq(0)
        with m.If(capture):
            for n in range(NI):
                with m.If(capture_at == n):
                    m.d.sync += ir[n].eq(self.prog_data)
        with m.If(drain != 0):
            m.d.sync += drain.eq(drain - 1)

        # ---- loop nest
        idx = {
            lv: Signal(BY_NAME[f"n_{lv}"].bits, name=f"idx_{lv}", reset_less=True) for lv in LEVELS
        }
        wrap = {lv: Signal(name=f"wrap_{lv}", reset_less=True) for lv in LEVELS}  # at its last

        def restart(lv):
            """Statements that put a level back to 0."""
            return [idx[lv].eq(0), wrap[lv].eq(i[f"n_{lv}"] == 1)]

        phase = Signal(reset_less=True)  # second pass of an xnor word
        pad = Signal()  # waiting for tile_min
        wait = Signal(8, reset_less=True)  # cycles until the tile may end
        fresh = Signal(reset_less=True)  # first tile of a column tile
        opening = Signal(reset_less=True)  # first word of a tile
        half = Signal()
        swap = Signal(range(timing.SWAP + 1))  # parameters must wait while not 0
        par = Signal(5, reset_less=True)
        par_addr = Signal(ADDR, reset_less=True)
        row_addr, col_addr = Signal(ADDR, reset_less=True), Signal(ADDR, reset_less=True)
        with m.If(swap != 0):
            m.d.sync += swap.eq(swap - 1)

        issue, paired, tile_words_done, tile_end = Signal(), Signal(), Signal(), Signal()
        column_end, end = Signal(), Signal()
        outer_end = Signal(reset_less=True)  # the tile is the column tile's last
        running = Signal()
        m.d.comb += [
            issue.eq(running & ~pad),
            paired.eq(issue & (phase | ~i.xnor)),  # addresses advance
            tile_words_done.eq(paired & wrap["k"] & wrap["dx"] & wrap["dy"]),
            tile_end.eq(((tile_words_done & ~i.shortcut) | (running & pad)) & (wait == 0)),
            column_end.eq(tile_end & outer_end),
            end.eq(column_end & wrap["j"] & wrap["h"]),
        ]

        # destination bookkeeping
        nb, nb_next = Signal(ADDR, reset_less=True), Signal(ADDR, reset_less=True)
        moved = Signal(ADDR)
        n_valid = Signal(5)
        x_left, y_left = Signal(12, reset_less=True), Signal(12, reset_less=True)
        x_out = Signal(11, reset_less=True)
        groups, wcol, wt = (Signal(ADDR, name=n, reset_less=True) for n in ("wg", "wc", "wt"))
        rgroups, rcol = (Signal(ADDR, name=n, reset_less=True) for n in ("rg", "rc"))
        slot = Signal(5, reset_less=True)
        sc_now = Signal()
        sc_addr, sc_word, sc_groups, sc_step = (
            Signal(ADDR, name=n, reset_less=True)
            for n in ("sc_addr", "sc_word", "sc_groups", "sc_step")
        )
        sc_byte = Signal((cfg.width // 8).bit_length() - 1, reset_less=True)
        n_step = Signal(5)
        one = i.n_step == Step.ONE
        row_mask = cfg.rows - 1
        shifts = {
            Mod.ROWS: log_r,
            Mod.COLS: cfg.cols.bit_length() - 1,
            Mod.WORD: cfg.width.bit_length() - 1,
            Mod.PAIR: log_r + 1,
        }
        next_line = Signal(ADDR)  # token count at the start of the next image row
        crossed = {mod: Signal(name=f"crossed_{mod.name}") for mod in Mod}
        w_crossed = Signal()
        m.d.comb += [
            n_valid.eq(Mux(x_left >= cfg.rows, cfg.rows, x_left[:5])),
            n_step.eq(
                Mux(
                    one,
                    1,
                    Mux(i.n_step == Step.HALF, cfg.rows // 2, Mux(i.flat, n_valid, cfg.rows)),
                )
            ),
            moved.eq(nb + n_step),
        ]
        # What the end of the tile will do is known a cycle ahead: a tile takes 2 cycles or more.
        m.d.comb += next_line.eq(
            Mux(
                i.w_mod == Mod.PAIR,
                (moved + 2 * cfg.rows - 1) & -2 * cfg.rows,
                (moved + row_mask) & ~row_mask,
            )
        )
        m.d.sync += nb_next.eq(Mux(wrap["x"] & ~i.flat, next_line, moved))
        for mod in Mod:
            m.d.comb += crossed[mod].eq((nb_next >> shifts[mod]) != (nb >> shifts[mod]))
        m.d.comb += w_crossed.eq(Choice([crossed[mod] for mod in Mod])[i.w_mod])
        gone = Signal(2)  # groups of R tokens, 0 to 2
        m.d.comb += gone.eq((nb_next >> log_r) - (nb >> log_r))
        outer = {}
        before = Const(1, 1)
        row_outer, col_outer = Signal(ADDR, reset_less=True), Signal(ADDR, reset_less=True)
        for lv in LEVELS[3:]:
            outer[lv] = Signal(name=f"outer_{lv}", reset_less=True)
            m.d.sync += outer[lv].eq(before & ~wrap[lv])
            with m.If(before & ~wrap[lv]):
                m.d.sync += [row_outer.eq(i[f"row_{lv}"]), col_outer.eq(i[f"col_{lv}"])]
            before = before & wrap[lv]
        m.d.sync += outer_end.eq(wrap["t"] & wrap["x"] & wrap["y"])

        # which level advances
        inner = Signal()
        m.d.comb += inner.eq(paired & ~tile_words_done)
        go = {
            "k": inner & ~wrap["k"],
            "dx": inner & wrap["k"] & ~wrap["dx"],
            "dy": inner & wrap["k"] & wrap["dx"],
            **{lv: tile_end & outer[lv] for lv in LEVELS[3:]},
        }
        deltas = {
            lv: tuple(
                i[f"{mem}_{lv}"]
                if lv == "k"
                else Mux(idx[lv][0], i[f"{mem}_{lv}2"], i[f"{mem}_{lv}"])
                for mem in ("row", "col")
            )
            for lv in LEVELS[:3]
        }
        row_delta, col_delta = Signal(ADDR), Signal(ADDR)
        with m.If(tile_end):
            m.d.comb += [row_delta.eq(row_outer), col_delta.eq(col_outer)]
        for lv in LEVELS[:3]:
            with m.If(go[lv]):
                m.d.comb += [row_delta.eq(deltas[lv][0]), col_delta.eq(deltas[lv][1])]
        for lv in LEVELS:
            with m.If(go[lv]):
                m.d.sync += [idx[lv].eq(idx[lv] + 1), wrap[lv].eq(idx[lv] + 2 == i[f"n_{lv}"])]
                for below in LEVELS[: LEVELS.index(lv)]:
                    m.d.sync += restart(below)
        with m.If(running):
            m.d.sync += [row_addr.eq(row_addr + row_delta), col_addr.eq(col_addr + col_delta)]
            with m.If(wait != 0):
                m.d.sync += wait.eq(wait - 1)
        with m.If(issue):
            m.d.sync += [phase.eq(~phase & i.xnor), opening.eq(0)]
        m.d.sync += [
            sc_now.eq(tile_words_done & i.shortcut),
            sc_addr.eq(sc_word + sc_groups + sc_step),
        ]
        with m.If(tile_words_done):
            m.d.sync += pad.eq(1)
            with m.If(fresh):
                m.d.sync += swap.eq(timing.SWAP - 1)
        with m.If(tile_end):
            m.d.sync += [pad.eq(0), wait.eq(i.tile_min - 1), opening.eq(1), fresh.eq(0)]
            with m.If(~wrap["t"]):
                m.d.sync += [wt.eq(wt + i.w_t), sc_step.eq(sc_step + i.sc_t)]
            with m.Else():
                m.d.sync += [
                    wt.eq(0),
                    nb.eq(nb_next),
                    sc_step.eq(0),
                    sc_groups.eq(sc_groups + i.sc_gs),
                    x_left.eq(x_left - Mux(one, Mux(i.x_twice, 2, 1), cfg.rows)),
                    x_out.eq(x_out + n_step),
                ]
                with m.If(w_crossed):
                    m.d.sync += groups.eq(groups + i.w_gs)
                with m.If(gone != 0):
                    m.d.sync += rgroups.eq(rgroups + (i.res_gs << gone[1]))
                with m.If(wrap["x"]):
                    m.d.sync += [
                        x_left.eq(i.img_w),
                        x_out.eq(0),
                        y_left.eq(Mux(wrap["y"], i.img_h, y_left - Mux(i.y_twice, 2, 1))),
                    ]
        log_bytes = (cfg.width // 8).bit_length() - 1
        sc_next = Signal(log_bytes + 1)
        m.d.comb += sc_next.eq(sc_byte + cfg.cols // 8)
        slot_wrap = Signal()
        m.d.comb += slot_wrap.eq((slot + 1 == i.slots) | (i.head_align & wrap["j"]))
        # parameters have already moved past this column tile's words: step from its first
        with m.If(column_end):
            m.d.sync += [
                nb.eq(0),
                groups.eq(0),
                rgroups.eq(0),
                rcol.eq(rcol + i.res_j),
                fresh.eq(1),
                half.eq(~half),
                par.eq(0),
                slot.eq(Mux(slot_wrap, 0, slot + 1)),
                par_addr.eq(par_addr + Mux(wrap["j"], i.par_h, i.par_j)),
            ]
            with m.If(slot_wrap):
                m.d.sync += wcol.eq(wcol + i.w_j)
            m.d.sync += [
                sc_groups.eq(0),
                sc_byte.eq(sc_next[: len(sc_byte)]),
                sc_word.eq(sc_word + (sc_next >> log_bytes)),
            ]

        # ---- states
        par_issue = Signal()
        m.d.comb += [
            loader.more.eq(words_left != 0),
            next_word.eq(Mux(loader.load, words_left != 0, loader.take & (words_left != 1))),
            loader.fine.eq(i.state_shift == 0),
            self.table.eq(loader.write),
            loader.threshold.eq(self.prog_data[: len(loader.threshold)]),
        ]
        with m.If(next_word):
            m.d.sync += pc.eq(pc + 1)
        with m.If(loader.take):
            m.d.sync += words_left.eq(words_left - 1)
        with m.FSM(name="state") as fsm:
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [
                        pc.eq(0),
                        fetch.eq(0),
                        self.cycles.eq(0),
                        self.done.eq(0),
                        drain.eq(0),
                    ]
                    m.next = "FETCH"
            with m.State("FETCH"):
                with m.If(advance):
                    m.d.sync += [
                        capture.eq(1),
                        capture_at.eq(fetch),
                        fetch.eq(fetch + 1),
                        pc.eq(pc + 1),
                    ]
                with m.Elif(fetch == NI):
                    m.next = "SETUP"
            with m.State("SETUP"):
                m.d.comb += self.setup.eq(1)
                m.d.sync += [
                    row_addr.eq(i.row_base),
                    col_addr.eq(i.col_base),
                    par_addr.eq(i.par_base),
                    phase.eq(0),
                    pad.eq(0),
                    fresh.eq(1),
                    opening.eq(1),
                    par.eq(0),
                    wait.eq(i.tile_min - 1),
                    x_left.eq(i.img_w),
                    y_left.eq(i.img_h),
                    swap.eq(0),
                    nb.eq(0),
                    groups.eq(0),
                    wcol.eq(i.w_base),
                    wt.eq(0),
                    rgroups.eq(0),
                    rcol.eq(0),
                    slot.eq(0),
                    x_out.eq(0),
                    sc_now.eq(0),
                    sc_word.eq(i.sc_base),
                    sc_groups.eq(0),
                    sc_step.eq(0),
                    sc_byte.eq(i.sc_byte),
                    words_left.eq(i.n_k),
                    cells_left.eq(STATE_CELLS),
                    *(statement for lv in LEVELS for statement in restart(lv)),
                ]
                with m.If(i.op == Op.HALT):
                    m.next = "HALT"
                with m.Elif(i.op == Op.TABLE):
                    m.next = "TABLE"
                with m.Elif(i.n_par != 0):
                    m.next = "PAR"
                with m.Else():
                    m.next = "RUN"
            with m.State("TABLE"):
                m.d.comb += [
                    loader.load.eq(cells_left == STATE_CELLS),
                    loader.run.eq(cells_left != STATE_CELLS),
                ]
                m.d.sync += cells_left.eq(cells_left - 1)
                with m.If(cells_left == 0):
                    m.d.sync += [fetch.eq(0), drain.eq(0)]
                    m.next = "FETCH"
            with m.State("PAR"):
                m.d.comb += par_issue.eq((swap == 0) | (par != 0))
                with m.If(par_issue):
                    m.d.sync += par.eq(par + 1)
                    with m.If(par + 1 == i.n_par):
                        m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If(end):
                    m.d.sync += [
                        drain.eq(
                            Mux(
                                i.spread & i.leak,
                                timing.drain_cycles(cfg, True),
                                timing.drain_cycles(cfg),
                            )
                        ),
                        fetch.eq(0),
                    ]
                    m.next = "FETCH"
                with m.Elif(column_end & (i.n_par != 0)):
                    m.next = "PAR"
            with m.State("HALT"):
                m.d.sync += self.done.eq(1)
                m.next = "IDLE"
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        with m.If(self.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)

        # ---- what leaves
        left, right = Signal(), Signal()

        def within(position, remaining, tap, back, twice):
            """Whether tap ``tap - back`` of ``position`` is inside, ``remaining`` to the end."""
            near = Signal(2)  # position, 3 if more
            first = Signal(3)
            lack = Signal(3)
            m.d.comb += [
                near.eq(position[:2] | position[2:].any().replicate(2)),
                first.eq(near << twice),
                lack.eq(back - tap[:2]),
            ]
            before = tap < back
            ahead = (tap - back)[:4]
            return Mux(before, first >= lack, remaining[4:].any() | (remaining[:4] > ahead))

        side = Signal(8)  # index of the horizontal shift
        last_group = wrap["dy"] & (i.mean_mask != 0)
        w = self.word
        m.d.comb += [
            side.eq(idx["dx"] >> (i.taps == Taps.POOL)),
            left.eq((i.shift_left != 0) & (side == 0) & ~sc_now),
            right.eq((side == i.shift_left + 1) & (i.taps != Taps.STRIDE) & ~sc_now),
            w.edge.eq((i.taps == Taps.STRIDE) & i.odd_w & idx["dx"][1]),
            w.sc.eq(sc_now),
            w.sc_byte.eq(sc_byte),
            w.valid.eq(issue),
            w.par.eq(par_issue),
            w.par_index.eq(par),
            w.half.eq(half),
            w.row_addr.eq(Mux(sc_now, sc_addr, row_addr)),
            w.col_addr.eq(Mux(par_issue, par_addr + par, col_addr)),
            w.first.eq(opening & ~phase),
            w.last.eq(tile_words_done),
            w.new.eq(fresh),
            w.neg.eq(phase),
            w.left.eq(left),
            w.right.eq(right),
            w.dx0.eq(idx["dx"] == 0),
            w.y_ok.eq(within(idx["y"], y_left, idx["dy"], i.pad_y, i.y_twice)),
            w.x_ok.eq(within(idx["x"], x_left, idx["dx"], i.shift_left, i.x_twice)),
            w.k.eq(idx["k"]),
            w.x_zero.eq(idx["x"] == 0),
            w.x_left.eq(x_left),
            w.second.eq(idx["h"][0]),
            w.sum_ok.eq(~last_group | (idx["k"] < i.mean_mask)),
        ]
        tag: Any = Signal(Tag)
        m.d.comb += self.tag.eq(tag)
        m.d.sync += [
            tag.valid.eq(tile_words_done),
            tag.half.eq(half),
            tag.new.eq(fresh),
            tag.final.eq(wrap["j"]),
            tag.t.eq(idx["t"]),
            tag.start.eq(idx["t"] == 0),
            tag.n_valid.eq(Mux(one, 1, n_valid)),
            tag.nb.eq(nb),
            tag.addr.eq(wcol + groups + wt),
            tag.slot.eq(slot),
            tag.res.eq(rcol + rgroups + idx["t"]),
            tag.x_out.eq(x_out),
        ]
        return m
