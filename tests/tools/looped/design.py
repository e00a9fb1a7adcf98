"""A part of every operation, several times in a row: each hands on what it makes."""

from amaranth import Array, Cat, Instance, Module, Mux, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.tools.export import rtlil_text
from hw.tools.looped.netlist import Netlist, registers_named
from hw.tools.yosys import run_yosys

COPIES = 9


class Part(wiring.Component):
    """Arithmetic, choices, shifts and memories of one copy."""

    def __init__(self):
        self.sum = Signal(36, name="sum")
        ports = {"a": In(13), "b": In(signed(18)), "mode": In(4), "o": Out(13), "p": Out(36)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        a, b = Signal(13), Signal(signed(18), reset_less=True)
        p, total = Signal(signed(36)), Signal(signed(20), init=5)
        small, flag, shifted = Signal(signed(7)), Signal(), Signal(40)
        chosen = Signal(signed(18))
        m.d.sync += [a.eq(self.a), b.eq(self.b ^ total), p.eq(b * a.as_signed() - p)]
        with m.Switch(self.mode[:3]):
            for n, value in enumerate((b + small, b - a, -b, ~b, a & b, a | b, b >> 3)):
                with m.Case(n):
                    m.d.comb += chosen.eq(value)
            with m.Default():
                m.d.comb += chosen.eq(Array([a, b, total, small])[self.mode[2:]])
        m.d.sync += [
            total.eq(Mux(chosen < total, chosen + total, total - (a << 2)) + flag),
            small.eq(Cat(b[3:6], a.any(), b.all(), a.xor(), ~(a == b[:13]))),
            flag.eq((b >= small) ^ (a <= total[:13]) ^ (p != total)),
            shifted.eq((p.as_unsigned() << self.mode) ^ (Cat(a, b.as_unsigned()) >> small[:4])),
        ]
        self._wide(m, Cat(p, b, total, a), a)
        m.submodules.near = near = memory.Memory(shape=18, depth=8, init=[3, 1, 4])
        write, read = near.write_port(), near.read_port(domain="comb")
        m.submodules.far = far = memory.Memory(shape=32, depth=16, init=[7])
        bytewise, later = far.write_port(granularity=8), far.read_port()
        m.d.comb += [
            write.addr.eq(a[:3]), write.data.eq(chosen), write.en.eq(flag), read.addr.eq(b[2:5]),
            bytewise.addr.eq(b[:4]), bytewise.data.eq(p[2:34]), bytewise.en.eq(a[3:7]),
            later.addr.eq(a[4:8]), later.en.eq(self.mode[0] | b[0]),
            self.o.eq(total[:13] ^ read.data[5:] ^ later.data[19:]),
            self.p.eq(p ^ shifted[4:] ^ later.data ^ self.sum),
        ]  # fmt: skip
        return m

    def _wide(self, m, value, a):
        """What no number of 64 bits holds: registers, choices, counts and a memory."""
        wide, chosen = Signal(len(value), init=3 << 80, name="wide"), Signal(len(value))
        with m.Switch(a[:2]):
            with m.Case(0):
                m.d.comb += chosen.eq(value ^ wide)
            with m.Case(1):
                m.d.comb += chosen.eq(value & ~wide)
            with m.Case(2):
                m.d.comb += chosen.eq(wide.rotate_left(7))
            with m.Default():
                m.d.comb += chosen.eq(wide | value.rotate_right(3))
        ones, far = (
            Signal(range(len(value) + 1)),
            memory.Memory(shape=len(value), depth=6, init=[9]),
        )
        m.submodules.count = Instance("countones", p_WIDTH=len(value), i_a=chosen, o_o=ones)
        m.submodules.wide = far
        write, read = far.write_port(granularity=29), far.read_port()
        m.d.comb += [
            write.addr.eq(Mux(a[4], a[2:4], 5)), write.data.eq(chosen), write.en.eq(a[5:8]),
            read.addr.eq(Mux(a[8], a[9:11], 5)), read.en.eq(a[11] | a[3]),
        ]  # fmt: skip
        bits = Cat(wide.any(), read.data.xor(), (read.data | chosen).all(), ~wide.any())
        m.d.sync += [
            wide.eq(Mux(a[12], chosen, read.data)),
            self.sum.eq(Cat(ones, bits) ^ wide[60:]),
        ]


class Row(wiring.Component):
    """Copies of `Part`, each before the next."""

    def __init__(self):
        super().__init__({"a": In(13), "b": In(signed(18)), "mode": In(4), "o": Out(49)})

    def elaborate(self, platform):
        m = Module()
        a, p = self.a, 0
        for n in range(COPIES):
            m.submodules[f"part_{n}"] = part = Part()
            b = self.b if n != 3 else ~self.b
            m.d.comb += [part.a.eq(a), part.b.eq(b), part.mode.eq(self.mode)]
            a, p = part.o, p ^ part.p
        m.d.comb += self.o.eq(Cat(a, p))
        return m


def netlist(folder):
    """The netlist of a row."""
    text = registers_named(rtlil_text(Row(), name="row"))
    (folder / "row.il").write_text(text, encoding="utf-8")
    steps = ["read_rtlil row.il", "hierarchy -top row", "proc", "flatten", "opt_clean"]
    run_yosys([*steps, "memory_collect", "write_json row.json"], cwd=folder, name="row")
    return Netlist.read(folder / "row.json", "row")
