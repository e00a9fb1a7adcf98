"""The memory outside the chip that is a quad SPI flash: read only, written by a programmer."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch.outside import ADDRESS_BITS, COUNT_BITS, WORD_BITS
from hw.core.outside import OutsidePort
from hw.outside import nor
from hw.outside.nor import LANES, NIBBLES, QUAD_OUTPUT, Read

ONE_LANE = 0b1101  #: Lanes that are driven then: data, and the two that protect and hold, high.
SENT = 40  #: Bits that a command may have before its dummy clocks.


class Pins(wiring.Signature):
    """A flash's pins, active high; each is a register's output or input.

    Members
    -------
    clk : Out(1), half as fast as the core's clock; stops at 0.
    clk_oe : Out(1), that ``clk`` is driven: low in reset only.
    cs : Out(1).
    o, oe, i : Out(4), Out(4), In(4), the data pins: dq0 (what a lane alone goes out by), dq1, dq2
        (write protect), dq3 (hold).
    """

    def __init__(self):
        super().__init__(
            {
                "clk": Out(1),
                "clk_oe": Out(1),
                "cs": Out(1),
                "o": Out(LANES),
                "oe": Out(LANES),
                "i": In(LANES),
            }
        )


class Flash(wiring.Component):
    """A flash behind the core's port: woken after reset, then read as it is asked.

    A word is four bytes of the flash, the one at the lowest address being its bits 7 to 0; word n
    stands ``offset + 4 n`` bytes from the beginning. What lies beyond the end of the flash is its
    beginning again, the FPGA's configuration. After a request the chip stays selected, and a
    request for the words that follow goes on there, without a command; it takes as long as others
    all the same, so that a forecast is exact. Where nobody takes a word the flash's clock stops.
    Requests wait until the flash is woken, some 0.2 ms after reset. Requests to write, and their
    words, are taken and forgotten.

    Latency and throughput: those of ``contract``, `hw.outside.nor.contract`, which a word keeps to
    while the one before it is taken within 12 cycles. A request is taken when all words of the one
    before are clocked out; a drop is over in the next cycle.

    Parameters
    ----------
    clock : of the core, in Hz; SpikeloomError where it is too fast.
    offset : bytes, a multiple of 4.
    volatile_quad : as `hw.outside.nor.steps` has it.
    read : the command.

    Members
    -------
    port : In(OutsidePort), the core's.
    pins : Out(Pins).
    """

    port: Any
    pins: Any

    def __init__(
        self, *, clock: int, offset: int, volatile_quad: bool = False, read: Read = QUAD_OUTPUT
    ):
        nor.check_clock(clock)
        assert offset % 4 == 0, offset
        assert 0 <= offset < 1 << nor.ADDRESS_BITS, offset
        self.clock, self.offset, self.read = clock, offset, read
        self.steps = nor.steps(volatile_quad)
        self.deselected = nor.cycles(nor.DESELECTED, clock)
        self.contract = nor.contract(clock, read)
        super().__init__({"port": In(OutsidePort()), "pins": Out(Pins())})

    def elaborate(self, platform):
        m, port, read, pins = Module(), self.port, self.read, self.pins
        request = port.request.payload
        waits = [nor.cycles(step.wait, self.clock) for step in self.steps]
        timer = Signal(range(max(*waits, self.deselected + 2 * read.clocks) + 1))
        step, awake = Signal(range(len(self.steps))), Signal()
        selected, clk = Signal(), Signal()
        shift, left = Signal(SENT), Signal(range(read.clocks + 1))
        at, words = Signal(ADDRESS_BITS), Signal(COUNT_BITS)
        nibble = Signal(range(NIBBLES))
        fetch, room = Signal(), Signal()  # a nibble is clocked in; there is a place for a word
        self._pads(m, selected, clk, shift, left, awake)
        self._words(m, fetch & clk, nibble == NIBBLES - 1, room)

        gap = self.deselected

        def drop() -> None:
            """Where the core drops all, the chip is not selected any more."""
            with m.If(port.drop):
                m.d.sync += [clk.eq(0), nibble.eq(0)]
                m.next = "CLOSED"

        with m.FSM(name="state"):
            with m.State("WAIT"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.next = "CLOSED"
            with m.State("CLOSED"):
                m.d.comb += port.request.ready.eq(awake)
                with m.If(~awake):
                    codes = [int.from_bytes(bytes(s.code)) for s in self.steps]
                    sizes = [8 * len(s.code) for s in self.steps]
                    first = [c << SENT - size for c, size in zip(codes, sizes, strict=True)]
                    m.d.sync += [shift.eq(Array(first)[step]), left.eq(Array(sizes)[step])]
                    m.next = "SEND"
                with m.Elif(port.request.valid):
                    m.d.sync += timer.eq(gap - 1)
                    m.next = "GAP"
                    with m.If(request.write):
                        m.next = "SWALLOW"
                    drop()
            with m.State("GAP"):
                m.d.sync += [timer.eq(timer - 1), left.eq(read.clocks)]
                m.d.sync += shift.eq(self._command(at))
                with m.If(timer == 0):
                    m.next = "SEND"
                drop()
            with m.State("SEND"):
                m.d.comb += selected.eq(1)
                m.d.sync += clk.eq(~clk)
                with m.If(clk):
                    wide = awake & (left <= read.wide + read.dummy) & (read.wide > 0)
                    m.d.sync += [shift.eq(Mux(wide, shift << LANES, shift << 1)), left.eq(left - 1)]
                with m.If(clk & (left == 1)):
                    m.next = "READ"
                    with m.If(~awake):
                        m.next = "SENT"
                with m.If(awake):
                    drop()
            with m.State("SENT"):
                m.d.comb += selected.eq(1)
                m.d.sync += [step.eq(step + 1), awake.eq(step == len(self.steps) - 1)]
                m.d.sync += timer.eq(Array(waits)[step])
                m.next = "WAIT"
            with m.State("READ"):
                m.d.comb += [selected.eq(1), fetch.eq(1)]
                with m.If(clk | (nibble != NIBBLES - 1) | room):
                    m.d.sync += clk.eq(~clk)
                with m.If(clk):
                    m.d.sync += nibble.eq(nibble + 1)
                    with m.If(nibble == NIBBLES - 1):
                        m.d.sync += [at.eq(at + 1), words.eq(words - 1)]
                        with m.If(words == 1):
                            m.next = "OPEN"
                drop()
            with m.State("OPEN"):
                m.d.comb += [selected.eq(1), port.request.ready.eq(1)]
                with m.If(port.request.valid):
                    m.d.sync += timer.eq(gap - 1)
                    m.next = "GAP"
                    with m.If(request.addr == at):
                        m.d.sync += timer.eq(gap + 2 * read.clocks - 1)
                        m.next = "HOLD"
                    with m.If(request.write):
                        m.next = "SWALLOW"
                drop()
            with m.State("HOLD"):
                m.d.comb += selected.eq(1)
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.next = "READ"
                drop()
            with m.State("SWALLOW"):
                m.d.comb += port.write.ready.eq(1)
                with m.If(port.write.valid):
                    m.d.sync += words.eq(words - 1)
                    with m.If(words == 1):
                        m.next = "CLOSED"
                drop()
        with m.If(port.request.valid & port.request.ready):
            m.d.sync += [at.eq(request.addr), words.eq(request.count)]
        m.d.sync += pins.clk_oe.eq(1)
        return m

    def _command(self, addr: Any) -> Any:
        """Return the bits of the command that reads from a word on, the first one highest."""
        place = (Cat(Const(0, 2), addr) + self.offset)[: nor.ADDRESS_BITS]
        return Cat(Const(0, SENT - 8 - nor.ADDRESS_BITS), place, Const(self.read.opcode, 8))

    def _pads(self, m: Module, selected: Any, clk: Any, shift: Any, left: Any, awake: Any) -> None:
        """Put a register before each pin: what is sent changes as the clock falls."""
        read, pins = self.read, self.pins
        o, oe = Signal(LANES), Signal(LANES)
        m.d.comb += [o.eq(Cat(shift[-1], Const(0, 1), Const(3, 2))), oe.eq(ONE_LANE)]
        with m.If(awake & (left <= read.dummy)):
            m.d.comb += oe.eq(0)
        if read.wide:
            with m.Elif(awake & (left <= read.wide + read.dummy)):
                m.d.comb += [o.eq(shift[-LANES:]), oe.eq(-1)]
        m.d.sync += [
            pins.clk.eq(clk),
            pins.cs.eq(selected),
            pins.o.eq(o),
            pins.oe.eq(Mux(selected, oe, 0)),
        ]

    def _words(self, m: Module, high: Any, last: Any, room: Any) -> None:
        """Put nibbles together: each is taken at the edge with which the pin's clock falls.

        ``high``: the clock is, with a nibble of a word, ``last`` with the last one; two cycles on
        the register behind the pins has it.
        """
        port = self.port
        i, have = Signal(LANES), Signal(WORD_BITS - LANES)
        coming, ends = Signal(2), Signal(2)
        word = Cat(i, have)
        m.d.sync += [
            i.eq(self.pins.i),
            coming.eq(Cat(high, coming)),
            ends.eq(Cat(high & last, ends)),
        ]
        m.d.comb += room.eq(~port.read.valid | port.read.ready)
        with m.If(port.read.ready):
            m.d.sync += port.read.valid.eq(0)
        with m.If(coming[1]):
            m.d.sync += have.eq(word)
        with m.If(ends[1]):
            # the first byte came first, its high half before its low one
            bytes_ = [word[n : n + 8] for n in range(WORD_BITS - 8, -1, -8)]
            m.d.sync += [port.read.valid.eq(1), port.read.payload.eq(Cat(*bytes_))]
        with m.If(port.drop):
            m.d.sync += [coming.eq(0), ends.eq(0), port.read.valid.eq(0)]
