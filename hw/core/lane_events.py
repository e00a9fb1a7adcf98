"""Lane events: what lane 0 is told in each cycle, and hands to the lane after it."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS, SHIFTS
from hw.arch.isa import Dest, Keep
from hw.core.affine import MEAN_NAMES, pixel_names
from hw.core.code_events import CODE_FIELDS, code_events
from hw.core.events import EXPAND, row_event
from hw.core.mixer import Source
from hw.core.modes import Early
from hw.core.pipe import Pipeline, delay
from hw.core.shift import unit_shape
from hw.core.words import ADDR, MEAN_BIAS, MEAN_FACTOR, Word, instruction_layout


def lane_event(config: Config) -> data.StructLayout:
    """Return the struct that goes from lane to lane; each field at its own time for row 0.

    The times are distances from tau (timing.NAME), or for MAC and MEAN from a word's issue:
    ``side`` (what is added to the array's sum), ``use``, ``swap`` at S_READY, ``first`` one
    later; ``par_*`` as the parameter word comes from the column bank, or, as if it were one, a
    MAC's weight at S_READY - 1; ``source`` and ``adds`` (what r is, and whether it is that) at
    PICKED, or of a MEAN at S_READY - 1; ``unit`` (whose sum is taken) and ``shut`` (the shifts
    that it does not take) at PRODUCT; ``read_b`` at PICKED - 2; ``load`` and ``takes`` (x of the
    row is new) at PICKED; ``on_bus`` (x is collected) at X; ``fire``, ``start``, ``row``,
    ``store`` and ``res_write`` (address) at Y. A core that sums means has what their unit is told
    (`hw.core.affine`): in a MAC as all units; else ``factor_1`` two cycles after the factor's
    word, ``bias_1`` one after the bias', ``first_1`` and ``adds_1`` at Y + 2. One that stores
    membranes has the fields of codes too, one of several pixels ``pixel_u``, of unit u, at
    ``timing.pixel_cycle``.
    """
    row = (config.rows - 1).bit_length()
    members: dict[str, Any] = {
        "side": signed(MEMBRANE_BITS),
        "par_bias": 1,
        "par_factor": 1,
        "par_entry": 5,
        "use": 5,
        "swap": 1,
        "first": 1,
        "source": Source,
        "adds": 1,
        "read_b": ADDR,
        **dict.fromkeys(pixel_names(config), signed(MEMBRANE_BITS)),
        "unit": unit_shape(config.lane_units),
        "shut": len(SHIFTS),
        "load": 1,
        "takes": 1,
        "on_bus": 1,
        "fire": 1,
        "start": 1,
        "row": row,
        "store": 1,
        "res_write": ADDR,
    }
    if config.means:
        members |= dict.fromkeys(MEAN_NAMES, 1)
    if config.state_bits:
        members |= CODE_FIELDS | {"put_row": row}
    return data.StructLayout(members)


class _Sums(data.Struct):
    """What a word means to lanes that sum by themselves (MAC, MEAN)."""

    opens: unsigned(1)
    swap: unsigned(1)
    use: unsigned(5)
    a: unsigned(1)
    b: unsigned(1)


class _Parameter(data.Struct):
    """A parameter word, for the lane whose column bank reads it."""

    par_bias: unsigned(1)
    par_factor: unsigned(1)
    par_entry: unsigned(5)  #: Half and step.


class LaneEvents(wiring.Component):
    """Makes the events of lane 0 of row events (GEMM, POOL) and of issued words (MAC, MEAN).

    Latency: none of its own; each field comes at its time. Throughput: an event a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    insn : In(instruction_layout()), late fields. early : In(Early).
    word : In(Word), at 0.
    peek : In(1), a residual word is read from outside, which address : In(ADDR) tells; of a MEAN's
        words that is ``word.row_addr``.
    row : In(row_event(config, config.rows)), at EXPAND + r.
    pops : In(signed(acc_bits)), popcount of the row, at ACC - 1 + r.
    pixel : In(signed 18), tile_pixels times, unit u's at ``timing.pixel_cycle`` from the issue.
    event : Out(lane_event(config)), of lane 0.
    """

    insn: Any
    early: Any
    word: Any
    peek: Signal
    address: Signal
    row: Any
    pops: Signal
    pixel: Any
    event: Any

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "insn": In(instruction_layout()),
                "early": In(Early),
                "word": In(Word),
                "peek": In(1),
                "address": In(ADDR),
                "row": In(row_event(config, config.rows)),
                "pops": In(signed(config.acc_bits)),
                "pixel": In(signed(MEMBRANE_BITS)).array(config.tile_pixels),
                "event": Out(lane_event(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        i, early, e = self.insn, self.early, self.event
        rows = Pipeline(m, self._row(m), EXPAND, name="row")
        sums = Pipeline(m, self._sums(m), 0, name="sum")
        self._parameter(m)
        gemm, start, end = early.gemm, timing.S_READY, timing.Y
        pops = Signal(signed(self.config.acc_bits + 1))
        m.d.comb += pops.eq(Mux(gemm & i.rowpop, -self.pops, 0))
        pops = Pipeline(m, pops, timing.ACC - 1, name="pops").at(start)
        address = Pipeline(m, self.address, 0, name="sum_addr").at(start - 3)
        told = delay(m, early.mean | self.peek, 1, name="told")  # what is read, as an address
        m.d.comb += [
            e.side.eq(Mux(early.mac, self.pixel[0], pops)),
            *(e[n].eq(self.pixel[u]) for u, n in enumerate(pixel_names(self.config), 1)),
            e.use.eq(Mux(gemm, rows.at(start).use, sums.at(start).use)),
            e.swap.eq(Mux(gemm, rows.at(start).swap, sums.at(start).swap)),
            e.first.eq(gemm | sums.at(start + 1).opens),
            e.read_b.eq(Mux(told, address, rows.at(timing.PICKED - 2).res)),
            e.unit.eq(rows.at(timing.PRODUCT).unit),
            e.load.eq(rows.at(timing.PICKED).load),
            e.takes.eq(rows.at(timing.PICKED).takes),
            e.on_bus.eq(rows.at(timing.X).load & (i.dest == Dest.PIX) | rows.at(timing.X).mean),
            e.fire.eq(rows.at(end).fire),
            e.start.eq(rows.at(end).start),
            e.row.eq(rows.at(end).row),
            e.store.eq(rows.at(end).store),
            e.res_write.eq(rows.at(end).res),
        ]
        self._choices(m, rows, sums)
        if self.config.means:
            self._means(m, rows, sums)
        if self.config.state_bits:
            code_events(m, self.config, self.insn, self.early.st_base, self.peek, rows, e)
        return m

    def _choices(self, m: Module, rows: Pipeline, sums: Pipeline) -> None:
        """What r is made of, and the shift: chosen once, instead of in every lane."""
        i, early, e = self.insn, self.early, self.event
        word = sums.at(timing.S_READY - 1)
        shift = Mux(rows.at(timing.PRODUCT).mean, i.mean_shift, i.shift)
        m.d.comb += [
            e.shut.eq(~(1 << shift)),
            e.source.eq(Choice([Source.A, Source.VALUE, Source.B, Source.BOTH])[i.res]),
            e.adds.eq(i.res[1]),
        ]
        with m.If(early.mean):
            m.d.comb += [
                e.source.eq(Mux(word.b, Source.B, Source.A)),
                e.adds.eq(word.a | word.b),
            ]

    def _means(self, m: Module, rows: Pipeline, sums: Pipeline) -> None:
        """Unit 1 is told what it does for a mean, or in a MAC what a unit does for a pixel."""
        mac, e, word = self.early.mac, self.event, self.word
        bias, factor = (
            Pipeline(m, word.par & (word.par_index == index), 0, name=f"par_mean_{name}")
            for name, index in (("bias", MEAN_BIAS), ("factor", MEAN_FACTOR))
        )
        kept = rows.at(timing.Y + 2)
        m.d.comb += [
            e.bias_1.eq(Mux(mac, sums.at(timing.S_READY).swap, bias.at(timing.ELEMENT_IN + 1))),
            e.factor_1.eq(mac | factor.at(timing.ELEMENT_IN + 2)),
            e.first_1.eq(Mux(mac, sums.at(timing.S_READY + 2).opens, kept.swap)),
            e.adds_1.eq(mac | kept.adds),
        ]

    def _row(self, m: Module) -> Any:
        """Return a row event in the lanes' words, at EXPAND + r."""
        log_r = self.config.rows.bit_length() - 1
        i, early, row, tag = self.insn, self.early, self.row, self.row.tag
        layout = {
            "row": (self.config.rows - 1).bit_length(),
            "use": 5,
            "swap": 1,  #: The first row of a column tile: the bias changes.
            "unit": unit_shape(self.config.lane_units),  #: Whose sum is x.
            "load": 1,  #: x takes it,
            "takes": 1,  #: or, where this is 0, what it was of the row before.
            "fire": 1,
            "start": 1,
            "store": 1,
            "res": ADDR,  #: Residual word of the row.
            "adds": 1,  #: What is kept of the row adds to the mean.
            "mean": 1,  #: No row, but the column tile's mean.
        }
        if self.config.state_bits:
            layout |= {"code_keep": 1}
        out: Any = Signal(data.StructLayout(layout))
        valid = row.due & (row.row < tag.n_valid)
        if self.config.means:
            last = self.config.rows - 1
            closing = row.due & (row.count == last) & tag.closes & (i.mean != 0)
            wait = timing.mean_row(self.config) - last
            m.d.comb += out.mean.eq(delay(m, closing, wait, name="closing", reset=True))
        offset = Signal(range(2 * self.config.rows))
        group = tag.res + Mux(offset[log_r], early.res_gs, 0)
        m.d.comb += [
            offset.eq(Mux(early.fused, 0, tag.nb[:log_r]) + row.row),  # nb: of after the pool
            out.row.eq(row.row),
            out.use.eq(Cat(Mux(early.per_step, tag.t, 0), tag.half)),
            out.swap.eq(row.due & tag.new & row.opens & early.gemm),
            out.unit.eq(Mux(early.mac, row.row, out.mean)),
            out.load.eq(row.due & (row.first | (self.config.tile_pixels > 1)) | out.mean),
            out.adds.eq(valid & (i.mean != 0)),
            out.takes.eq(row.due & row.first | out.mean),
            out.fire.eq(row.due & (early.gemm | early.mac)),
            out.start.eq(row.first & tag.start & ~i.persist),
            out.store.eq(valid & (i.keep != Keep.NONE)),
            out.res.eq(Cat(offset[:log_r], group[: ADDR - log_r])),
        ]
        if self.config.state_bits:
            m.d.comb += out.code_keep.eq(valid & i.persist)
        return out

    def _sums(self, m: Module) -> Any:
        """Return an issued word in the lanes' words, at 0."""
        word = self.word
        out: Any = Signal(_Sums)
        opens, adds = word.valid & word.first, word.valid & word.sum_ok
        m.d.comb += [
            out.opens.eq(opens),
            out.swap.eq(opens & word.new),
            out.use.eq(Cat(Const(0, 4), word.half)),
            out.a.eq(adds & ~word.second),
            out.b.eq(adds & word.second),
        ]
        return out

    def _parameter(self, m: Module) -> None:
        """Parameters follow the columns' words: early for the array, late for sums of the lanes."""
        word, e = self.word, self.event
        par: Any = Signal(_Parameter)
        weight = self.early.mac & word.valid
        mean_bias, mean_factor = (word.par_index == n for n in (MEAN_BIAS, MEAN_FACTOR))
        index = Signal(5)
        m.d.comb += [
            index.eq(word.par_index - 1),
            par.par_bias.eq(word.par & ((word.par_index == 0) | mean_bias)),
            par.par_factor.eq(
                weight | word.par & (word.par_index != 0) & ~mean_bias & ~mean_factor
            ),
            par.par_entry.eq(Cat(Mux(weight, 0, index[:4]), word.half)),
        ]
        moves = Pipeline(m, par, 0, name="par")
        near, far = moves.at(timing.ELEMENT_IN), moves.at(timing.S_READY - 1)
        for name, _ in _Parameter.as_shape():
            m.d.comb += e[name].eq(Mux(self.early.gemm, near[name], far[name]))
