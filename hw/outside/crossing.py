"""A core's port to a memory of another clock, and the memory's end of it."""

from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from hw.arch.outside import COUNT_BITS, WORD_BITS
from hw.core.outside import OutsidePort, Request

REQUESTS = 4  #: Requests on their way across.
WORDS = 32  #: Words on their way across, in each direction.
#: Cycles from a word's entry into a FIFO of two domains until a signal, launched then through as
#: many flip-flops as the FIFO's pointers go through, is later than they are.
BEHIND = 4


class MemoryEnd(wiring.Signature):
    """What a memory's gateware gets; as the memory has it, in its own domain.

    Members
    -------
    request, write, read : as `hw.core.outside.OutsidePort` has them, seen from the other end.
    level : In(range(WORDS + 1)), words of ``read`` on their way, at most so many: WORDS less these
        are taken without a pause.
    drop : In(1), forget every request: no more words are read or written, and those under way may
        still come. Nothing is offered meanwhile. Stays until ``clean`` has been high for a while.
    clean : Out(1), no request is known, nothing is under way.
    """

    def __init__(self):
        words = stream.Signature(unsigned(WORD_BITS))
        super().__init__(
            {
                "request": In(stream.Signature(Request)),
                "write": In(words),
                "read": Out(words),
                "level": In(range(WORDS + 1)),
                "drop": In(1),
                "clean": Out(1),
            }
        )


class Crossing(wiring.Component):
    """Carries requests and words between the core's clock and a memory's, which may be one clock.

    A request, or a word, that is taken in the cycle of ``drop`` is dropped.

    Latency: 3 to 4 cycles of the clock that a word comes into. Throughput: a word a cycle of the
    slower clock. A drop is over within some 20 cycles of both and what the memory needs.

    Parameters
    ----------
    domain : the memory's; the core's is ``sync``. They are reset together.

    Members
    -------
    port : In(OutsidePort), the core's.
    memory : In(MemoryEnd), the memory's, in its domain.
    """

    port: Any
    memory: Any

    def __init__(self, domain: str):
        self.domain = domain
        super().__init__({"port": In(OutsidePort()), "memory": In(MemoryEnd())})

    def elaborate(self, platform):
        m, core, there, domain = Module(), self.port, self.memory, self.domain
        request_width = len(core.request.payload.as_value())
        m.submodules.requests = requests = AsyncFIFO(
            width=request_width, depth=REQUESTS, w_domain="sync", r_domain=domain
        )
        m.submodules.writes = writes = AsyncFIFO(
            width=WORD_BITS, depth=WORDS, w_domain="sync", r_domain=domain
        )
        m.submodules.reads = reads = AsyncFIFO(
            width=WORD_BITS, depth=WORDS, w_domain=domain, r_domain="sync"
        )
        dropping, asked, clean, answer = Signal(), Signal(), Signal(), Signal()
        # words to write that were asked for: those of each request that was taken
        owed = Signal(COUNT_BITS + (2 * REQUESTS).bit_length())
        taken = Signal()
        m.d.comb += [
            core.request.ready.eq(requests.w_rdy & ~dropping),
            taken.eq(core.request.valid & core.request.ready),
            requests.w_en.eq(taken),
            requests.w_data.eq(core.request.payload),
            core.write.ready.eq(writes.w_rdy & (owed != 0) & ~dropping),
            writes.w_en.eq(core.write.valid & core.write.ready),
            writes.w_data.eq(core.write.payload),
            core.read.valid.eq(reads.r_rdy & ~dropping),
            core.read.payload.eq(reads.r_data),
            reads.r_en.eq(core.read.ready | dropping),
        ]
        more = Signal(COUNT_BITS)
        with m.If(taken & core.request.payload.write):
            m.d.comb += more.eq(core.request.payload.count)
        m.d.sync += owed.eq(owed + more - writes.w_en)
        # The core's half of a drop: what was sent is on the other side before `asked` is.
        m.submodules.back = FFSynchronizer(clean, answer)
        wait = Signal(range(BEHIND))
        with m.FSM(name="drop"):
            with m.State("idle"):
                with m.If(core.drop):
                    m.d.sync += [dropping.eq(1), wait.eq(BEHIND - 1)]
                    m.next = "send"
            with m.State("send"):
                m.d.sync += [owed.eq(0), wait.eq(wait - 1)]
                with m.If(wait == 0):
                    m.d.sync += asked.eq(1)
                    m.next = "sent"
            with m.State("sent"):
                with m.If(answer & ~reads.r_rdy):
                    m.d.sync += asked.eq(0)
                    m.next = "over"
            with m.State("over"):
                with m.If(~answer):
                    m.d.sync += dropping.eq(0)
                    m.next = "idle"
        self._there(m, there, requests, writes, reads, asked, clean)
        return m

    def _there(self, m, there, requests, writes, reads, asked, clean):
        """Add the memory's end: ``asked`` comes over, and ``clean`` goes back."""
        domain, drop = self.domain, Signal()
        m.submodules.over = FFSynchronizer(asked, drop, o_domain=domain)
        m.d.comb += [
            there.request.valid.eq(requests.r_rdy & ~drop),
            there.request.payload.eq(requests.r_data),
            requests.r_en.eq(there.request.ready | drop),
            there.write.valid.eq(writes.r_rdy & ~drop),
            there.write.payload.eq(writes.r_data),
            writes.r_en.eq(there.write.ready | drop),
            there.read.ready.eq(reads.w_rdy),
            reads.w_en.eq(there.read.valid),
            reads.w_data.eq(there.read.payload),
            there.level.eq(reads.w_level),
            there.drop.eq(drop),
        ]
        still = Signal(range(BEHIND + 1))
        quiet = there.clean & ~requests.r_rdy & ~writes.r_rdy
        with m.If(~drop | ~quiet):
            m.d[domain] += [still.eq(0), clean.eq(0)]
        with m.Elif(still != BEHIND):
            m.d[domain] += still.eq(still + 1)
        with m.Else():
            m.d[domain] += clean.eq(1)
