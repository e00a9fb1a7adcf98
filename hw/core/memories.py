"""Memories: the load port that reaches them from outside, and the bank they are all made of."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from amaranth import Cat, Module, Shape, Signal, Value
from amaranth.hdl import unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hw.arch.memmap import Mem
from hw.common.attributes import APART
from hw.core.pipe import Pipeline, delay
from hw.core.words import ADDR


class Place(data.Struct):
    """A load port address; its fields as `hw.arch.memmap` orders them."""

    word: unsigned(16)
    part: unsigned(4)  #: 32-bit part of the word, 0 the least significant.
    bank: unsigned(7)
    mem: unsigned(3)  #: hw.arch.memmap.Mem.


class Load(data.Struct):
    """A write from outside: the fields of a `Place`, and what is written there."""

    word: unsigned(16)
    part: unsigned(4)
    bank: unsigned(7)
    mem: unsigned(3)
    data: unsigned(32)
    valid: unsigned(1)


class LoadPort(wiring.Component):
    """Splits the load port's address and gates its writes.

    Program memory takes a load as it comes. What the core writes too, takes it by way of
    write-back, before the registers of its write ports, which rest while the core does.

    Latency: 1 cycle; a load lands two cycles after it was presented in program memory, three in
    the others.
    Throughput: one write a cycle.

    Members
    -------
    valid, addr, data : In(1), In(32), In(32)
        A write, its address (hw.arch.memmap) and the 32 bits.
    busy : In(1)
        The core runs: writes are dropped.
    load : Out(Load)
        The write, a register.
    forget : Out(1)
        The write goes to Mem.CTRL.
    """

    valid: Signal
    addr: Signal
    data: Signal
    busy: Signal
    load: Any
    forget: Signal

    latency = 1

    def __init__(self):
        super().__init__(
            {
                "valid": In(1),
                "addr": In(32),
                "data": In(32),
                "busy": In(1),
                "load": Out(Load),
                "forget": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        load: Any = Signal(Load)
        m.d.comb += [
            Cat(load.word, load.part, load.bank, load.mem).eq(self.addr),
            load.data.eq(self.data),
            load.valid.eq(self.valid & ~self.busy),
            self.load.eq(Pipeline(m, load, 0, name="load", cleared=("valid",)).at(self.latency)),
            self.forget.eq(self.load.valid & (self.load.mem == Mem.CTRL)),
        ]
        return m


class Bank(wiring.Component):
    """One memory: a read port, and a write port for the core or for the load port.

    What is written while the same word is read does not show: the old word is read. Where nobody
    reads so (``apart``), what is read then is not defined.

    Latency: ``latency`` cycles from ``read_addr`` to ``read_data``, 1, or 2 where it is
    registered. Throughput: a read and a write a cycle.

    Parameters
    ----------
    shape : Shape
        Of a word.
    depth : int
        Words; an address that reaches beyond is cut to the bits that it needs.
    unit : int or None
        Bits that a write enable stands for; None: one enable for the whole word.
    init : ints
        Contents after configuration, from word 0; the rest is 0.
    load : Mem or None
        What the load port, which alone writes it, calls the memory; None: the core writes it.
    gated : bool
        Whether reads are enabled one by one; without, the word read last stays.
    registered : bool
        A register takes what is read: the memory's own, where an FPGA's has one.
    apart : bool
        No word whose reading matters is written in the cycle that reads it.
    strict : bool
        Where one is, all its bits are read inverted: who relied on it is found out.
    style : str
        ``block`` or ``distributed``: what tools are told to make it of.

    Members
    -------
    read_addr : In(ADDR). read_data : Out(shape). read_en : In(1), where reads are gated.
    write_en : In(number of units or 1), write_addr : In(ADDR), write_data : In(shape)
        Where the core writes.
    load : In(Load)
        Where the load port does, whole words.
    """

    read_addr: Signal
    read_data: Signal
    read_en: Signal
    write_en: Signal
    write_addr: Signal
    write_data: Signal
    load: Any

    def __init__(
        self,
        shape: Any,
        depth: int,
        *,
        unit: int | None = None,
        init: Iterable[int] = (),
        load: Mem | None = None,
        gated: bool = False,
        registered: bool = False,
        apart: bool = False,
        strict: bool = False,
        style: Literal["block", "distributed"] = "block",
    ):
        self.shape, self.depth, self.unit = Shape.cast(shape), depth, unit
        self.init, self.style, self.mem, self.gated = list(init), style, load, gated
        self.registered, self.apart, self.strict = registered, apart, apart and strict
        members = {"read_addr": In(ADDR), "read_data": Out(self.shape)}
        if gated:
            members["read_en"] = In(1)
        if load is None:
            members |= {
                "write_en": In(self.shape.width // unit if unit else 1),
                "write_addr": In(ADDR),
                "write_data": In(self.shape),
            }
        else:
            assert unit is None
            members["load"] = In(Load)
        super().__init__(members)

    @property
    def latency(self) -> int:
        return 2 if self.registered else 1

    def elaborate(self, platform):
        m = Module()
        attributes = {"ram_style": self.style} | ({APART: "1"} if self.apart else {})
        m.submodules.mem = mem = memory.Memory(
            shape=self.shape, depth=self.depth, init=self.init, attrs=attributes
        )
        wp, rp = mem.write_port(granularity=self.unit), mem.read_port()
        word = self._spoiled(m, wp, rp) if self.strict else rp.data
        if self.registered:
            word = delay(m, word, 1, name="read")
        m.d.comb += [rp.addr.eq(self.read_addr), self.read_data.eq(word)]
        if self.gated:
            m.d.comb += rp.en.eq(self.read_en)
        if self.mem is None:
            en, addr, word = self.write_en, self.write_addr, self.write_data
        else:
            load = self.load
            en, addr, word = load.valid & (load.mem == self.mem), load.word, load.data
        m.d.comb += [wp.en.eq(en), wp.addr.eq(addr), wp.data.eq(word)]
        return m

    def _spoiled(self, m: Module, write: Any, read: Any) -> Value:
        """Return the word read, its bits inverted where that very word was written."""
        met = Signal()
        with m.If(read.en):
            m.d.sync += met.eq(write.en.any() & (write.addr == read.addr))
        return read.data ^ met.replicate(len(read.data))


class Banks(wiring.Component):
    """Banks of one memory side by side, with ports for each.

    Latency and Throughput: those of `Bank`, for every bank.

    Parameters
    ----------
    count : int
        Number of banks.
    width, depth : int
        Bits and words of each; bytes are written one by one.
    init : one sequence of ints for each bank, or None.
    gated : bool
        Whether reads are enabled, those of each bank by themselves.
    registered, apart, strict : bool
        As `Bank`'s.

    Members, each ``count`` times
    -------
    read_addr : In(ADDR), read_data : Out(width), write_en : In(width / 8), write_addr : In(ADDR),
    write_data : In(width), and read_en : In(1) where reads are gated, as `Bank`'s.
    """

    read_addr: Any
    read_data: Any
    read_en: Any
    write_en: Any
    write_addr: Any
    write_data: Any

    @property
    def latency(self) -> int:
        return self.banks[0].latency

    def __init__(
        self,
        count: int,
        width: int,
        depth: int,
        *,
        init: Sequence[Iterable[int]] | None = None,
        gated: bool = False,
        registered: bool = False,
        apart: bool = False,
        strict: bool = False,
    ):
        self.banks = [
            Bank(
                width,
                depth,
                unit=8,
                init=init[b] if init else (),
                gated=gated,
                registered=registered,
                apart=apart,
                strict=strict,
            )
            for b in range(count)
        ]
        enables = {"read_en": In(1).array(count)} if gated else {}
        super().__init__(
            enables
            | {
                "read_addr": In(ADDR).array(count),
                "read_data": Out(width).array(count),
                "write_en": In(width // 8).array(count),
                "write_addr": In(ADDR).array(count),
                "write_data": In(width).array(count),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for b, bank in enumerate(self.banks):
            m.submodules[f"bank_{b}"] = bank
            m.d.comb += [
                bank.read_addr.eq(self.read_addr[b]),
                self.read_data[b].eq(bank.read_data),
                bank.write_en.eq(self.write_en[b]),
                bank.write_addr.eq(self.write_addr[b]),
                bank.write_data.eq(self.write_data[b]),
                *([bank.read_en.eq(self.read_en[b])] if bank.gated else []),
            ]
        return m
