import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from sim.pysim import run, send, take


class Drop(wiring.Component):
    """A FIFO; where ``drop`` is set it swallows words with the lowest two bits set."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def __init__(self, drop=False):
        self.drop = drop
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=8, depth=4)
        keep = (self.i.payload & 3) != 3 if self.drop else 1
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid & keep),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        return m


def through(dut, stall_in, stall_out, cycles):
    got = []

    async def source(ctx):
        await send(ctx, dut.i, range(100), stall_in)

    async def sink(ctx):
        got.extend(await take(ctx, dut.o, 100, stall_out))

    run(dut, source, sink, cycles=cycles)
    return got


@pytest.mark.parametrize("stall_in", [0.0, 0.5])
@pytest.mark.parametrize("stall_out", [0.0, 0.7])
def test_passes_every_word_in_order(stall_in, stall_out):
    assert through(Drop(), stall_in, stall_out, 2_000) == list(range(100))


def test_full_rate_without_stalls():
    assert through(Drop(), 0.0, 0.0, 104) == list(range(100))


def test_watchdog_names_the_component():
    with pytest.raises(TimeoutError, match="Drop: not finished after 500 cycles"):
        through(Drop(drop=True), 0.0, 0.0, 500)
