"""All lanes with their residual banks and tables: an event goes in at lane 0, spikes come out."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_BITS, STATE_BITS
from hw.core.lane import Lane
from hw.core.lane_events import lane_event
from hw.core.luts import lut
from hw.core.memories import Bank
from hw.core.modes import LaneMode
from hw.core.pipe import chain, delay, later
from hw.core.table import CODE_BITS, StateTable, StateThreshold, TableWrite
from hw.core.words import ADDR

BEFORE_WRITE = 1  #: Registers before a residual bank's write port.


def with_spike(m: Module, name: str, pins: Sequence[Value], *, target: str) -> Value:
    """Return ``low | fired & fires & keeps & ~persist``: on ``xc7`` one LUT6_2."""

    def function(low: Any, fired: Any, fires: Any, keeps: Any, persist: Any) -> Any:
        return low | fired & fires & keeps & ~persist

    return lut(m, name, pins, function, function)[0] if target == "xc7" else function(*pins)


class Lanes(wiring.Component):
    """C lanes, each with its banks of residual buffers A and B; two share a table of membranes.

    Lane c works c cycles after lane 0; what leaves is aligned to the last lane.

    Latency: timing.SPIKE + C from tau to row 0's ``spikes``. Throughput: a row a cycle.

    Parameters
    ----------
    config : Config
    target : str
        What multipliers and adders are made of, as `hw.core.mac.LaneMAC` has it.
    strict : bool
        Of the residual banks, as `Bank`'s.

    Members
    -------
    mode : In(LaneMode), constant while anything is in flight.
    event : In(lane_event(config)), of lane 0.
    res_dest : In(1), residual buffer that is written, 0 = A.
    forget : In(1), membranes in memory count as 0; constant while anything is in flight.
    table : In(TableWrite), of membranes.
    acc : In(signed(acc_bits)), col : In(32), C times; lane c's at S_READY + c.
    sc : In(C), shortcut spikes of a row, at PICKED for every lane.
    spikes : Out(C), of a row, at SPIKE + C.
    x : Out(signed 18), x of the lane whose event said ``on_bus``, at X + 1 + c.
    res : Out(signed 18), 2 C times, what the banks of A and B have read: the word of ``event`` at
        PICKED + c.
    res_en, mem_en : Out(2 C), writes of residual words (A's lanes, then B's), at RES_WRITE + c, and
        of codes (low and high byte of each lane), at CODE_WRITE + c, for the trace. res_addr,
        mem_addr : Out(ADDR), kept : Out(signed 18), code : Out(8), C times, their addresses and
        values.
    """

    mode: Any
    event: Any
    res_dest: Signal
    forget: Signal
    table: Any
    acc: Any
    col: Any
    sc: Signal
    spikes: Signal
    x: Signal
    res: Any
    res_en: Signal
    res_addr: Any
    kept: Any
    mem_en: Signal
    mem_addr: Any
    code: Any

    def __init__(self, config: Config, *, target: str = "generic", strict: bool = False):
        self.config, self.target, self.strict = config, target, strict
        self.lanes = [Lane(config, target=target) for _ in range(config.cols)]
        cols = config.cols
        super().__init__(
            {
                "mode": In(LaneMode),
                "event": In(lane_event(config)),
                "res_dest": In(1),
                "forget": In(1),
                "table": In(TableWrite),
                "acc": In(signed(config.acc_bits)).array(cols),
                "col": In(32).array(cols),
                "sc": In(cols),
                "spikes": Out(cols),
                "x": Out(signed(MEMBRANE_BITS)),
                "res": Out(signed(MEMBRANE_BITS)).array(2 * cols),
                "res_en": Out(2 * cols),
                "res_addr": Out(ADDR).array(cols),
                "kept": Out(signed(MEMBRANE_BITS)).array(cols),
                "mem_en": Out(2 * cols),
                "mem_addr": Out(ADDR).array(cols),
                "code": Out(CODE_BITS).array(cols),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from lane 0's ``acc`` to the row's ``spikes``."""
        return self.lanes[0].latency + self.config.cols

    def elaborate(self, platform):
        m = Module()
        cols = self.config.cols
        assert timing.S_READY + self.latency + 1 == timing.write_cycle(self.config)
        assert timing.Y + BEFORE_WRITE == timing.RES_WRITE
        assert timing.STATE_WRITE + BEFORE_WRITE == timing.CODE_WRITE
        event, spikes, bus = self.event, [], Const(0, MEMBRANE_BITS)
        modes = chain(m, self.mode, cols, name="mode")
        forget = chain(m, self.forget, cols, name="forget")
        for c, lane in enumerate(self.lanes):
            m.submodules[f"lane_{c}"] = lane
            m.d.comb += [
                lane.mode.eq(modes[c]),
                lane.event.eq(event),
                lane.acc.eq(self.acc[c]),
                lane.col.eq(self.col[c]),
                lane.sc.eq(delay(m, self.sc[c], c, name=f"sc_{c}")),
                lane.forget.eq(forget[c]),
                self.res_addr[c].eq(later(m, event.res_write, name=f"res_addr_{c}")),
                self.kept[c].eq(later(m, lane.kept, name=f"kept_{c}")),
            ]
            self._banks(m, c, lane, event)
            spikes.append(delay(m, lane.spike, cols - c, name=f"spike_{c}"))
            bus = bus | (lane.x & event.on_bus.replicate(len(bus)))
            event = lane.next
        if self.config.state_bits:
            self._tables(m)
        x = Signal(signed(MEMBRANE_BITS), reset_less=True)
        m.d.sync += x.eq(bus)
        m.d.comb += [self.spikes.eq(Cat(*spikes)), self.x.eq(x)]
        return m

    def _banks(self, m: Module, c: int, lane: Lane, event: Any) -> None:
        """Lane c's banks of both buffers; a register stands before each write port."""
        cfg = self.config
        spikes_only = cfg.res_bits == 1
        for k, (name, port) in enumerate((("a", lane.res_a), ("b", lane.res_b))):
            shared = bool(cfg.state_bits) and k == 0 and not spikes_only  # with codes, by bytes
            m.submodules[f"res_{name}_{c}"] = bank = Bank(
                cfg.res_bits,
                cfg.res_depth,
                unit=MEMBRANE_BITS // 2 if shared else None,
                style="distributed" if spikes_only else "block",
                registered=True,
                # Rows' codes share words: one row's is written while another's is read.
                apart=not (shared or spikes_only),
                strict=self.strict,
            )
            assert timing.PICKED - 2 + bank.latency == timing.PICKED
            keep = event.store & (self.res_dest == k)
            layout = {"en": len(bank.write_en), "addr": ADDR, "word": cfg.res_bits}
            write: Any = Signal(data.StructLayout(layout), name=f"write_{name}_{c}")
            soon = later(m, write, name=f"write_{name}_{c}", cleared=("en",))
            m.d.comb += [
                bank.read_addr.eq(event.read_a if k == 0 and cfg.state_bits else event.read_b),
                port.eq(bank.read_data),
                self.res[k * cfg.cols + c].eq(bank.read_data),
                write.en.eq(keep.replicate(len(write.en))),
                write.addr.eq(event.res_write),
                write.word.eq(lane.kept),
                bank.write_en.eq(soon.en),
                bank.write_addr.eq(soon.addr),
                bank.write_data.eq(soon.word),
                self.res_en[k * cfg.cols + c].eq(delay(m, keep, 1, name=f"keep_{name}_{c}")),
            ]
            if shared:
                self._code_write(m, c, lane, event, write)

    def _code_write(self, m: Module, c: int, lane: Lane, event: Any, write: Any) -> None:
        """Codes in place of residual words in buffer A: half a word of 18 bits is a byte's."""
        half, writing, mode = event.code_half, event.code_keep, lane.mode
        en = Cat(writing & ~half, writing & half)
        m.d.comb += self.mem_en[2 * c : 2 * c + 2].eq(delay(m, en, 1, name=f"code_en_{c}"))
        with m.If(mode.persist):
            m.d.comb += [
                write.en.eq(en),
                write.addr.eq(event.code_write),
                write.word.eq(Cat(lane.code, Const(0, 1), lane.code, Const(0, 1))),
            ]
        # Whether a neuron fired is known last of all: it has one cell left to go through.
        low = Mux(mode.persist, lane.code[0], lane.low)
        pins = [low, lane.fired, mode.fires, mode.keeps_spike, mode.persist]
        m.d.comb += write.word[0].eq(with_spike(m, f"low_{c}", pins, target=self.target))

    def _tables(self, m: Module) -> None:
        """A table for two lanes each, or one threshold where codes have two bits."""
        one = self.config.state_bits == min(STATE_BITS)
        event = self.event
        tables = [StateThreshold() if one else StateTable() for _ in self.lanes[::2]]
        for n, table in enumerate(tables):
            m.submodules[f"table_{2 * n}"] = table
            m.d.comb += table.write.eq(self.table)
        for c, lane in enumerate(self.lanes):
            table = tables[c // 2]
            m.d.comb += [
                table.cell[c % 2].eq(lane.cell),
                lane.entry.eq(table.entry[c % 2]),
                self.mem_addr[c].eq(later(m, event.code_write, name=f"mem_addr_{c}")),
                self.code[c].eq(later(m, lane.code, name=f"code_{c}")),
            ]
            event = lane.next
