"""Link endpoint: does what requests ask of the core, one after the other, and answers."""

from typing import Any

from amaranth import Array as Choice
from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link, timing
from hw.arch.config import Config
from hw.arch.link import Command, Reason
from hw.arch.memmap import LOG_DEPTH, Stopped
from hw.soc.framing import CRC32, Framer
from hw.soc.places import Places
from hw.soc.queue import RequestQueue

_WRITES = (Command.WRITE, Command.WRITE_BYTES)
_READS = (Command.READ, Command.RESULT, Command.LOG)  # replies that end with words asked for
_IDLE_CORE = (*_WRITES, Command.READ, Command.CRC, Command.LOG, Command.START)  # refused if busy
_ANY_ORDER = (Command.IDENTIFY, Command.ABORT)  # done whatever sequence number is due
_STATES = (Command.STATUS, Command.RESULT, Command.ABORT)  # replies that begin with State
_PAYLOADS = {
    Command.IDENTIFY: link.SESSION.size,
    Command.START: link.START_REQUEST.size,
    Command.STATUS: 0,
    Command.READ: link.READ_REQUEST.size,
    Command.RESULT: link.READ_REQUEST.size,
    Command.CRC: link.CRC_REQUEST.size,
    Command.LOG: link.READ_REQUEST.size,
    Command.ABORT: 0,
    Command.RATE: link.RATE_REQUEST.size,
}  # bytes; WRITE and WRITE_BYTES end with words
_ARGUMENTS = max(_PAYLOADS.values())  # bytes of a payload that are kept, words apart


class LinkEndpoint(wiring.Component):
    """The device's side of ``hw.arch.link``.

    Latency: ABORT stops the core 1 cycle after its frame's last END was taken. Other requests are
    begun when those before them are done; a reply begins 6 cycles after its request did and one
    for each of its bytes; for each word that is summed up another 36 + ``timing.PEEK``. Throughput:
    a byte in 9 cycles, either way.

    Parameters
    ----------
    config : Config
        Told to the host, with its digest.
    clk_freq : int
        Hz; told to the host.
    rates : ints
        Of ``link.RATES`` those that the device has, ``link.BAUD`` among them.

    Members
    -------
    i, o : In, Out(stream of 8)
        Bytes from and to the host.
    tick : In(1)
        Pulses every ``link.TICK_MS``.
    sent : In(1)
        All bytes that ``o`` gave have left.
    rate : Out(range of link.RATES)
        Index of the baud rate.
    start, limit, abort, busy, done, stopped, pc, cycles, load_valid, load_addr, load_data,
    peek, peek_addr, peek_data, log_addr, log_data, log_count
        To the ports of ``hw.core.core.Core`` of these names.
    """

    i: stream.Interface
    o: stream.Interface
    tick: Signal
    sent: Signal
    rate: Signal
    start: Signal
    limit: Signal
    abort: Signal
    busy: Signal
    done: Signal
    stopped: Any
    pc: Signal
    cycles: Signal
    load_valid: Signal
    load_addr: Signal
    load_data: Signal
    peek: Signal
    peek_addr: Signal
    peek_data: Signal
    log_addr: Signal
    log_data: Signal
    log_count: Signal

    def __init__(self, config: Config, *, clk_freq: int, rates: tuple[int, ...] = (link.BAUD,)):
        self.config, self.rates = config, rates
        self.identity = link.Identity(
            version=link.VERSION,
            digest=config.digest,
            clock=int(clk_freq),
            queue=link.QUEUE,
            rates=rates,
            config=config,
        ).encode()
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "tick": In(1),
                "sent": In(1),
                "rate": Out(range(len(link.RATES))),
                "start": Out(1),
                "limit": Out(32),
                "abort": Out(1),
                "busy": In(1),
                "done": In(1),
                "stopped": In(Stopped),
                "pc": In(16),
                "cycles": In(32),
                "load_valid": Out(1),
                "load_addr": Out(32),
                "load_data": Out(32),
                "peek": Out(1),
                "peek_addr": Out(32),
                "peek_data": In(32),
                "log_addr": Out(range(LOG_DEPTH)),
                "log_data": In(32),
                "log_count": In(range(LOG_DEPTH + 1)),
            }
        )
