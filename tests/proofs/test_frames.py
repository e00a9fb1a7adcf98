# amaranth: UnusedElaboratable=no
"""The link endpoint's buffer: what a request carries is what the core gets, for all requests.

A request's payload waits in a block RAM until its CRC is known. Of any one byte of any payload it
is proved that it is loaded once, in its word and at its address, if its request is granted.
"""

from typing import Any

import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal

from hw.arch import Config
from hw.arch.link import ADDR_BYTES, READ_PAYLOAD, Command
from hw.soc import link
from tests.proofs.induction import always, any_one, given, proved
from tests.proofs.sources import faulty

SEEN = {"fsm_state": 5, "index": 8, "length": 8, "code": 3, "addr": 32, "word": 32, "reason": 3}
SEEN |= {"$signature__en": 1, "$signature__addr": 8, "$signature__data": 8}
SEEN |= {"read__addr": 8, "read__data": 8}


class Loads(Elaboratable):
    """WRITE and WRITE_BYTES beside the bytes that came."""

    def __init__(self, module):
        self.dut = d = module.LinkEndpoint(Config(), clk_freq=50_000_000)
        self.part: Any = d.elaborate(None)
        (fsm,) = self.part._generated.values()
        self.states = fsm.encoding
        self.place = Signal(8, name="any_place")
        self.ports = [d.i.payload, d.i.valid, d.o.ready, d.tick, d.busy, d.done, d.cycles]
        self.ports += [d.peek_data, self.place]
        self.seen = {name: Signal(n, name=f"seen_{k}") for k, (name, n) in enumerate(SEEN.items())}
        self.inside = {s.name: f"dut.{name}" for name, s in self.seen.items()}
        self.ports += self.seen.values()

    def _in(self, *names):
        state = self.seen["fsm_state"]
        return Cat(state == self.states[name] for name in names).any()

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut, d = self.part, self.dut
        s = self.seen
        place = any_one(m, self.place)
        index, length = s["index"], s["length"]
        takes = self._in("BODY") & d.i.valid
        acts = self._in("FETCH", "TAKE", "ACT")
        bytes_ = s["code"] == Command.WRITE_BYTES
        writes = bytes_ | (s["code"] == Command.WRITE)
        came = [self._byte(m, n, takes, index, length) for n in (*range(ADDR_BYTES), place)]
        # How many words were loaded, of the request in hand.
        loaded = Signal(8)
        with m.If(self._in("CHECK")):
            m.d.sync += loaded.eq(0)
        with m.Elif(d.load_valid):
            m.d.sync += loaded.eq(loaded + 1)
        m.d.comb += always(~d.load_valid | (self._in("ACT") & writes & (s["reason"] == 0)))
        asks = self._in("HEAD", "BODY", "CRC", "CHECK", "FETCH", "TAKE", "ACT")
        reads = (s["code"] == Command.READ) & (length == READ_PAYLOAD) & (index <= length)
        m.d.comb += always(~acts | writes | reads)
        m.d.comb += always(~asks | (s["reason"] == 0) | acts & ~writes)
        with m.If(acts & writes):
            m.d.comb += [
                always((length > ADDR_BYTES) & (index <= length) & (bytes_ | (length[:2] == 0))),
            ]
            done = index - self._in("ACT")  # bytes whose words are loaded
            words = Mux(bytes_, done - ADDR_BYTES, (done - ADDR_BYTES) >> 2)
            m.d.comb += always(loaded == Mux(done >= ADDR_BYTES, words, 0)[:8])
            m.d.comb += always((index > 0) | ~self._in("ACT"))
            m.d.comb += always((index < length) | self._in("ACT"))
            self._addresses(m, came[:ADDR_BYTES], loaded, done)
            for n, byte in zip((*range(ADDR_BYTES), place), came, strict=True):
                self._words(m, byte, n, bytes_)
        with m.If(d.load_valid):
            first = index - Mux(bytes_, 1, 4)
            with m.If(bytes_ & (place == first)):
                m.d.comb += always(d.load_data == came[-1])
            for n in range(4):
                with m.If(~bytes_ & (place == first + n)):
                    m.d.comb += always(d.load_data.word_select(n, 8) == came[-1])
        return m

    def _byte(self, m, place, takes, index, length):
        """Return the byte that came as payload byte ``place``; it is in the buffer since."""
        d, s = self.dut, self.seen
        byte, stored, before, asked = Signal(8), Signal(8), Signal(8), Signal(8)
        with m.If(takes & (index == place)):
            m.d.sync += byte.eq(d.i.payload)
        with m.If(s["$signature__en"] & (s["$signature__addr"] == place)):
            m.d.sync += stored.eq(s["$signature__data"])
        m.d.sync += [before.eq(stored), asked.eq(s["read__addr"])]
        with m.If(asked == place):
            m.d.comb += given(s["read__data"] == before)
        m.d.comb += always(stored == byte)
        return byte

    def _addresses(self, m, came, loaded, done):
        """The address is the payload's first bytes, and a word more with each word."""
        s = self.seen
        base = Cat(*came)
        with m.If(done >= ADDR_BYTES):
            m.d.comb += [
                always(s["addr"][16:] == base[16:]),
                always(s["addr"][:16] == (base[:16] + loaded)[:16]),
            ]

    def _words(self, m, byte, place, bytes_):
        """Bytes that were taken since stand at the top of the word."""
        s = self.seen
        alone = bytes_ & (s["index"] > ADDR_BYTES)
        with m.If(alone & (place + 1 == s["index"])):
            m.d.comb += always(s["word"] == byte)
        for n in range(4):
            with m.If(~alone & (place + n + 1 == s["index"])):
                m.d.comb += always(s["word"].word_select(3 - n, 8) == byte)


def test_what_a_request_carries_is_loaded_once(tmp_path):
    design = Loads(link)
    assert proved(design, design.ports, tmp_path, inside=design.inside, most=3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f.write.eq(self.i.valid)", "f.write.eq(self.i.valid & ~self.tick)"),
        ("Cat(f.word[8:], f.read)", "Cat(f.read, f.word[:24])"),
        (
            "load_valid.eq(1)\n                    m.d.sync += f.addr[:16].eq(f.addr[:16] + 1)",
            "load_valid.eq(1)\n                    m.d.sync += f.addr.eq(f.addr + 1)",
        ),
        ("with m.If(f.index == f.length):", "with m.If(f.index + 1 == f.length):"),
        ("(f.code == Command.WRITE_BYTES) & (f.index[2:] != 0)", "f.code == Command.WRITE_BYTES"),
        ("(length[:2] == 0) & (length > link.ADDR_BYTES)", "(length > link.ADDR_BYTES)"),
    ],
)
def test_a_fault_of_the_buffer_is_seen(tmp_path, old, new):
    design = Loads(faulty(link, old, new))
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=3)
