"""One lane: scale, residual, neuron. Lane c works c cycles after lane 0."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.formats import (
    BIAS_BITS,
    FACTOR_BITS,
    MAX_STEPS,
    MEMBRANE_BITS,
    MEMBRANE_MAX,
    MEMBRANE_MIN,
    SHIFTS,
    STATE_SHIFTS,
)
from hw.arch.isa import Keep, Res
from hw.arch.timing import PRODUCT, S_READY, STATE_GAP, STATE_WRITE
from hw.core.mac import LaneMAC
from hw.core.state import CELL_BITS, CODE_BITS, CodeBytes, Entry, StateCode

CODE = STATE_WRITE - S_READY  #: When a code of the membrane is known.
PICKED = PRODUCT - S_READY + 1  #: When a code from memory is.
WIDE = max(MEMBRANE_BITS, CODE_BITS + max(STATE_SHIFTS) + 1) + 1  #: Width of a membrane with y.


def saturate(m: Module, value, *, name: str) -> Signal:
    """Clip a signed value to MEMBRANE_BITS, combinationally."""
    out = Signal(signed(MEMBRANE_BITS), name=name)
    top = value[MEMBRANE_BITS - 1 :]
    fits = (top == 0) | top.all()
    m.d.comb += out.eq(
        Mux(fits, value[:MEMBRANE_BITS].as_signed(), Mux(value[-1], MEMBRANE_MIN, MEMBRANE_MAX))
    )
    return out


class LaneMode(data.Struct):
    """What the instruction sets; constant while words are in flight."""

    gemm: unsigned(1)
    mac: unsigned(1)
    double: unsigned(1)
    soft: unsigned(1)
    res: unsigned(2)
    shift: unsigned(2)
    theta: signed(MEMBRANE_BITS)
    keep: unsigned(2)
    sc_value: signed(MEMBRANE_BITS)
    leak: unsigned(1)
    state_shift: unsigned(2)
    state_bits: unsigned(2)
    persist: unsigned(1)


class Lane(wiring.Component):
    """Affine map, residual and leaky integrate-and-fire of one column; equal to ``sw.golden``.

    Times count from the lane's start (timing.S_READY for row 0 of lane 0).

    Members
    -------
    acc : array sum, at 0. side : -popcount of the row (GEMM) or pixel (MAC), at 0.
    col : column word of this lane's bank; a MAC weight at 0.
    par_we, par_index, par_half : parameter word on ``col``: 0 bias, n factor n - 1.
    use : factor table entry (half, step), at 0. swap : take the new bias, at 0.
    first : P starts from the bias, at 1.
    mean_a, mean_b : gate residual words (res_a, res_b) into the multiplier, at 0.
    load : x takes P, at 3. res_a, res_b : residual words, at 3. sc : the shortcut spikes, at 3.
    fire : the neuron steps, with row and start (v = 0), at 5.
    x at 4, y at 5, kept (what the residual memory stores) at 5, spike at 6.
    cell, entry : address and, a cycle later, word of the table of stored membranes.
    code_at, forget : place of the row's code in the word res_a, and whether it counts as 0, at 3.
    pick, pick_row : that code is the membrane of a row, at PICKED; ``start`` is 0 then.
    code_into, code_keep : place of the code in its byte, and whether it is written, at CODE.
    code : the byte, at CODE.

    Without stored membranes (``config.state_bits`` 0) those from ``cell`` on do nothing.
    """

    mode: Any
    acc: Any
    side: Any
    col: Any
    par_we: Any
    par_index: Any
    par_half: Any
    use: Any
    swap: Any
    first: Any
    mean_a: Any
    mean_b: Any
    load: Any
    res_a: Any
    res_b: Any
    fire: Any
    row: Any
    start: Any
    x: Any
    y: Any
    spike: Any
    sc: Any
    kept: Any
    cell: Any
    entry: Any
    code_at: Any
    forget: Any
    pick: Any
    pick_row: Any
    code_into: Any
    code_keep: Any
    code: Any

    def __init__(self, config: Config, *, target: str = "generic"):
        self.config, self.target = config, target
        word = signed(MEMBRANE_BITS)
        super().__init__(
            {
                "mode": In(LaneMode),
                "acc": In(signed(config.acc_bits)),
                "side": In(word),
                "col": In(32),
                "par_we": In(1),
                "par_index": In(5),
                "par_half": In(1),
                "use": In(5),
                "swap": In(1),
                "first": In(1),
                "mean_a": In(1),
                "mean_b": In(1),
                "load": In(1),
                "res_a": In(word),
                "res_b": In(word),
                "fire": In(1),
                "row": In((config.rows - 1).bit_length()),
                "start": In(1),
                "x": Out(word),
                "y": Out(word),
                "spike": Out(1),
                "sc": In(1),
                "kept": Out(word),
                "cell": Out(CELL_BITS),
                "entry": In(Entry),
                "code_at": In(3),
                "forget": In(1),
                "pick": In(1),
                "pick_row": In((config.rows - 1).bit_length()),
                "code_into": In(2),
                "code_keep": In(1),
                "code": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = signed(MEMBRANE_BITS)

        m.submodules.factors = factors = memory.Memory(
            shape=FACTOR_BITS, depth=2 * MAX_STEPS, init=[], attrs={"ram_style": "distributed"}
        )
        fw, fr = factors.write_port(), factors.read_port(domain="comb")
        bias_next = Signal(BIAS_BITS, reset_less=True)
        bias = Signal(signed(BIAS_BITS), reset_less=True)
        index = Signal(5)
        m.d.comb += [
            index.eq(self.par_index - 1),
            fw.addr.eq(Cat(index[:4], self.par_half)),
            fw.data.eq(self.col),
            fw.en.eq(self.par_we & (self.par_index != 0)),
            fr.addr.eq(self.use),
        ]
        with m.If(self.par_we & (self.par_index == 0)):
            m.d.sync += bias_next.eq(self.col)
        with m.If(self.swap):
            m.d.sync += bias.eq(bias_next)

        m.submodules.mac = mac = LaneMAC(target=self.target)
        total = Signal(word)
        gated = Signal(signed(self.config.acc_bits + 1))
        m.d.comb += [
            gated.eq(Mux(self.mode.gemm, Mux(self.mode.double, self.acc << 1, self.acc), 0)),
            total.eq(gated + self.side),
            mac.a.eq(Mux(self.mode.mac, self.col[:FACTOR_BITS], fr.data).as_signed()),
            mac.b.eq(
                total
                | (self.res_a & self.mean_a.replicate(MEMBRANE_BITS))
                | (self.res_b & self.mean_b.replicate(MEMBRANE_BITS))
            ),
            mac.c.eq(bias),
            mac.first.eq(self.first),
        ]

        shifted = Signal(signed(len(mac.p) - SHIFTS[0]))
        m.d.comb += shifted.eq(Choice([mac.p >> s for s in SHIFTS])[self.mode.shift])
        x = Signal(word, reset_less=True)
        with m.If(self.load):
            m.d.sync += x.eq(saturate(m, shifted, name="x_sat"))

        rsum = Signal(word, reset_less=True)
        average = self.mode.res == Res.AVERAGE
        both = Signal(signed(MEMBRANE_BITS + 1))
        m.d.comb += both.eq(Mux(average, self.res_a, 0) + self.res_b)
        with m.If(self.mode.res[1]):
            m.d.sync += rsum.eq(Mux(average, both >> 1, both))
        with m.Else():  # Res.SPIKE, or nothing
            m.d.sync += rsum.eq(Mux(self.sc & self.mode.res[0], self.mode.sc_value, 0))
        # With leak everything from here on is doubled, so that (v + y) >> 1 serves both neurons.
        doubled = self.mode.leak if self.config.state_bits else Const(0, 1)
        y = Signal(signed(MEMBRANE_BITS + 1), reset_less=True)
        added = Signal(signed(MEMBRANE_BITS + 1))
        m.d.comb += [added.eq(x + rsum), self.y.eq(Mux(doubled, y >> 1, y))]
        y_sat = saturate(m, added, name="y_sat")
        m.d.sync += y.eq(Mux(doubled, y_sat << 1, y_sat))

        m.submodules.state = state = memory.Memory(
            shape=WIDE if self.config.state_bits else MEMBRANE_BITS,
            depth=self.config.rows,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        sw, sr = state.write_port(), state.read_port(domain="comb")
        v = Signal(signed(WIDE))
        total_v = Signal(signed(WIDE))
        u = Signal(signed(WIDE))
        over = Signal(signed(WIDE))
        fired = Signal()
        spike = Signal(reset_less=True)
        m.d.comb += [
            sr.addr.eq(self.row),
            over.eq(u - self.mode.theta),
            fired.eq(~over[-1]),
            sw.addr.eq(self.row),
            sw.en.eq(self.fire),
            sw.data.eq(Mux(fired, Mux(self.mode.soft, over, 0), u)),
            self.x.eq(x),
            self.spike.eq(spike),
            total_v.eq(v + y),
            u.eq(total_v >> 1),
            self.kept.eq(Mux(self.mode.keep == Keep.SPIKE, fired & (self.mode.theta != 0), self.y)),
        ]
        m.d.sync += spike.eq(fired & (self.mode.theta != 0))
        m.d.comb += v.eq(Mux(self.start, 0, sr.data).as_signed())
        if not self.config.state_bits:
            return m

        m.submodules.search = search = StateCode(WIDE)
        m.submodules.bytes = bytes_ = CodeBytes(distance=CODE - PICKED)
        at = self.code_at
        half = Choice([at[2], at[1], at[0]])[self.mode.state_bits]  # of the word
        byte = Signal(CODE_BITS, reset_less=True)  # at PICKED
        place = Signal(2, reset_less=True)
        m.d.sync += [
            byte.eq(Mux(self.forget, 0, Mux(half, self.res_a[9:17], self.res_a[:8]))),
            place.eq(at[:2] & Choice([3, 1, 0])[self.mode.state_bits]),
        ]
        from_memory = Signal(signed(CODE_BITS))
        m.d.comb += [
            bytes_.bits.eq(self.mode.state_bits),
            bytes_.byte.eq(byte),
            bytes_.at.eq(place),
            from_memory.eq(bytes_.read),
            bytes_.code.eq(search.code),
            bytes_.into.eq(self.code_into),
            bytes_.keep.eq(self.code_keep),
            self.code.eq(bytes_.o),
            search.u.eq(u),
            search.fired.eq(fired),
            search.fine.eq(self.mode.state_shift == 0),
            self.cell.eq(search.cell),
            search.entry.eq(self.entry),
        ]
        # The lane's own memory takes new codes, or those from memory, a cycle before the step.
        code = Signal(signed(CODE_BITS))
        left = Signal(signed(WIDE))
        m.d.comb += [
            code.eq(Mux(self.mode.persist, from_memory, search.code)),
            left.eq(Choice([code << (s + 1) for s in STATE_SHIFTS])[self.mode.state_shift]),
        ]
        fire_q, row_q = self.fire, self.row
        for n in range(STATE_GAP - 1):
            fire_q, row_q = (
                self._later(m, s, f"{t}_{n}", reset_less=t == "row")
                for s, t in ((fire_q, "fire"), (row_q, "row"))
            )
        with m.If(self.mode.leak):
            m.d.comb += [
                sw.addr.eq(Mux(self.mode.persist, self.pick_row, row_q)),
                sw.en.eq(Mux(self.mode.persist, self.pick, fire_q)),
                sw.data.eq(left),
            ]
        return m

    @staticmethod
    def _later(m: Module, value, name: str, *, reset_less: bool) -> Signal:
        q = Signal(len(value), name=name, reset_less=reset_less)
        m.d.sync += q.eq(value)
        return q
