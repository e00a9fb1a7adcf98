"""Which load port addresses there are."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.arch.memmap import READ_ONLY, WRITE_ONLY, Mem, extent


class Places(wiring.Component):
    """Tells whether words from an address on lie in one bank of a memory of the core.

    Latency: none.

    Parameters
    ----------
    config : Config

    Members
    -------
    addr, count : In(32), In(16)
        A load port address, and how many words.
    writes : In(1)
        They are to be written; CTRL can only be, RES cannot.
    exist : Out(1)
        There are all of them.
    """

    addr: Signal
    count: Signal
    writes: Signal
    exist: Signal

    def __init__(self, config: Config):
        self.config = config
        super().__init__({"addr": In(32), "count": In(16), "writes": In(1), "exist": Out(1)})

    def elaborate(self, platform):
        m = Module()
        word, part, bank, mem = self.addr[:16], self.addr[16:20], self.addr[20:27], self.addr[27:]
        end = Signal(17)
        m.d.comb += end.eq(word + self.count)
        with m.Switch(mem):
            for each in Mem:
                banks, parts, depth = extent(self.config, each)
                inside = (bank < banks) & (part < parts) & (end <= depth)
                if each in WRITE_ONLY:
                    inside &= self.writes
                if each in READ_ONLY:
                    inside &= ~self.writes
                with m.Case(each):
                    m.d.comb += self.exist.eq(inside)
        return m
