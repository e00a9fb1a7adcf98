"""The mover: brings blocks of column memory from outside while the core computes."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import ResetInserter, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.arch.memmap import Mem
from hw.arch.outside import ADDRESS_BITS, HALVES, PATIENCE, WORD_BITS
from hw.arch.schedule import block_free
from hw.core.memories import Load
from hw.core.outside import OutsidePort
from hw.core.pipe import delay
from hw.core.words import ADDR

BLOCKS = 12  #: Bits of how many blocks an order has.


class Order(data.Struct):
    """Blocks to bring: a MOVE."""

    addr: unsigned(ADDRESS_BITS)  #: Outside, of the first block.
    words: unsigned(ADDR)  #: Of each bank.
    blocks: unsigned(BLOCKS)


def moving_members() -> dict[str, Any]:
    """Return what a sequencer says to a mover, and hears of it."""
    flags = dict.fromkeys(("take", "end", "stalled"), Out(1))
    return {"order": Out(stream.Signature(Order)), "ready": In(1)} | flags


class Visit(data.Struct):
    """A word outside that is read or written while the core is idle."""

    addr: unsigned(ADDRESS_BITS)
    data: unsigned(WORD_BITS)
    write: unsigned(1)


class Mover(wiring.Component):
    """Carries out orders one after the other, a block at a time, into the halves by turns.

    It asks for a block as soon as its half is free: no column tile that has had it is under way. A
    word goes to column memory in a cycle in which the core itself writes none there.

    Latency: as `hw.arch.outside.Transfers` has it. Throughput: a word of 32 bits a cycle, if the
    memory outside gives them. A visit that the memory does not answer in PATIENCE cycles is given
    up; what was to be read is all ones then.

    Parameters
    ----------
    config : Config, with a ``block_depth``.

    Members
    -------
    clear : In(1), all that was ordered is forgotten, and all that was counted.
    order : In(stream of Order), one waits beside the one that is carried out.
    take, end : In(1), a column tile takes its block, and has issued its last word.
    ready : Out(1), there is a block that no column tile has taken.
    port : Out(OutsidePort()), the memory outside.
    load : Out(Load), a word for column memory, taken : In(1), which it goes to in this cycle.
    visit : In(stream of Visit), not while there are orders; it is over when it is taken.
    word : Out(WORD_BITS), a register, what the last one has read.
    """

    clear: Signal
    order: Any
    take: Signal
    end: Signal
    ready: Signal
    port: Any
    load: Any
    taken: Signal
    visit: Any
    word: Signal

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "clear": In(1),
                "order": In(stream.Signature(Order)),
                "take": In(1),
                "end": In(1),
                "ready": Out(1),
                "port": Out(OutsidePort()),
                "load": Out(Load),
                "taken": In(1),
                "visit": In(stream.Signature(Visit)),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        order, port = self.order, self.port
        waiting: Any = Signal(Order)
        waits = Signal()
        hand: Any = Signal(Order)
        counts = [Signal(2, name=name) for name in ("came", "begun", "freed")]
        came, begun, freed = counts
        held = Signal(2)  # halves that hold a block, or whose column tile is under way
        whole = Signal()  # a block's last word goes to memory
        given_up = Signal()
        m.d.comb += [
            order.ready.eq(~waits),
            held.eq(came - freed),
            self.ready.eq(came != begun),
            port.drop.eq(self.clear | given_up),
        ]
        with m.If(order.valid & order.ready):
            m.d.sync += [waits.eq(1), waiting.eq(order.payload)]
        with m.If(self.take):
            m.d.sync += begun.eq(begun + 1)
        with m.If(delay(m, self.end, block_free(self.config) - 1, name="freed", reset=True)):
            m.d.sync += freed.eq(freed + 1)
        moving, request = Signal(), port.request.payload
        self._words(m, hand, came, whole, moving)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                with m.If(waits):
                    m.d.sync += [hand.eq(waiting), waits.eq(0)]
                    m.next = "ASK"
                with m.Elif(self.visit.valid & ~self.visit.ready):
                    m.next = "VISIT"
            self._visit(m, given_up)
            with m.State("ASK"):
                m.d.comb += [request.addr.eq(hand.addr), request.count.eq(self._count(hand))]
                m.d.comb += port.request.valid.eq(held < HALVES)
                with m.If(port.request.valid & port.request.ready):
                    m.next = "BRING"
            with m.State("BRING"):
                m.d.comb += moving.eq(1)
                with m.If(whole):
                    m.d.sync += [
                        hand.addr.eq(hand.addr + self._count(hand)),
                        hand.blocks.eq(hand.blocks - 1),
                        came.eq(came + 1),
                    ]
                    m.next = "ASK"
                    with m.If(hand.blocks == 1):
                        m.next = "IDLE"
        return ResetInserter(self.clear)(m)

    def _visit(self, m: Module, given_up: Signal) -> None:
        """States that read or write a word that is asked for while the core is idle."""
        port, visit, request = self.port, self.visit, self.port.request.payload
        left = Signal(range(PATIENCE))
        over, visiting = Signal(), Signal()
        m.d.sync += left.eq(Mux(visiting, left - 1, PATIENCE - 1))
        m.d.sync += self.visit.ready.eq(over)
        with m.State("VISIT"):
            m.d.comb += [
                visiting.eq(1),
                request.addr.eq(visit.payload.addr),
                request.count.eq(1),
                request.write.eq(visit.payload.write),
                port.request.valid.eq(1),
            ]
            with m.If(port.request.ready):
                m.next = "WORD"
            with m.Elif(left == 0):
                m.next = "GIVE UP"
        with m.State("WORD"):
            m.d.comb += [
                visiting.eq(1),
                port.write.payload.eq(visit.payload.data),
                port.write.valid.eq(visit.payload.write),
            ]
            m.d.comb += port.read.ready.eq(~visit.payload.write)
            with m.If(Mux(visit.payload.write, port.write.ready, port.read.valid)):
                m.d.sync += self.word.eq(port.read.payload)
                m.d.comb += over.eq(1)
                m.next = "IDLE"
            with m.Elif(left == 0):
                m.next = "GIVE UP"
        with m.State("GIVE UP"):
            m.d.comb += [given_up.eq(1), over.eq(1)]
            m.d.sync += self.word.eq((1 << WORD_BITS) - 1)
            m.next = "IDLE"

    def _count(self, hand: Any) -> Any:
        """Outside words of a block: of all banks, as many as it has of each."""
        return hand.words << self._within

    @property
    def _within(self) -> int:
        """Bits of a word's place below its number in a bank: those of part and bank."""
        parts = self.config.width // WORD_BITS
        return parts.bit_length() - 1 + self.config.cols.bit_length() - 1

    def _words(self, m: Module, hand: Any, came: Signal, whole: Signal, moving: Signal) -> None:
        """Give the words that come their places: 32-bit part, bank, word of the half, in turn."""
        config, port, within = self.config, self.port, self._within
        parts = config.width // WORD_BITS
        place = Signal(within + ADDR)
        load: Any = Signal(Load)
        last = Signal()
        with m.If(moving):
            m.d.comb += port.read.ready.eq(~load.valid | self.taken)
        m.d.comb += [
            self.load.eq(load),
            whole.eq(load.valid & last & self.taken),
        ]
        with m.If(self.taken):
            m.d.sync += load.valid.eq(0)
        word = place[within:]
        half = Const(config.block_depth, ADDR) & came[0].replicate(ADDR)
        with m.If(moving & port.read.valid & port.read.ready):
            m.d.sync += [
                load.valid.eq(1),
                load.data.eq(port.read.payload),
                load.mem.eq(Mem.COL),
                load.part.eq(place[: parts.bit_length() - 1]),
                load.bank.eq(place[parts.bit_length() - 1 : within]),
                load.word.eq(word | half),
                last.eq((word == hand.words - 1) & Cat(place[:within]).all()),
                place.eq(place + 1),
            ]
        with m.If(whole):
            m.d.sync += place.eq(0)
