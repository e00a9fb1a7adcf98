"""Lane events: what lane 0 is told in each cycle, and hands to the lane after it."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS
from hw.arch.isa import Dest, Keep
from hw.core.affine import pixel_names, unit_shape
from hw.core.events import EXPAND, row_event
from hw.core.modes import Early
from hw.core.pipe import Pipeline, delay
from hw.core.words import ADDR, MEAN_BIAS, MEAN_FACTOR, Word, instruction_layout

#: What a lane must know where membranes are stored as codes, beside the rest of `lane_event`.
_CODES = {
    "read_a": ADDR,  #: Address of buffer A, at PICKED - 2.
    "code_at": 3,  #: Place of the row's code in that word's bytes, in pairs of bits, at PICKED.
    "put": 1,  #: A code is the membrane of put_row: from memory at X, a new one at STATE_WRITE.
    "put_row": 0,
    "code_own": 4,  #: Pairs of bits of a byte that the new code takes, at STATE_WRITE,
    "code_below": 4,  #: and those below it.
    "code_half": 1,  #: Which byte of the word that is.
    "code_keep": 1,  #: It is written,
    "code_write": ADDR,  #: to this word of buffer A.
}


def lane_event(config: Config) -> data.StructLayout:
    """Return the struct that goes from lane to lane; each field at its own time for row 0.

    The times are distances from tau (timing.NAME), or for MAC and MEAN from a word's issue:
    ``side`` (what is added to the array's sum), ``use``, ``swap`` at S_READY, ``first`` one
    later, ``mean_a``, ``mean_b`` one earlier; ``par_*`` as the parameter word comes from the
    column bank, or, as if it were one, a MAC's weight at S_READY - 1;
    ``unit`` (whose sum is taken) at PRODUCT; ``read_b`` at PICKED - 2; ``load`` and ``again`` at
    PICKED; ``on_bus`` (x is collected) at X; ``fire``, ``start``, ``row``, ``store`` and
    ``res_write`` (address) at Y. A core that sums means has ``par_mean_*`` as its words come,
    ``adds`` and ``opens`` at Y + 1, and ``mean`` (x takes the mean) at PICKED; one that stores
    membranes the fields of codes too, one of several pixels ``pixel_u``, of unit u, at
    S_READY + u.
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
        "mean_a": 1,
        "mean_b": 1,
        "read_b": ADDR,
        **dict.fromkeys(pixel_names(config), signed(MEMBRANE_BITS)),
        "unit": unit_shape(config),
        "load": 1,
        "again": 1,
        "on_bus": 1,
        "fire": 1,
        "start": 1,
        "row": row,
        "store": 1,
        "res_write": ADDR,
    }
    if config.means:
        members |= {"adds": 1, "opens": 1, "mean": 1, "par_mean_bias": 1, "par_mean_factor": 1}
    if config.state_bits:
        members |= _CODES | {"put_row": row}
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
    row : In(row_event(config, config.rows)), at EXPAND + r.
    pops : In(signed(acc_bits)), popcount of the row, at ACC - 1 + r.
    pixel : In(signed 18), tile_pixels times, unit u's at S_READY + u from the issue.
    event : Out(lane_event(config)), of lane 0.
    """

    insn: Any
    early: Any
    word: Any
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
        address = Pipeline(m, self.word.row_addr, 0, name="sum_addr").at(start - 3)
        m.d.comb += [
            e.side.eq(Mux(early.mac, self.pixel[0], pops)),
            *(e[n].eq(self.pixel[u]) for u, n in enumerate(pixel_names(self.config), 1)),
            e.use.eq(Mux(gemm, rows.at(start).use, sums.at(start).use)),
            e.swap.eq(Mux(gemm, rows.at(start).swap, sums.at(start).swap)),
            e.first.eq(gemm | sums.at(start + 1).opens),
            e.mean_a.eq(early.mean & sums.at(start - 1).a),
            e.mean_b.eq(early.mean & sums.at(start - 1).b),
            e.read_b.eq(Mux(early.mean, address, rows.at(timing.PICKED - 2).res)),
            e.unit.eq(rows.at(timing.PRODUCT).unit),
            e.load.eq(rows.at(timing.PICKED).load),
            e.again.eq(rows.at(timing.PICKED).again),
            e.on_bus.eq(rows.at(timing.X).load & (i.dest == Dest.PIX) | rows.at(timing.X).mean),
            e.fire.eq(rows.at(end).fire),
            e.start.eq(rows.at(end).start),
            e.row.eq(rows.at(end).row),
            e.store.eq(rows.at(end).store),
            e.res_write.eq(rows.at(end).res),
        ]
        if self.config.means:
            m.d.comb += [
                e.adds.eq(rows.at(end + 1).adds),
                e.opens.eq(rows.at(end + 1).swap),
                e.mean.eq(rows.at(timing.PICKED).mean),
            ]
        if self.config.state_bits:
            self._codes(m, rows)
        return m

    def _row(self, m: Module) -> Any:
        """Return a row event in the lanes' words, at EXPAND + r."""
        log_r = self.config.rows.bit_length() - 1
        i, early, row, tag = self.insn, self.early, self.row, self.row.tag
        layout = {
            "row": (self.config.rows - 1).bit_length(),
            "use": 5,
            "swap": 1,  #: The first row of a column tile: the bias changes.
            "unit": unit_shape(self.config),  #: Whose sum is x.
            "load": 1,  #: x takes it,
            "again": 1,  #: or what it was of the row before.
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
            out.again.eq(~row.first & ~out.mean),
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
        if self.config.means:
            for name, mine in (("bias", mean_bias), ("factor", mean_factor)):
                mean = Pipeline(m, word.par & mine, 0, name=f"par_mean_{name}")
                m.d.comb += e[f"par_mean_{name}"].eq(mean.at(timing.ELEMENT_IN))

    def _codes(self, m: Module, rows: Pipeline) -> None:
        """Places of codes in residual buffer A, which holds two bytes of them a word."""
        i, e = self.insn, self.event

        def word_of(index):
            """Return the word of buffer A that holds code ``index``."""
            return Choice([index >> 3, index >> 2, index >> 1])[i.state_bits]

        log_r = self.config.rows.bit_length() - 1
        at = EXPAND + 1  # a register behind the residual word, whose number it shares
        res = rows.at(at).res
        code = Cat(res[:log_r], (res[log_r:] + self.early.st_base)[: ADDR - log_r])
        codes = Pipeline(m, code, at, name="code")  # number of the row's code in memory
        read, written = codes.at(timing.PICKED - 2), rows.at(timing.STATE_WRITE)
        into_code = codes.at(timing.STATE_WRITE)
        place, into = Signal(3), Signal(3)  # in a word's two bytes, in pairs of bits
        m.d.comb += [
            place.eq(codes.at(timing.PICKED)[:3] << i.state_bits),
            into.eq(into_code[:3] << i.state_bits),
            e.read_a.eq(Mux(i.persist, word_of(read), e.read_b)),
            e.code_at.eq(place),
            e.put.eq(Mux(i.persist, rows.at(timing.X).fire, written.fire)),
            e.put_row.eq(Mux(i.persist, rows.at(timing.X).row, written.row)),
            e.code_own.eq(Choice([1, 3, 15])[i.state_bits] << into[:2]),
            e.code_below.eq((1 << into[:2]) - 1),
            e.code_half.eq(into[2]),
            e.code_keep.eq(written.code_keep),
            e.code_write.eq(word_of(into_code)),
        ]
