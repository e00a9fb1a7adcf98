"""The systolic array: output-stationary AND-popcount elements, read out by the wave itself."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.core.pipe import chain, delay
from hw.core.popcount import MaskedPopcount


class Element(wiring.Component):
    """``acc = (first ? 0 : acc) +- popcount(a & b)``.

    Latency: ``latency`` cycles from ``a``, ``b`` to ``acc``. Throughput: one word a cycle.

    Parameters
    ----------
    config : Config
    target : str
        ``generic`` or ``xc7``, for the popcount.

    Members
    -------
    a, b : In(W), operands, registered outside.
    first : In(1), the sum starts, and neg : In(1), the word subtracts: both timing.POP_STAGES
        cycles after their operands.
    acc : Out(signed(acc_bits)), the sum, a register; modulo 2**acc_bits.
    """

    a: Signal
    b: Signal
    first: Signal
    neg: Signal
    acc: Signal

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config = config
        self.pop = MaskedPopcount(config.width, target=target)
        super().__init__(
            {
                "a": In(config.width),
                "b": In(config.width),
                "first": In(1),
                "neg": In(1),
                "acc": Out(signed(config.acc_bits)),
            }
        )

    @property
    def latency(self) -> int:
        return self.pop.latency + 1

    def elaborate(self, platform):
        m = Module()
        assert self.pop.latency == timing.POP_STAGES
        m.submodules.pop = pop = self.pop
        m.d.comb += [pop.a.eq(self.a), pop.b.eq(self.b)]
        acc = Signal(signed(self.config.acc_bits), reset_less=True)
        base = Signal(signed(self.config.acc_bits))
        term = Signal(signed(self.config.acc_bits))
        m.d.comb += [
            base.eq(Mux(self.first, 0, acc)),
            term.eq(pop.o ^ self.neg.replicate(self.config.acc_bits)),
            self.acc.eq(acc),
        ]
        m.d.sync += acc.eq(base + term + self.neg)
        return m


class SystolicArray(wiring.Component):
    """R x C elements and one column of row popcounts.

    Row words enter on the left, already skewed (row r one cycle after row r-1), column words on
    top (column c one cycle after c-1); both move one element a cycle. An element's sum is valid
    for one cycle only if the next tile follows at once, and the skew makes the rows of a column
    finish one after the other: a multiplexer per column is the whole drain.

    Latency: ``latency`` cycles from a row's last word to its sum in column 0, one more for each
    column after it. Throughput: a word of every row and column a cycle; a tile's sums are read
    out while the next one's words come, so that tiles of R words or more follow without a gap.

    Parameters
    ----------
    config : Config
    target : str
        ``generic`` or ``xc7``, for the popcounts.

    Members, their times counted from the issue of a word, for sums from tau, a tile's last word
    -------
    rows : In(W), R times; row r at ROW_READ + r. Column words cols : In(W), C times; column c
        at ELEMENT_IN - 1 + c.
    first, neg : In(1), at 0: the word opens a tile; the word subtracts.
    row_ones : In(range(R)), row index for the popcount column, at ACC - 1 + r.
    row_sel : In(range(R)), row index for column 0, at ACC + r; later columns delay it themselves.
    pops : Out(signed(acc_bits)), popcount of the row's plain words, at ACC - 1 + r
        (combinational of row_ones).
    accs : Out(signed(acc_bits)), C times; column c at S_READY + r + c (registered).
    """

    rows: Any
    cols: Any
    first: Signal
    neg: Signal
    row_ones: Signal
    row_sel: Signal
    pops: Signal
    accs: Any

    operand_latency = 2  #: From a row's word to element (0, 0), past the column of popcounts.

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        self.ones = [Element(config, target=target) for _ in range(config.rows)]
        bits = (config.rows - 1).bit_length()
        super().__init__(
            {
                "rows": In(config.width).array(config.rows),
                "cols": In(config.width).array(config.cols),
                "first": In(1),
                "neg": In(1),
                "row_ones": In(bits),
                "row_sel": In(bits),
                "pops": Out(signed(config.acc_bits)),
                "accs": Out(signed(config.acc_bits)).array(config.cols),
            }
        )

    @property
    def latency(self) -> int:
        return self.operand_latency + self.ones[0].latency + 1

    def elaborate(self, platform):
        m = Module()
        cfg = self.config
        assert timing.ELEMENT_IN + self.ones[0].latency == timing.ACC
        at = timing.ELEMENT_IN - 1  # operands of the popcount column
        neg_in = chain(m, delay(m, self.neg, at, name="neg_in"), cfg.rows, name="neg_row")
        base = at + timing.POP_STAGES
        diagonal = range(cfg.rows + cfg.cols)
        first = chain(m, delay(m, self.first, base, name="first"), len(diagonal), name="first_d")
        neg = chain(m, delay(m, self.neg, base, name="neg"), len(diagonal), name="neg_d")
        left = [delay(m, self.rows[r], 1, name=f"a{r}_ones") for r in range(cfg.rows)]
        ones = []
        for r in range(cfg.rows):
            m.submodules[f"ones_{r}"] = e = self.ones[r]
            m.d.comb += [
                e.a.eq(left[r]),
                e.b.eq((~neg_in[r]).replicate(cfg.width)),
                e.first.eq(first[r]),
                e.neg.eq(0),
            ]
            ones.append(e.acc)
        m.d.comb += self.pops.eq(Choice(ones)[self.row_ones])
        select = chain(m, self.row_sel, cfg.cols, name="row_sel")
        for c in range(cfg.cols):
            top, accs = self.cols[c], []
            for r in range(cfg.rows):
                left[r] = delay(m, left[r], 1, name=f"a{r}_{c}")
                top = delay(m, top, 1, name=f"b{r}_{c}")
                m.submodules[f"e{r}_{c}"] = e = Element(cfg, target=self.target)
                m.d.comb += [
                    e.a.eq(left[r]),
                    e.b.eq(top),
                    e.first.eq(first[r + c + 1]),
                    e.neg.eq(neg[r + c + 1]),
                ]
                accs.append(e.acc)
            q = Signal(signed(cfg.acc_bits), name=f"acc_{c}", reset_less=True)
            m.d.sync += q.eq(Choice(accs)[select[c]])
            m.d.comb += self.accs[c].eq(q)
        return m
