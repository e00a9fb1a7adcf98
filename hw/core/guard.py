"""What ends a run before its HALT: an abort, a limit of cycles, a memory that gives nothing."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.memmap import Stopped


class Guard(wiring.Component):
    """Counts a run's cycles, and stops it: the sequencer is cleared, and what is in flight lands.

    It is cleared until nothing that it has issued can write any more, and only then is the core
    idle; so all that comes of a stopped run has come, and the next one begins as after a reset.

    Latency: ``timing.stop_cycles`` from ``abort`` until not ``busy``, or from the cycle in which
    ``cycles`` is ``limit``. A run of ``limit`` cycles ends by itself, one of two more is stopped.
    Throughput: a run at a time.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(1), a pulse. runs : In(1), the sequencer does. begin : Out(1), the start counts, as
        the core is idle.
    abort : In(1), a pulse; nothing where the core is idle or stops already.
    limit : In(32), cycles after which a run is stopped, 0 for none; constant while one is under
        way.
    silent : In(1), a pulse: it waits in vain for the memory outside; as ``abort`` otherwise.
    clear : Out(1), a register: the sequencer is to be as after a reset.
    busy : Out(1). stopped : Out(Stopped), of the last run; NO from a start on.
    cycles : Out(32), cycles of the run, without those in which it was cleared.
    """

    start: Signal
    runs: Signal
    begin: Signal
    abort: Signal
    limit: Signal
    silent: Signal
    clear: Signal
    busy: Signal
    stopped: Any
    cycles: Signal

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "runs": In(1),
                "begin": Out(1),
                "abort": In(1),
                "limit": In(32),
                "silent": In(1),
                "clear": Out(1),
                "busy": Out(1),
                "stopped": Out(Stopped),
                "cycles": Out(32),
            }
        )

    @property
    def latency(self) -> int:
        return 3 + timing.settle_cycles(self.config)

    def elaborate(self, platform):
        m = Module()
        assert self.latency == timing.stop_cycles(self.config)
        settle = timing.settle_cycles(self.config)
        asked, limited, late, silent = Signal(), Signal(), Signal(), Signal()
        left = Signal(range(settle + 1), reset_less=True)
        m.d.comb += [self.busy.eq(self.runs | self.clear), self.begin.eq(self.start & ~self.busy)]
        m.d.sync += [
            asked.eq(self.abort & self.busy),
            limited.eq(self.limit != 0),
            late.eq(self.runs & limited & (self.cycles == self.limit)),
            silent.eq(self.silent & self.busy),
            left.eq(left - 1),
        ]
        with m.If(self.begin):
            m.d.sync += [self.cycles.eq(0), self.stopped.eq(Stopped.NO)]
        with m.If(self.clear):
            m.d.sync += self.clear.eq(left != 0)
        with m.Elif(self.runs):
            m.d.sync += self.cycles.eq(self.cycles + 1)
            with m.If(asked | late | silent):
                why = Mux(late, Stopped.WATCHDOG, Stopped.OUTSIDE)
                m.d.sync += [
                    self.clear.eq(1),
                    left.eq(settle),
                    self.stopped.eq(Mux(asked, Stopped.ABORTED, why)),
                ]
        return m
