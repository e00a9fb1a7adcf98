"""The systolic array: output-stationary AND-popcount elements, read out by the wave itself."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.parts import shared_sums
from hw.common.errors import SpikeloomError
from hw.core import widemux
from hw.core.carrysave import CarrySave
from hw.core.fields import FieldSums
from hw.core.pipe import chain, delay
from hw.core.popcount import MaskedPopcount, SimulatedPopcount
from hw.core.ripple import RippleCount, RippleSum


class Element(wiring.Component):
    """``acc = (first ? 0 : acc) +- popcount(a & b)``.

    Latency: ``latency`` cycles from ``a``, ``b`` to ``acc``. Throughput: one word a cycle.

    Parameters
    ----------
    config : Config
    target : str
        ``generic``: behavioural. ``ecp5``: instantiated carry cells; equal bit for bit.
        ``simulation``: behavioural, its count a call of a compiled simulator.

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
        self.config, self.target = config, target
        counts: dict[str, Any] = {"ecp5": RippleCount, "simulation": SimulatedPopcount}
        self.pop = counts.get(target, MaskedPopcount)(config.width)
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
        m.submodules.pop = self.pop
        m.d.comb += [self.pop.a.eq(self.a), self.pop.b.eq(self.b)]
        if self.target == "ecp5":
            self._ripple(m)
        else:
            self._generic(m)
        return m

    def _generic(self, m: Module) -> None:
        acc = Signal(signed(self.config.acc_bits), reset_less=True)
        base = Signal(signed(self.config.acc_bits))
        term = Signal(signed(self.config.acc_bits))
        m.d.comb += [
            base.eq(Mux(self.first, 0, acc)),
            term.eq(self.pop.o ^ self.neg.replicate(self.config.acc_bits)),
            self.acc.eq(acc),
        ]
        m.d.sync += acc.eq(base + term + self.neg)

    def _ripple(self, m: Module) -> None:
        m.submodules.sum = total = RippleSum(self.config.acc_bits, len(self.pop.o))
        m.d.comb += [
            total.o.eq(self.pop.o),
            total.spare.eq(self.pop.spare),
            total.first.eq(self.first),
            total.neg.eq(self.neg),
            self.acc.eq(total.acc),
        ]


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
        ``generic``: behavioural elements. ``ecp5``: elements of carry cells, sums selected by wide
        multiplexers. ``xc7``: elements that leave two numbers, of LUT6_2 cells, and one DSP48E1
        for the sums of four elements of a diagonal (two where a sum may pass 4095).
        ``simulation``: as generic, with counts that a compiled simulator makes in one step.

    Members, their times counted from the issue of a word, for sums from tau, a tile's last word
    -------
    rows : In(W), R times; row r at ROW_READ + r. Column words cols : In(W), C times; column c
        at ELEMENT_IN + c.
    first, neg : In(1), at 0: the word opens a tile; the word subtracts. One that opens does not.
    xnor : In(1), words may subtract; constant from the first word to the last sum.
    row_ones : In(range(R)), row index for the popcount column, at ACC - 1 + r.
    row_sel : In(range(R)), row index for column 0, at ACC + r; later columns delay it themselves.
    pops : Out(signed(acc_bits)), popcount of the row's plain words, at ACC - 1 + r
        (combinational of row_ones).
    accs : Out(signed(acc_bits)), C times; column c at S_READY + r + c (registered).

    Sums lie within hw.arch.formats.most_count, of both signs where xnor is set.
    """

    rows: Any
    cols: Any
    first: Signal
    neg: Signal
    xnor: Signal
    row_ones: Signal
    row_sel: Signal
    pops: Signal
    accs: Any

    operand_latency = 3  #: From a row's word to element (0, 0), past the column of popcounts.

    def __init__(self, config: Config, *, target: str = "generic"):
        if target not in self.FORMS:
            known = tuple(self.FORMS)
            raise SpikeloomError(f"array target {target!r}: known targets are {known}")
        self.config, self.target = config, target
        bits = (config.rows - 1).bit_length()
        super().__init__(
            {
                "rows": In(config.width).array(config.rows),
                "cols": In(config.width).array(config.cols),
                "first": In(1),
                "neg": In(1),
                "xnor": In(1),
                "row_ones": In(bits),
                "row_sel": In(bits),
                "pops": Out(signed(config.acc_bits)),
                "accs": Out(signed(config.acc_bits)).array(config.cols),
            }
        )

    @property
    def latency(self) -> int:
        return self.operand_latency + self.element_latency + 1

    @property
    def element_latency(self) -> int:
        """Cycles from an element's operands to its sum."""
        if self.target == "xc7":
            return CarrySave.latency + FieldSums.latency
        return timing.POP_STAGES + 1

    def elaborate(self, platform):
        m = Module()
        cfg = self.config
        assert timing.ELEMENT_IN + self.element_latency == timing.ACC
        sums = self.FORMS[self.target](self, m, self._operands(m))
        ones = [sums[r, -1] for r in range(cfg.rows)]
        select = chain(m, self.row_sel, cfg.cols, name="row_sel")
        drains = [(self._choose(m, ones, self.row_ones, "pops"), self.pops)]
        for c in range(cfg.cols):
            accs = [sums[r, c] for r in range(cfg.rows)]
            q = Signal(accs[0].shape(), name=f"acc_{c}", reset_less=True)
            m.d.sync += q.eq(self._choose(m, accs, select[c], f"accs{c}"))
            drains.append((q, self.accs[c]))
        for total, out in drains:
            m.d.comb += out.eq(self._lowered(total) if self.target == "xc7" else total)
        return m

    def _operands(self, m: Module) -> dict[tuple[int, int], tuple[Value, Value]]:
        """Return what each element counts, by row and column; column -1 is that of popcounts."""
        cfg, found = self.config, {}
        neg = delay(m, self.neg, timing.ELEMENT_IN - 1, name="neg_in")
        neg = chain(m, neg, cfg.rows, name="neg_row")
        past = self.operand_latency - 1  # to the column of popcounts
        left = [delay(m, self.rows[r], past, name=f"a{r}_ones") for r in range(cfg.rows)]
        for r in range(cfg.rows):
            found[r, -1] = left[r], (~neg[r]).replicate(cfg.width)
        for c in range(cfg.cols):
            top = self.cols[c]
            for r in range(cfg.rows):
                left[r] = delay(m, left[r], 1, name=f"a{r}_{c}")
                found[r, c] = left[r], top
                top = delay(m, top, 1, name=f"b{r + 1}_{c}") if r + 1 < cfg.rows else top
        return found

    def _diagonals(self, m: Module, value: Value, late: int, name: str) -> list[Value]:
        """Return what goes with a word, ``late`` cycles after its operands, by r + c + 1."""
        value = delay(m, value, timing.ELEMENT_IN - 1 + late, name=name)
        return chain(m, value, self.config.rows + self.config.cols, name=f"{name}_d")

    def _elements(self, m: Module, operands) -> dict[tuple[int, int], Value]:
        """Elements that sum by themselves."""
        first, neg = (
            self._diagonals(m, value, timing.POP_STAGES, name)
            for value, name in ((self.first, "first"), (self.neg, "neg"))
        )
        sums = {}
        for (r, c), (a, b) in operands.items():
            name = f"e{r}_{c}" if c >= 0 else f"ones_{r}"
            m.submodules[name] = e = Element(self.config, target=self.target)
            m.d.comb += [
                e.a.eq(a),
                e.b.eq(b),
                e.first.eq(first[r + c + 1]),
                e.neg.eq(neg[r + c + 1] if c >= 0 else 0),
            ]
            sums[r, c] = e.acc
        return sums

    def _shared(self, m: Module, operands) -> dict[tuple[int, int], Value]:
        """Elements that leave two numbers, and adders that each sum several of a diagonal.

        All words of a diagonal are of one cycle: first and neg are an adder's, not an element's. A
        word that subtracts adds nothing to the column of popcounts, and there is no borrow.
        """
        cfg, sums = self.config, {}
        late = CarrySave.latency
        lift = self.first & self.xnor
        keep, neg, lift = (
            self._diagonals(m, value, late, name)
            for value, name in ((~self.first, "keep"), (self.neg, "neg"), (lift, "lift"))
        )
        for d, groups in enumerate(shared_sums(cfg)):
            for n, places in enumerate(groups):
                m.submodules[f"sums{d}_{n}"] = total = FieldSums(
                    cfg.field_bits, cfg.width.bit_length()
                )
                m.d.comb += [total.keep.eq(keep[d]), total.neg.eq(neg[d]), total.lift.eq(lift[d])]
                for k, (r, c) in enumerate(places):
                    name = f"e{r}_{c}" if c >= 0 else f"ones_{r}"
                    m.submodules[name] = e = CarrySave(cfg.width)
                    a, b = operands[r, c]
                    m.d.comb += [e.a.eq(a), e.b.eq(b), total.x[k].eq(e.x), total.y[k].eq(e.y)]
                    sums[r, c] = total.p[k][: min(cfg.acc_bits, cfg.field_bits)]
        return sums

    def _choose(self, m: Module, values: list[Value], index: Value, name: str) -> Value:
        if self.target == "ecp5":
            return widemux.select(m, values, index, name=name)
        return Choice(values)[index]

    def _lowered(self, total: Value) -> Value:
        """Return a field's sum as what it stands for: less what it was lifted by."""
        cfg = self.config
        middle = cfg.field_bits - 1
        if cfg.acc_bits <= middle:  # lifted by a multiple of 2**acc_bits
            return total
        top = total[middle] ^ self.xnor
        sign = top & self.xnor
        return Cat(total[:middle], top, sign.replicate(cfg.acc_bits - middle - 1))

    #: How each set of primitives makes the sums.
    FORMS = {
        "generic": _elements,
        "ecp5": _elements,
        "simulation": _elements,
        "xc7": _shared,
    }
