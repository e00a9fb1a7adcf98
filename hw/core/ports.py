"""The ports of a core, and what they mean."""

from collections.abc import Iterable
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch import Config
from hw.arch.memmap import LOG_DEPTH, Mem, Stopped
from hw.arch.outside import PATIENCE
from hw.core.mover import Visit
from hw.core.outside import OutsidePort
from hw.core.wire import each
from hw.core.words import ADDR


def core_members(config: Config | None = None) -> dict[str, Any]:
    """Return the ports of every core, and of one of ``config`` what it has beside them.

    start : In(1), one pulse while not busy.
    busy, done : Out(1), of the last run: it goes on; it came to its HALT.
    cycles : Out(32), of the run.
    abort : In(1), limit : In(32), stop it as `hw.core.guard` says. stopped : Out(Stopped).
    pc : Out(16), where in program memory the instruction in hand begins, or the next one, once it
        is asked for; of a stopped run too.
    log_addr : In(range(LOG_DEPTH)), log_data : Out(32), a cycle later: the cycle of the run, from
        0, in which its instruction of that number was taken. log_count : Out(range(LOG_DEPTH + 1)),
        how many were; of more, LOG_DEPTH.
    load_valid, load_addr (`hw.arch.memmap`), load_data : In, a write a cycle while not busy; it
        lands two cycles later in program memory, three in the others, and before ``start``.
    peek : In(1), peek_addr : In(32), while not busy: a word of a memory but CTRL is to be read,
        which peek_data : Out(32) shows ``timing.peek_cycles`` later, until the next.
    load_wait, peek_wait : Out(1), of a core with a mover, from the next cycle on: what was written
        last to memory outside has not got there, what was asked for last has not come; no other
        write or peek, and no start, before it has. 0 of other memories, and of cores without.
    outside : Out(OutsidePort()), of a core with a mover. stalls : Out(32), cycles of the run that
        passed for nothing but a wait for it; 0 of a core without.
    """
    moving = {"outside": Out(OutsidePort())}
    return (moving if config is not None and config.block_depth else {}) | {
        "start": In(1),
        "busy": Out(1),
        "done": Out(1),
        "cycles": Out(32),
        "stalls": Out(32),
        "abort": In(1),
        "limit": In(32),
        "stopped": Out(Stopped),
        "pc": Out(ADDR),
        "log_addr": In(range(LOG_DEPTH)),
        "log_data": Out(32),
        "log_count": Out(range(LOG_DEPTH + 1)),
        "load_valid": In(1),
        "load_addr": In(32),
        "load_data": In(32),
        "peek": In(1),
        "peek_addr": In(32),
        "peek_data": Out(32),
        "load_wait": Out(1),
        "peek_wait": Out(1),
    }


def driver_members(names: Iterable[str]) -> dict[str, Any]:
    """Return these of a core's ports as who drives and reads them has them."""
    core = core_members()
    return {name: core[name].flip() for name in names}


def run_ports(m: Module, core: Any) -> None:
    """Wire what starts and ends a run of ``core``, and what is known of it."""
    seq, guard, log = core.seq, core.guard, core.log
    m.d.comb += [
        seq.start.eq(core.start),
        seq.clear.eq(guard.clear),
        guard.start.eq(core.start),
        guard.runs.eq(seq.busy),
        guard.abort.eq(core.abort),
        guard.limit.eq(core.limit),
        core.busy.eq(guard.busy),
        core.done.eq(seq.done & ~guard.clear),
        core.stopped.eq(guard.stopped),
        core.cycles.eq(guard.cycles),
        core.pc.eq(seq.pc),
        log.begin.eq(guard.begin),
        log.take.eq(seq.setup),
        log.cycles.eq(guard.cycles),
        log.addr.eq(core.log_addr),
        core.log_data.eq(log.data),
        core.log_count.eq(log.count),
    ]


def moving_ports(m: Module, core: Any) -> None:
    """Wire the mover of ``core`` to the sequencer, to write-back and to the memory outside."""
    seq, mover, guard = core.seq, core.mover, core.guard
    connect(m, seq.order, mover.order)
    connect(m, mover.port, flipped(core.outside))
    clear = Signal()  # so that no output follows an input in the same cycle
    m.d.sync += clear.eq(guard.clear | guard.begin)
    m.d.comb += [
        mover.clear.eq(clear),
        mover.take.eq(seq.take),
        mover.end.eq(seq.end),
        seq.ready.eq(mover.ready),
        core.back.move.eq(mover.load),
        mover.taken.eq(core.back.taken),
    ]
    _visits(m, core)
    silence = Signal(range(PATIENCE))
    m.d.sync += [
        silence.eq(silence + 1),
        guard.silent.eq(seq.stalled & (silence == PATIENCE - 1)),
    ]
    with m.If(~seq.stalled | mover.load.valid):
        m.d.sync += silence.eq(0)
    with m.If(guard.begin):
        m.d.sync += core.stalls.eq(0)
    with m.Elif(seq.stalled):
        m.d.sync += core.stalls.eq(core.stalls + 1)


def _visits(m: Module, core: Any) -> None:
    """Wire loads and peeks of the memory outside."""
    mover, idle = core.mover, ~core.guard.busy
    visit: Any = Signal(Visit)
    wanted, reads = Signal(), Signal()
    writes = core.load_valid & idle & (core.load_addr[27:] == Mem.OUT)
    asks = core.peek & idle & (core.peek_addr[27:] == Mem.OUT)
    with m.If(writes | asks):
        m.d.sync += [
            wanted.eq(1),
            visit.addr.eq(Mux(writes, core.load_addr[:27], core.peek_addr[:27])),
            visit.data.eq(core.load_data),
            visit.write.eq(writes),
        ]
    with m.Elif(mover.visit.ready):
        m.d.sync += wanted.eq(0)
    with m.If(core.peek):
        m.d.sync += reads.eq(asks)
    m.d.comb += [
        mover.visit.payload.eq(visit),
        mover.visit.valid.eq(wanted),
        core.load_wait.eq(wanted),
        core.peek_wait.eq(wanted),
        core.peek_data.eq(Mux(reads, mover.word, core.peeking.data)),
    ]


def memory_ports(m: Module, core: Any) -> None:
    """Wire loads and peeks: memories read what is asked for from outside, while ``core`` is idle.

    Row banks read it as they do an image's pixels, residual banks as what a mean sums, column banks
    as a parameter (in `Core`).
    """
    port, peek = core.port, core.peeking
    address = Mux(peek.active, peek.word, core.seq.word.row_addr)
    m.d.comb += [
        port.valid.eq(core.load_valid),
        port.addr.eq(core.load_addr),
        port.data.eq(core.load_data),
        port.busy.eq(core.guard.busy),
        peek.peek.eq(core.peek),
        peek.addr.eq(core.peek_addr),
        peek.busy.eq(core.guard.busy),
        core.prog.read_addr.eq(Mux(peek.active, peek.word, core.seq.prog_addr)),
        core.pix.read_addr.eq(address),
        core.lane_events.peek.eq(peek.active),
        core.lane_events.address.eq(address),
        core.pixels.peek.eq(peek.active),
        core.pixels.peek_addr.eq(peek.word),
        peek.prog_data.eq(core.prog.read_data),
        peek.pix_data.eq(core.pix.read_data),
        *each(peek.row_data, core.row.read_data),
        *each(peek.col_data, core.col.read_data),
        *each(peek.res_data, core.lanes.res),
        *([] if core.config.block_depth else [core.peek_data.eq(peek.data)]),
    ]
