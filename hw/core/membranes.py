"""The fourth part of a lane: membranes that are stored as codes of a few bits."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS
from hw.core.codes import PARTS, CodeBytes, Left, StateCode
from hw.core.modes import LaneMode
from hw.core.neuron import KEPT, WIDE
from hw.core.pipe import delay
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
    target : str
        ``generic``, ``ecp5``, ``simulation`` or ``xc7``, as `hw.core.codes` has it.

    Members, their times counted from tau of row 0 (timing.NAME)
    -------
    mode : In(LaneMode), and forget : In(1), whether codes in memory count as 0, constant while
        anything is in flight.
    u : In(signed WIDE), fired : In(1), of `Neuron`, at Y.
    res_a : In(signed 18), the word of buffer A, and code_at : In(3), the place of the row's code
        in its two bytes, in pairs of bits, at PICKED.
    code_shut : In(8), at STATE_WRITE - 2, code_new : In(4), at STATE_WRITE - 1, code_below : In(4)
        and code_keep : In(1), at STATE_WRITE: where the new code goes in its byte, and whether it
        is written, as `CodeBytes` has it.
    cell : Out(range(STATE_CELLS)), entry : In(Entry) two cycles later, to and from `StateTable`.
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
    code_shut: Signal
    code_new: Signal
    code_below: Signal
    code_keep: Signal
    cell: Signal
    entry: Any
    code: Signal
    put_v: Signal

    def __init__(self, config: Config, *, target: str = "generic"):
        self.target, self.search = target, StateCode(WIDE)
        self.left = Left(target=target)
        super().__init__(
            {
                "mode": In(LaneMode),
                "u": In(signed(WIDE)),
                "fired": In(1),
                "res_a": In(signed(MEMBRANE_BITS)),
                "code_at": In(3),
                "forget": In(1),
                "code_shut": In(len(PARTS)),
                "code_new": In(CODE_BITS // 2),
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
        return self.search.latency + self.left.latency

    def elaborate(self, platform):
        m = Module()
        mode, left = self.mode, self.left
        # a code from memory is the neuron's membrane a cycle after its word, and then at Y
        assert timing.PICKED + left.latency == timing.X
        assert KEPT == left.width
        distance = timing.STATE_WRITE - timing.PICKED
        m.submodules.search = search = self.search
        m.submodules.bytes = bytes_ = CodeBytes(distance=distance, target=self.target)
        m.submodules.left = left
        fired = delay(m, self.fired, search.latency - 1, name="fired")
        low = self.res_a[:CODE_BITS]
        high = self.res_a[MEMBRANE_BITS // 2 :][:CODE_BITS]
        m.d.comb += [
            bytes_.bits.eq(mode.state_bits),
            bytes_.word.eq(Cat(low, high)),
            bytes_.at.eq(self.code_at),
            bytes_.forget.eq(self.forget),
            bytes_.code.eq(search.code),
            bytes_.drop.eq(fired),
            bytes_.shut.eq(self.code_shut),
            bytes_.changed.eq(self.code_new),
            bytes_.below.eq(self.code_below),
            bytes_.keep.eq(self.code_keep),
            self.code.eq(bytes_.o),
            search.u.eq(self.u),
            search.fine.eq(mode.fine),
            self.cell.eq(search.cell),
            search.entry.eq(self.entry),
            left.shut.eq(mode.leak_shut),
            left.above.eq(mode.leak_above),
            left.drop.eq(Mux(mode.persist, self.forget, fired)),
            left.code.eq(Mux(mode.persist, bytes_.read, search.code)),
            self.put_v.eq(left.v),
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
