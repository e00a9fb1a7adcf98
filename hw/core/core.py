"""The core: wiring of memories, sequencer, array, lanes and write-back."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS, STATE_BITS
from hw.arch.isa import CENTRES, OVERLAYS, Dest, Keep, Mod, Op
from hw.arch.memmap import Mem
from hw.core.array import SystolicArray
from hw.core.lane import Lane
from hw.core.pipe import chain, delay
from hw.core.pool import PoolUnit
from hw.core.rowread import RowRead
from hw.core.sequencer import ADDR, Sequencer
from hw.core.shortcut import ShortcutRead
from hw.core.state import CODE_BITS, StateTable, StateThreshold
from hw.core.writeback import WriteBack, event_pacer

EXPAND = 4  #: Distance from tau to the row event of row 0.


class Core(wiring.Component):
    """A whole accelerator: image in, logits out.

    Parameters
    ----------
    config : Config
    program : object with ``words`` (ints, program memory) and ``columns`` (array [C, n, W/32] of
        32-bit parts), or None: initial contents of program and column memory.
    trace : bool
        Adds ``t_*`` outputs: every write of row, column, residual and pixel memory, and (mem) of
        membrane codes, two bytes of each lane's word.
    target : 'generic' or 'xc7' (instantiated LUT6_2 and DSP48E1).

    Members
    -------
    start : In(1), one pulse while not busy. busy, done : Out(1). cycles : Out(32).
    load_valid, load_addr (hw.arch.memmap), load_data : In, a write a cycle while not busy;
        it lands two cycles later.
    peek_addr : In(16), peek_data : Out(18), pixel memory, one cycle later, while not busy.
    """

    start: Any
    busy: Any
    done: Any
    cycles: Any
    load_valid: Any
    load_addr: Any
    load_data: Any
    peek_addr: Any
    peek_data: Any
    t_row_en: Any
    t_row_addr: Any
    t_row_data: Any
    t_col_en: Any
    t_col_addr: Any
    t_col_data: Any
    t_res_en: Any
    t_res_addr: Any
    t_res_data: Any
    t_pix_en: Any
    t_pix_addr: Any
    t_pix_data: Any
    t_mem_en: Any
    t_mem_addr: Any
    t_mem_data: Any

    def __init__(
        self, config: Config, program=None, *, trace: bool = False, target: str = "generic"
    ):
        self.config, self.program, self.trace, self.target = config, program, trace, target
        r, c, w = config.rows, config.cols, config.width
        ports = {
            "start": In(1),
            "busy": Out(1),
            "done": Out(1),
            "cycles": Out(32),
            "load_valid": In(1),
            "load_addr": In(32),
            "load_data": In(32),
            "peek_addr": In(16),
            "peek_data": Out(signed(MEMBRANE_BITS)),
        }
        if trace:
            ports |= {
                "t_row_en": Out(r * w // 8),
                "t_row_addr": Out(r * ADDR),
                "t_row_data": Out(r * w),
                "t_col_en": Out(c * w // 8),
                "t_col_addr": Out(c * ADDR),
                "t_col_data": Out(c * w),
                "t_res_en": Out(2 * c),
                "t_res_addr": Out(c * ADDR),
                "t_res_data": Out(c * MEMBRANE_BITS),
                "t_pix_en": Out(1),
                "t_pix_addr": Out(ADDR),
                "t_pix_data": Out(MEMBRANE_BITS),
                "t_mem_en": Out(2 * c),
                "t_mem_addr": Out(c * ADDR),
                "t_mem_data": Out(2 * CODE_BITS * c),
            }
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        cfg = self.config
        n, cols, width = cfg.rows, cfg.cols, cfg.width
        parts, log_r = width // 32, n.bit_length() - 1
        block = {"ram_style": "block"}

        m.submodules.seq = seq = Sequencer(cfg)
        m.submodules.rowread = rowread = RowRead(cfg)
        m.submodules.array = array = SystolicArray(cfg, target=self.target)
        m.submodules.pool = pool = PoolUnit(cfg)
        m.submodules.back = back = WriteBack(cfg)
        lanes = []
        for c in range(cols):
            m.submodules[f"lane_{c}"] = lane = Lane(cfg, target=self.target)
            lanes.append(lane)
        i, word, tag = seq.insn, seq.word, seq.tag
        m.d.comb += [
            seq.start.eq(self.start),
            self.busy.eq(seq.busy),
            self.done.eq(seq.done),
            self.cycles.eq(seq.cycles),
        ]

        # Early fields that are still needed while the pipeline drains.
        gemm, mac, mean, pooling, per_step, spread = (
            Signal(name=s) for s in ("gemm", "mac", "mean", "pooling", "per_step", "spread")
        )
        w_gs, w_t, w_half, res_gs, st_base = (
            Signal(ADDR),
            Signal(ADDR),
            Signal(ADDR),
            Signal(8),
            Signal(ADDR),
        )
        split = Signal()
        n_spread = Signal(4)
        with m.If(seq.setup):
            m.d.sync += [
                gemm.eq(i.op == Op.GEMM),
                mac.eq(i.op == Op.MAC),
                mean.eq(i.op == Op.MEAN),
                pooling.eq(i.op == Op.POOL),
                per_step.eq(i.factor_per_step),
                spread.eq(i.spread),
                n_spread.eq(i.n_spread),
                w_gs.eq(i.w_gs),
                w_t.eq(i.w_t),
                res_gs.eq(i.res_gs),
                w_half.eq(i.w_half),
                split.eq(i.w_mod == Mod.PAIR),
                st_base.eq(i.st_base),
            ]
        slow = spread & i.leak
        # Membranes in memory count from the first run after a reset or a write to CTRL.
        remembering, forget = Signal(), Signal()

        # ---- load port
        load = {
            k: delay(m, s, 1, name=k)
            for k, s in (("load_addr", self.load_addr), ("load_data", self.load_data))
        }
        load_valid = delay(m, self.load_valid & ~seq.busy, 1, name="load_valid", reset=True)
        load_word, load_part = load["load_addr"][:16], load["load_addr"][16:20]
        load_bank, load_mem = load["load_addr"][20:27], load["load_addr"][27:30]

        def hit(mem):
            return load_valid & (load_mem == mem)

        def bytes_of_part():
            return Cat((load_part == p).replicate(4) for p in range(parts))

        with m.If(hit(Mem.CTRL)):
            m.d.sync += remembering.eq(0)
        with m.Elif(seq.setup & (i.op == Op.HALT)):
            m.d.sync += remembering.eq(1)
        m.d.comb += forget.eq(~remembering)

        m.submodules.prog = prog = memory.Memory(
            shape=32,
            depth=cfg.prog_depth,
            attrs=block,
            init=[] if self.program is None else [int(v) for v in self.program.words],
        )
        pw, pr = prog.write_port(), prog.read_port()
        m.d.comb += [
            pw.addr.eq(load_word),
            pw.data.eq(load["load_data"]),
            pw.en.eq(hit(Mem.PROG)),
            pr.addr.eq(seq.prog_addr),
            seq.prog_data.eq(pr.data),
        ]

        # ---- row memory
        m.d.comb += [
            rowread.word.eq(word),
            rowread.pack.eq(i.pack),
            rowread.slot_bytes_log2.eq(i.slot_bytes_log2),
            rowread.gs.eq(i.row_gs),
        ]
        for b in range(n):
            mem = memory.Memory(shape=width, depth=cfg.row_depth, init=[], attrs=block)
            m.submodules[f"row_{b}"] = mem
            wp, rp = mem.write_port(granularity=8), mem.read_port()
            loading = hit(Mem.ROW) & (load_bank == b)
            m.d.comb += [
                rp.addr.eq(rowread.addr[b]),
                rowread.data[b].eq(rp.data),
                array.rows[b].eq(rowread.rows[b]),
                pool.rows[b].eq(rowread.rows[b]),
                wp.addr.eq(Mux(load_valid, load_word, back.row_addr[b])),
                wp.data.eq(Mux(load_valid, load["load_data"].replicate(parts), back.row_data[b])),
                wp.en.eq(Mux(loading, bytes_of_part(), back.row_en[b])),
            ]

        # ---- column memory: addresses move from bank to bank
        near = delay(m, word.col_addr, timing.ELEMENT_IN - 2, name="col_near")
        far = delay(m, near, timing.S_READY - 1 - (timing.ELEMENT_IN - 2), name="col_far")
        col_addr = chain(m, Mux(gemm, near, far), cols, name="col_addr")
        col_data = []
        for c in range(cols):
            init = []
            if self.program is not None:
                init = [
                    sum(int(v) << (32 * p) for p, v in enumerate(parts_))
                    for parts_ in self.program.columns[c].tolist()
                ]
            mem = memory.Memory(shape=width, depth=cfg.col_depth, init=init, attrs=block)
            m.submodules[f"col_{c}"] = mem
            wp, rp = mem.write_port(granularity=8), mem.read_port()
            loading = hit(Mem.COL) & (load_bank == c)
            m.d.comb += [
                rp.addr.eq(col_addr[c]),
                array.cols[c].eq(rp.data),
                wp.addr.eq(Mux(load_valid, load_word, back.col_addr[c])),
                wp.data.eq(Mux(load_valid, load["load_data"].replicate(parts), back.col_data[c])),
                wp.en.eq(Mux(loading, bytes_of_part(), back.col_en[c])),
            ]
            col_data.append(rp.data)

        # ---- pixel memory
        m.submodules.pix = pix = memory.Memory(
            shape=signed(MEMBRANE_BITS), depth=cfg.pix_depth, init=[], attrs=block
        )
        xw, xr = pix.write_port(), pix.read_port()
        m.d.comb += [
            xr.addr.eq(Mux(seq.busy, word.row_addr, self.peek_addr)),
            self.peek_data.eq(xr.data),
            xw.addr.eq(Mux(load_valid, load_word, back.pix_addr)),
            xw.data.eq(
                Mux(load_valid, load["load_data"][:MEMBRANE_BITS].as_signed(), back.pix_data)
            ),
            xw.en.eq(hit(Mem.PIX) | back.pix_en),
        ]
        tap = delay(m, word.valid & word.x_ok & word.y_ok & (i.op == Op.MAC), 1, name="tap")
        centre = Signal(signed(16), reset_less=True)
        over = {f.name: f.over for f in OVERLAYS}
        names = (f"centre{k}" for k in range(CENTRES))
        centres = [i[over.get(name, name)].as_signed() for name in names]
        m.d.sync += centre.eq(Choice(centres)[word.k[: CENTRES.bit_length() - 1]])
        pixel = Signal(signed(MEMBRANE_BITS), reset_less=True)
        with m.If(tap):
            m.d.sync += pixel.eq((xr.data << i.pix_shift) - centre)
        with m.Else():
            m.d.sync += pixel.eq(0)
        pixel_side = delay(m, pixel, timing.S_READY - 2, name="pixel")

        # ---- row events: one per row of a tile (or step, or sum)
        waiting = {
            f: delay(m, getattr(tag, f), EXPAND - 2, name=f"tag_{f}", reset=f == "valid")
            for f in ("valid", "half", "new", "t", "start", "n_valid", "nb", "res")
        }
        held = {f: Signal(s.shape(), name=f"event_{f}") for f, s in waiting.items()}
        active, count = Signal(), Signal(4)
        last = Signal(4)
        m.d.comb += last.eq(Mux(gemm | pooling, n - 1, Mux(spread, n_spread, 0)))
        due, pause = event_pacer(m, active, slow)
        with m.If(due):
            m.d.sync += count.eq(count + 1)
            with m.If(count == last):
                m.d.sync += active.eq(0)
        with m.If(waiting["valid"]):
            m.d.sync += [
                active.eq(1),
                count.eq(0),
                pause.eq(0),
                *(held[f].eq(waiting[f]) for f in held),
            ]
        row = Signal(range(n))
        offset = Signal(range(2 * n))
        first_event = count == 0
        m.d.comb += [row.eq(Mux(spread, 0, count)), offset.eq(held["nb"][:log_r] + row)]
        group = held["res"] + Mux(offset[log_r], res_gs, 0)
        events = {
            "row": row,
            "use": Cat(Mux(per_step, held["t"], 0), held["half"]),
            "swap": due & held["new"] & first_event & gemm,
            "load": due & (first_event | ~spread),
            "fire": due & (gemm | mac),
            "start": Mux(spread, first_event, held["start"]) & ~i.persist,
            "store": due & (row < held["n_valid"]) & (i.keep != Keep.NONE),
            "res": Cat(offset[:log_r], group[: ADDR - log_r]),
            "code": Cat(offset[:log_r], (group + st_base)[: ADDR - log_r]),
            "code_keep": due & (row < held["n_valid"]) & i.persist,
        }
        moments: dict = {}

        def event(name: str, at: int):
            """Return field ``name`` of the row event at distance ``at`` (+ r) from tau."""
            if at == EXPAND:
                return events[name]
            if (name, at) not in moments:
                moments[name, at] = delay(m, event(name, at - 1), 1, name=f"{name}_{at}")
            return moments[name, at]

        def per_lane(value, name):
            return chain(m, value, cols, name=f"lane_{name}")

        # ---- array, pool
        ready = timing.S_READY
        m.d.comb += [
            array.first.eq(word.first),
            array.neg.eq(word.neg),
            array.row_ones.eq(event("row", timing.ACC - 1)),
            array.row_sel.eq(event("row", timing.ACC)),
            pool.first.eq(word.first),
            pool.left.eq(word.left),
            pool.row.eq(event("row", timing.ROW_READ + 2)),
        ]

        # ---- lanes
        pops = Signal(signed(cfg.acc_bits + 1), reset_less=True)
        m.d.sync += pops.eq(Mux(gemm & i.rowpop, -array.pops, 0))
        side = per_lane(Mux(mac, pixel_side, delay(m, pops, 1, name="pops")), "side")
        sums = {
            name: delay(m, value, ready, name=f"word_{name}")
            for name, value in (
                ("open", word.valid & word.first),
                ("swap", word.valid & word.first & word.new),
                ("use", Cat(Const(0, 4), word.half)),
                ("a", word.valid & word.sum_ok & ~word.second),
                ("b", word.valid & word.sum_ok & word.second),
            )
        }
        use = per_lane(Mux(gemm, event("use", ready), sums["use"]), "use")
        swap = per_lane(Mux(gemm, event("swap", ready), sums["swap"]), "swap")
        first = per_lane(gemm | delay(m, sums["open"], 1, name="open"), "first")
        mean_a = per_lane(mean & sums["a"], "mean_a")
        mean_b = per_lane(mean & sums["b"], "mean_b")
        par = Cat(word.par, word.par_index, word.half)
        par_near = delay(m, par, timing.ELEMENT_IN - 1, name="par_near")
        par_far = delay(m, par_near, ready - (timing.ELEMENT_IN - 1), name="par_far")
        par_at = per_lane(Mux(gemm, par_near, par_far), "par")
        m.submodules.shortcuts = shortcuts = ShortcutRead(cfg)
        m.d.comb += [
            shortcuts.take.eq(word.sc),
            shortcuts.byte.eq(word.sc_byte),
            *(shortcuts.data[r].eq(rowread.data[r]) for r in range(n)),
        ]
        load_x = per_lane(event("load", timing.PRODUCT), "load")
        sum_addr = delay(m, word.row_addr, ready - 1, name="sum_addr")
        read_b = Mux(mean, sum_addr, event("res", timing.PRODUCT - 1))
        res_read = [None, per_lane(read_b, "res_read")]
        codes = bool(cfg.state_bits)
        if codes:

            def word_of(index):
                """Return the word of buffer A that holds code ``index``."""
                return Choice([index >> 3, index >> 2, index >> 1])[i.state_bits]

            code_at, code_into = event("code", timing.PRODUCT), event("code", timing.STATE_WRITE)
            res_read[0] = per_lane(
                Mux(i.persist, word_of(event("code", timing.PRODUCT - 1)), read_b), "mem_read"
            )
            code_at = per_lane(code_at[:3], "code_at")
            pick = per_lane(Cat(event("fire", timing.X), event("row", timing.X)), "pick")
            code_half = Choice([code_into[2], code_into[1], code_into[0]])[i.state_bits]
            code_write = per_lane(
                Cat(
                    code_into[:2] & Choice([3, 1, 0])[i.state_bits],
                    code_half,
                    event("code_keep", timing.STATE_WRITE),
                ),
                "code_write",
            )
            mem_write = per_lane(word_of(code_into), "mem_write")
        else:
            res_read[0] = res_read[1]
        fire = per_lane(
            Cat(event("fire", timing.Y), event("start", timing.Y), event("row", timing.Y)), "fire"
        )
        store = per_lane(event("store", timing.Y), "store")
        res_write = per_lane(event("res", timing.Y), "res_write")
        on_bus = per_lane(event("load", timing.X) & (i.dest == Dest.PIX), "on_bus")
        spikes, bus, res_en = [], [], [[], []]
        table: Any = None
        mem_en = Signal(2 * cols)
        for c, lane in enumerate(lanes):
            m.d.comb += [
                lane.mode.gemm.eq(gemm),
                lane.mode.mac.eq(mac),
                lane.mode.double.eq(i.double),
                lane.mode.soft.eq(i.soft),
                lane.mode.res.eq(i.res),
                lane.mode.shift.eq(i.shift),
                lane.mode.theta.eq(i.theta),
                lane.mode.keep.eq(i.keep),
                lane.mode.sc_value.eq(i.sc_value),
                lane.mode.leak.eq(i.leak),
                lane.mode.state_shift.eq(i.state_shift),
                lane.mode.state_bits.eq(i.state_bits),
                lane.mode.persist.eq(i.persist),
                lane.sc.eq(delay(m, shortcuts.o[c], c, name=f"sc_{c}")),
                lane.acc.eq(array.accs[c]),
                lane.side.eq(side[c]),
                lane.col.eq(col_data[c][:32]),
                Cat(lane.par_we, lane.par_index, lane.par_half).eq(par_at[c]),
                lane.use.eq(use[c]),
                lane.swap.eq(swap[c]),
                lane.first.eq(first[c]),
                lane.mean_a.eq(mean_a[c]),
                lane.mean_b.eq(mean_b[c]),
                lane.load.eq(load_x[c]),
                Cat(lane.fire, lane.start, lane.row).eq(fire[c]),
            ]
            if codes:
                if c % 2 == 0:
                    one = cfg.state_bits == min(STATE_BITS)
                    m.submodules[f"table_{c}"] = table = StateThreshold() if one else StateTable()
                    m.d.comb += table.write.eq(seq.table)
                m.d.comb += [table.cell[c % 2].eq(lane.cell), lane.entry.eq(table.entry[c % 2])]
                m.d.comb += [
                    lane.code_at.eq(code_at[c]),
                    lane.forget.eq(forget),
                    Cat(lane.pick, lane.pick_row).eq(pick[c]),
                    lane.code_into.eq(code_write[c][:2]),
                    lane.code_keep.eq(code_write[c][3]),
                ]
            for k, port in enumerate((lane.res_a, lane.res_b)):
                spikes_only = cfg.res_bits == 1
                mem = memory.Memory(
                    shape=cfg.res_bits,
                    depth=cfg.res_depth,
                    init=[],
                    attrs={"ram_style": "distributed"} if spikes_only else block,
                )
                m.submodules[f"res_{'ab'[k]}_{c}"] = mem
                shared = codes and k == 0 and not spikes_only  # with codes, written by halves
                wp = mem.write_port(granularity=MEMBRANE_BITS // 2 if shared else None)
                rp = mem.read_port()
                keep = store[c] & (i.res_dest == k)
                m.d.comb += [
                    rp.addr.eq(res_read[k][c]),
                    port.eq(rp.data),
                    wp.addr.eq(res_write[c]),
                    wp.data.eq(lane.kept),
                    wp.en.eq(keep.replicate(len(wp.en))),
                ]
                if shared:
                    half, writing = code_write[c][2], code_write[c][3]
                    m.d.comb += mem_en[2 * c : 2 * c + 2].eq(Cat(writing & ~half, writing & half))
                    with m.If(i.persist):
                        m.d.comb += [
                            wp.addr.eq(mem_write[c]),
                            wp.en.eq(mem_en[2 * c : 2 * c + 2]),
                            wp.data.eq(Cat(lane.code, Const(0, 1), lane.code, Const(0, 1))),
                        ]
                res_en[k].append(keep)
            spikes.append(delay(m, lane.spike, cols - 1 - c, name=f"spike_{c}"))
            bus.append(lane.x & on_bus[c].replicate(MEMBRANE_BITS))
        x_bus = bus[0]
        for value in bus[1:]:
            x_bus = x_bus | value
        gathered = Signal(signed(MEMBRANE_BITS), reset_less=True)
        m.d.sync += gathered.eq(x_bus)

        # ---- write-back
        write = timing.write_cycle(cfg) - 1  # row 0's spikes complete
        assert write == timing.SPIKE + cols - 1
        late = {
            f: delay(m, getattr(tag, f), write - 2, name=f"late_{f}", reset=f == "valid")
            for f in ("valid", "final", "t", "n_valid", "nb", "addr", "slot", "x_out")
        }
        m.d.comb += [
            *(getattr(back.tag, f).eq(s) for f, s in late.items()),
            back.mode.dest.eq(i.dest),
            back.mode.pool.eq(pooling),
            back.mode.spread.eq(spread),
            back.mode.n_spread.eq(n_spread),
            back.mode.gs.eq(w_gs),
            back.mode.t.eq(w_t),
            back.mode.lanes.eq(i.lanes),
            back.mode.pack.eq(i.w_pack),
            back.mode.slot_log2.eq(i.w_slot_log2),
            back.mode.chan_gs.eq(i.w_chan_gs),
            back.mode.img_w.eq(i.w_img_w),
            back.mode.split.eq(split),
            back.mode.half.eq(w_half),
            back.mode.slow.eq(slow),
            back.spikes.eq(Cat(*spikes)),
            back.pooled.eq(delay(m, pool.o, write - timing.ROW_READ - 3, name="pooled")),
            back.x.eq(delay(m, gathered, write - timing.X - 1, name="gathered")),
        ]

        if self.trace:
            on = seq.busy
            m.d.comb += [
                self.t_row_en.eq(Cat(*back.row_en) & on.replicate(n * width // 8)),
                self.t_row_addr.eq(Cat(*back.row_addr)),
                self.t_row_data.eq(Cat(*back.row_data)),
                self.t_col_en.eq(Cat(*back.col_en) & on.replicate(cols * width // 8)),
                self.t_col_addr.eq(Cat(*back.col_addr)),
                self.t_col_data.eq(Cat(*back.col_data)),
                self.t_res_en.eq(Cat(*res_en[0], *res_en[1])),
                self.t_res_addr.eq(Cat(a[:ADDR] for a in res_write)),
                self.t_res_data.eq(Cat(lane.kept for lane in lanes)),
                self.t_pix_en.eq(back.pix_en & on),
                self.t_pix_addr.eq(back.pix_addr),
                self.t_pix_data.eq(back.pix_data),
                self.t_mem_en.eq(mem_en),
            ]
            if codes:
                m.d.comb += [
                    self.t_mem_addr.eq(Cat(Value.cast(a)[:ADDR] for a in mem_write)),
                    self.t_mem_data.eq(Cat(Cat(x.code, x.code) for x in lanes)),
                ]
        return m
