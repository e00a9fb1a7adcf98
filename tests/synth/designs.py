"""Small designs the tests of tools and builds are proven on."""

from amaranth import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class Rom(wiring.Component):
    """A block RAM of ``len(init)`` words of ``width`` bits with contents, read and written."""

    def __init__(self, width: int, init: list[int], granularity: int | None = None):
        self.width, self.init, self.granularity = width, init, granularity
        lanes = width // granularity if granularity else 1
        address = max((len(init) - 1).bit_length(), 1)
        super().__init__({
            "addr": In(address), "data": Out(width),
            "w_addr": In(address), "w_data": In(width), "w_en": In(lanes),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.mem = mem = memory.Memory(
            shape=self.width, depth=len(self.init), init=self.init, attrs={"ram_style": "block"}
        )
        rd, wr = mem.read_port(), mem.write_port(granularity=self.granularity)
        m.d.comb += [rd.addr.eq(self.addr), rd.en.eq(1), self.data.eq(rd.data)]
        m.d.comb += [wr.addr.eq(self.w_addr), wr.data.eq(self.w_data), wr.en.eq(self.w_en)]
        return m


class Counter(wiring.Component):
    """A counter with a comparison, to have LUTs, carries and flip-flops."""

    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        count = Signal(24)
        m.d.sync += [count.eq(count + 3), self.o.eq(count > 12345)]
        return m
