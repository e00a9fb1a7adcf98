"""Link endpoint: what stands between the line and the core."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import link
from hw.arch.config import Config
from hw.core.ports import driver_members
from hw.soc.answer import Answer
from hw.soc.framing import Framer
from hw.soc.queue import RequestQueue
from hw.soc.rate import Rate
from hw.soc.requests import Requests

#: Ports of the core that the endpoint reads, and that it drives.
READS = tuple(dict.fromkeys(Requests.READS + Answer.READS))
DRIVES = Requests.DRIVES + Answer.DRIVES


class LinkEndpoint(wiring.Component):
    """The device's side of ``hw.arch.link``.

    Latency: ``abort`` comes with the last END of an ABORT. Other requests are begun when those
    before them have been answered; an answer begins 6 cycles after its request was begun, and one
    for each byte of the request's payload, and as `Answer` says. Throughput: a byte in 10 cycles
    either way.

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
    rests : Out(1)
        Every request that has come whole is answered, the answers were given to ``o``.
    start, limit, abort, busy, done, stopped, pc, cycles, log_addr, log_data, log_count,
    load_valid, load_addr, load_data, load_wait, peek, peek_addr, peek_data, peek_wait
        To the ports of ``hw.core.core.Core`` of these names.
    """

    i: stream.Interface
    o: stream.Interface
    tick: Signal
    sent: Signal
    rate: Signal
    rests: Signal
    start: Signal
    limit: Signal
    abort: Signal
    busy: Signal
    done: Signal
    stopped: Any
    pc: Signal
    cycles: Signal
    log_addr: Signal
    log_data: Signal
    log_count: Signal
    load_valid: Signal
    load_addr: Signal
    load_data: Signal
    peek: Signal
    peek_addr: Signal
    peek_data: Signal
    load_wait: Signal
    peek_wait: Signal

    def __init__(self, config: Config, *, clk_freq: int, rates: tuple[int, ...] = (link.BAUD,)):
        self.config, self.rates = config, rates
        self.identity = link.Identity(
            version=link.VERSION,
            digest=config.digest,
            clock=int(clk_freq),
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
                "rests": Out(1),
                **driver_members(READS + DRIVES),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = RequestQueue()
        m.submodules.requests = requests = Requests(self.config, self.rates)
        m.submodules.answer = answer = Answer(self.config, self.identity)
        m.submodules.framer = framer = Framer()
        m.submodules.rate = rate = Rate()
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        wiring.connect(m, queue.o, requests.i)
        wiring.connect(m, answer.o, framer.i)
        wiring.connect(m, framer.o, wiring.flipped(self.o))
        m.d.comb += [
            requests.urgent.eq(queue.urgent),
            requests.over.eq(answer.over),
            answer.begin.eq(requests.begin),
            answer.asked.eq(requests.asked),
            rate.tick.eq(self.tick),
            rate.byte.eq(self.i.valid & self.i.ready),
            rate.good.eq(queue.good),
            rate.wanted.eq(requests.wanted),
            rate.change.eq(requests.change & framer.idle & self.sent),
            requests.changed.eq(rate.change),
            self.rate.eq(rate.index),
            self.rests.eq(requests.rests & ~queue.o.valid & framer.idle),
            self.abort.eq(requests.abort | queue.abort),
        ]
        for part in (requests, answer):
            for name in part.READS:
                m.d.comb += getattr(part, name).eq(getattr(self, name))
            for name in part.DRIVES:
                if name != "abort":  # which the queue may ask for too
                    m.d.comb += getattr(self, name).eq(getattr(part, name))
        return m
