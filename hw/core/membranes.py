"""The fourth part of a lane: membranes that are stored as codes of a few bits."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS, STATE_SHIFTS
from hw.core.codes import CodeBytes, StateCode
from hw.core.modes import LaneMode
from hw.core.neuron import KEPT, WIDE
from hw.core.table import CELL_BITS, CODE_BITS, Entry


class MembraneCodes(wiring.Component):
    """Codes of the membranes that a leaky neuron keeps from one step to the next.

    A step's membrane becomes its code, and the code what the leak leaves of it, before the row's
    next step. With ``persist`` the codes come from residual buffer A, and go back to it, a byte
    of them at a time.

    Latency: ``latency`` cycles from ``u`` to ``code``, one more until the row may step again
    (timing.STATE_GAP). Throughput: a step a cycle, of other rows.

    Parameters
    ----------
    config : Config

    Members, their times counted from tau of row 0 (timing.NAME)
    -------
    mode : In(LaneMode), constant while anything is in flight.
    u : In(signed WIDE), fired : In(1), of `Neuron`, at Y.
    res_a : In(signed 18), the word of buffer A, code_at : In(3), the place of the row's code in
        its two bytes, in pairs of bits, and forget : In(1), whether that counts as 0, at PICKED.
    code_own, code_below : In(4), pairs of bits of the byte to be written: of the new code, and
        below it, and code_keep : In(1), whether it is written, at STATE_WRITE.
    cell : Out(range(STATE_CELLS)), entry : In(Entry) a cycle later, to and from `StateTable`.
    code : Out(8), the byte to be written, at STATE_WRITE.
    put_v : Out(signed KEPT), membrane for `Neuron`: of the code from memory at X, or of a new one
        at STATE_WRITE.
    """

    mode: Any
    u: Signal
    fired: Signal
    res_a: Signal
    code_at: Signal
    forget: Signal
    code_own: Signal
    code_below: Signal
    code_keep: Signal
    cell: Signal
    entry: Any
    code: Signal
    put_v: Signal

    def __init__(self, config: Config):
        self.search = StateCode(WIDE)
        super().__init__(
            {
                "mode": In(LaneMode),
                "u": In(signed(WIDE)),
                "fired": In(1),
                "res_a": In(signed(MEMBRANE_BITS)),
                "code_at": In(3),
                "forget": In(1),
                "code_own": In(CODE_BITS // 2),
                "code_below": In(CODE_BITS // 2),
                "code_keep": In(1),
                "cell": Out(CELL_BITS),
                "entry": In(Entry),
                "code": Out(CODE_BITS),
                "put_v": Out(signed(KEPT)),
            }
        )

    @property
    def latency(self) -> int:
        return self.search.latency

    def elaborate(self, platform):
        m = Module()
        mode, at = self.mode, self.code_at
        picked = timing.PICKED + 1  # the byte that was read is in its register
        assert picked == timing.X  # so that it is the neuron's membrane at Y
        m.submodules.search = search = self.search
        m.submodules.bytes = bytes_ = CodeBytes(distance=timing.STATE_WRITE - picked)
        byte = Signal(CODE_BITS, reset_less=True)
        place = Signal(2, reset_less=True)
        m.d.sync += [
            byte.eq(Mux(at[2], self.res_a[9:17], self.res_a[:8])),
            place.eq(at[:2]),
        ]
        with m.If(self.forget):
            m.d.sync += byte.eq(0)
        from_memory = Signal(signed(CODE_BITS))
        m.d.comb += [
            bytes_.bits.eq(mode.state_bits),
            bytes_.byte.eq(byte),
            bytes_.at.eq(place),
            from_memory.eq(bytes_.read),
            bytes_.code.eq(search.code),
            bytes_.own.eq(self.code_own),
            bytes_.below.eq(self.code_below),
            bytes_.keep.eq(self.code_keep),
            self.code.eq(bytes_.o),
            search.u.eq(self.u),
            search.fired.eq(self.fired),
            search.fine.eq(mode.state_shift == 0),
            self.cell.eq(search.cell),
            search.entry.eq(self.entry),
        ]
        code = Signal(signed(CODE_BITS))
        m.d.comb += [
            code.eq(Mux(mode.persist, from_memory, search.code)),
            self.put_v.eq(Choice([code << s for s in STATE_SHIFTS])[mode.state_shift]),
        ]
        return m


class Remembering(wiring.Component):
    """Whether membranes in memory count: from the first run after a reset or a write to CTRL.

    Latency: 1 cycle. Throughput: a change a cycle.

    Members
    -------
    forget : In(1), Mem.CTRL is written. halt : In(1), a run ends.
    forgotten : Out(1), membranes in memory count as 0.
    """

    forget: Signal
    halt: Signal
    forgotten: Signal

    latency = 1

    def __init__(self):
        super().__init__({"forget": In(1), "halt": In(1), "forgotten": Out(1)})

    def elaborate(self, platform):
        m = Module()
        remembering = Signal()
        with m.If(self.forget):
            m.d.sync += remembering.eq(0)
        with m.Elif(self.halt):
            m.d.sync += remembering.eq(1)
        m.d.comb += self.forgotten.eq(~remembering)
        return m
