"""Requests of words, played on the native port of a LiteDRAM controller."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.arch.outside import ADDRESS_BITS, COUNT_BITS, WORD_BITS
from hw.outside.crossing import WORDS, MemoryEnd

PENDING = 16  #: Parts of words that were commanded to be written and that have not been asked for.
#: Words that ``level`` may lag behind those that were sent, as it is registered.
LAG = 2


class NativePort(wiring.Signature):
    """The native port of the controller, as its user has it.

    A command moves one word of the SDRAM. The controller waits for no one: the word of a command to
    write must be there when it asks (``wdata_ready``), and one that was read is there for a cycle.

    Members
    -------
    cmd_valid, cmd_we, cmd_addr : Out, a command: 1 to write, the address of a word of the SDRAM.
    cmd_ready : In(1), it is taken.
    wdata, wdata_valid : Out, the next word to write.
    wdata_ready : In(1), it is taken.
    rdata, rdata_valid : In, a word that was read, in the order of the commands.
    """

    def __init__(self, address_bits: int, width: int):
        super().__init__(
            {
                "cmd_valid": Out(1),
                "cmd_ready": In(1),
                "cmd_we": Out(1),
                "cmd_addr": Out(address_bits),
                "wdata": Out(width),
                "wdata_valid": Out(1),
                "wdata_ready": In(1),
                "rdata": In(width),
                "rdata_valid": In(1),
            }
        )


class Native(wiring.Component):
    """Splits words into those of the SDRAM, low part first, and puts them together again.

    Latency: 2 cycles and the controller's. Throughput: a command a cycle, with one cycle between
    requests; reads are under way as many as there is room for behind them. Addresses beyond the
    SDRAM's end start again at 0.

    Parameters
    ----------
    address_bits, width : of a word of the SDRAM; WORD_BITS is a multiple of ``width``, by 2 or
        another power of it.

    Members
    -------
    memory : Out(MemoryEnd).
    port : Out(NativePort).
    enable : In(1), the SDRAM is set up; no command comes before.
    """

    memory: Any
    port: Any
    enable: Signal

    def __init__(self, address_bits: int, width: int):
        self.address_bits, self.width, self.parts = address_bits, width, WORD_BITS // width
        assert self.parts > 1, width
        assert self.parts * width == WORD_BITS, width
        super().__init__(
            {
                "memory": Out(MemoryEnd()),
                "port": Out(NativePort(address_bits, width)),
                "enable": In(1),
            }
        )

    def elaborate(self, platform):
        m, memory, port, parts = Module(), self.memory, self.port, self.parts
        active, we = Signal(), Signal()
        addr = Signal(ADDRESS_BITS)
        left = Signal(COUNT_BITS)
        part = Signal(range(parts))
        # A request, one command after the other.
        last_part, sent, room = Signal(), Signal(), Signal()
        pending = m.submodules.pending = SyncFIFO(width=self.width, depth=PENDING)
        m.d.comb += [
            last_part.eq(part == parts - 1),
            memory.request.ready.eq(self.enable & ~active),
            port.cmd_valid.eq(active & Mux(we, memory.write.valid & pending.w_rdy, room)),
            port.cmd_we.eq(we),
            port.cmd_addr.eq(Cat(part, addr)),
            sent.eq(port.cmd_valid & port.cmd_ready),
            memory.write.ready.eq(sent & we & last_part),
            pending.w_en.eq(sent & we),
            pending.w_data.eq(memory.write.payload.word_select(part, self.width)),
            port.wdata.eq(pending.r_data),
            port.wdata_valid.eq(pending.r_rdy),
            pending.r_en.eq(port.wdata_ready),
        ]
        with m.If(memory.request.valid & memory.request.ready):
            request = memory.request.payload
            m.d.sync += [
                active.eq(1),
                addr.eq(request.addr),
                left.eq(request.count),
                we.eq(request.write),
            ]
        with m.Elif(sent):
            m.d.sync += part.eq(part + 1)
            with m.If(last_part):
                m.d.sync += [addr.eq(addr + 1), left.eq(left - 1), active.eq(left != 1)]
        with m.If(memory.drop):
            m.d.sync += [active.eq(0), part.eq(0)]
        m.d.comb += memory.clean.eq(~active & ~pending.r_rdy & self._reads(m, sent & ~we, room))
        return m

    def _reads(self, m, sent, room):
        """Put words together that were read; return whether none is under way.

        ``room`` is high where one more may be commanded; ``sent`` tells of a command to read.
        """
        memory, port, parts = self.memory, self.port, self.parts
        most = (WORDS + 1) * parts
        flying = Signal(range(most))  # parts that were commanded and did not come
        part, have = Signal(range(parts)), Signal(WORD_BITS - self.width)
        full, word = Signal(), Signal(WORD_BITS)
        held = memory.level + full + LAG
        m.d.comb += [memory.read.valid.eq(full), memory.read.payload.eq(word)]
        m.d.sync += [
            flying.eq(flying + sent - port.rdata_valid),
            room.eq(flying + 1 + (held * parts) < (WORDS - 1) * parts),
            full.eq(0),
        ]
        with m.If(port.rdata_valid):
            m.d.sync += [part.eq(part + 1), have.eq(Cat(have, port.rdata)[self.width :])]
            with m.If(part == parts - 1):
                m.d.sync += [word.eq(Cat(have, port.rdata)), full.eq(1)]
        none = (flying == 0) & ~full
        with m.If(memory.drop & none):
            m.d.sync += part.eq(0)
        return none
