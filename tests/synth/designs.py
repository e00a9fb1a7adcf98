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
        super().__init__(
            {
                "addr": In(address),
                "data": Out(width),
                "w_addr": In(address),
                "w_data": In(width),
                "w_en": In(lanes),
            }
        )

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

    def __init__(self, width: int = 24):
        self.width = width
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        count = Signal(self.width)
        m.d.sync += [count.eq(count + 3), self.o.eq(count > 123)]
        return m


class Many(wiring.Component):
    """A ``Rom`` for each (width, init, granularity), as ``m0``, ``m1`` and so on."""

    def __init__(self, roms: list[tuple[int, list[int], int | None]]):
        self.roms = {f"m{n}": Rom(*r) for n, r in enumerate(roms)}
        super().__init__(
            {
                f"{name}_{port}": member
                for name, rom in self.roms.items()
                for port, member in rom.signature.members.items()
            }
        )

    def elaborate(self, platform):
        m = Module()
        for name, rom in self.roms.items():
            m.submodules[name] = rom
            for port in rom.signature.members:
                inner, outer = getattr(rom, port), getattr(self, f"{name}_{port}")
                m.d.comb += outer.eq(inner) if port == "data" else inner.eq(outer)
        return m


class Sticky(wiring.Component):
    """A register that starts at 1 and only falls, by reset set again or not."""

    fall: In(1)
    o: Out(1)

    def __init__(self, reset_less: bool):
        self.reset_less = reset_less
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        state, other = Signal(init=1, reset_less=self.reset_less), Signal()
        m.d.sync += [state.eq(state & ~self.fall), other.eq(self.fall)]
        m.d.comb += self.o.eq(state ^ other)
        return m


class Echo(wiring.Component):
    """Stand-in for the board's design: UART pins, a block RAM with contents, some logic."""

    uart_rx: In(1)
    uart_tx: Out(1, init=1)
    led_busy: Out(1)
    led_done: Out(1)
    led_alive: Out(1)

    def __init__(self, init: list[int]):
        self.init = init
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = rom = Rom(32, self.init, 8)
        history, at = Signal(32), Signal(10)
        m.d.sync += [history.eq(self.uart_rx << 31 | history >> 1), at.eq(at + 1)]
        m.d.comb += [rom.addr.eq(at), rom.w_addr.eq(at), rom.w_data.eq(history)]
        m.d.comb += rom.w_en.eq(history[:4])
        m.d.sync += self.uart_tx.eq(rom.data.xor())
        m.d.comb += [self.led_busy.eq(at[-1]), self.led_done.eq(0), self.led_alive.eq(1)]
        return m


def echo(board, program):
    """Return the stand-in for ``hw.build.steps.board_design``."""
    return Echo([int(w) for w in program.words][:1024])
