"""Row operands: R banks read at once, rotated by a horizontal tap, masked, skewed."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.isa import SLOT_BYTES, Pack
from hw.core.pipe import delay
from hw.core.words import ADDR, Word


class RowRead(wiring.Component):
    """Row words of a tile, row r skewed by r cycles.

    A horizontal shift turns the banks by one; bytes of columns outside the image, and of words
    that are not valid, are 0.

    Latency: 1 cycle from ``data`` to ``rows`` of row 0. Throughput: a word of every row a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    word : In(Word), at 0.
    pack : In(2), hw.arch.isa.Pack, slot_bytes_log2 : In(2), gs : In(ADDR), distance between
        groups of R tokens: fields of the instruction, at 0.
    addr : Out(ADDR), R times, bank addresses at ROW_ADDRESS; data : In(W), R times, at ROW_DATA.
    rows : Out(W), R times; row r at ROW_READ + r.
    some : Out(1), at ROW_READ + 1: a row's word, of any row, is not 0.
    """

    word: Any
    pack: Signal
    slot_bytes_log2: Signal
    gs: Signal
    addr: Any
    data: Any
    rows: Any
    some: Signal

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "word": In(Word),
                "pack": In(2),
                "slot_bytes_log2": In(2),
                "gs": In(ADDR),
                "addr": Out(ADDR).array(config.rows),
                "data": In(config.width).array(config.rows),
                "rows": Out(config.width).array(config.rows),
                "some": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n, n_bytes, w = self.config.rows, self.config.width // 8, self.word
        addr = [Signal(ADDR, name=f"addr_{b}", reset_less=True) for b in range(n)]
        for b in range(n):
            m.d.comb += self.addr[b].eq(addr[b])
            m.d.sync += addr[b].eq(w.row_addr)
        with m.If(w.right):
            m.d.sync += addr[0].eq(w.row_addr + self.gs)
        with m.If(w.left):
            m.d.sync += addr[n - 1].eq(w.row_addr - self.gs)

        # inside[k + 2]: column x*R + k lies in the image, k = -2 .. R + 1
        inside = [~w.x_zero & (w.x_left > 0) if k < 0 else w.x_left > k for k in range(-2, n + 2)]
        packed = self.pack != Pack.NONE
        left, right, neg = (
            delay(m, s, timing.ROW_DATA, name=f"rot_{t}")
            for s, t in ((w.left, "l"), (w.right, "r"), (w.neg, "n"))
        )
        words = []
        for r in range(n):
            near = []  # tap at shift - 1, shift, shift + 1
            for q in (-1, 0, 1):
                at = r + q + 2
                near.append(
                    Mux(w.left, inside[at - 1], Mux(w.right | w.edge, inside[at + 1], inside[at]))
                )
            mask = []
            for b in range(n_bytes):
                slot = [b // size for size in SLOT_BYTES]
                m_byte = Signal(name=f"mask_{r}_{b}")
                with m.If(~packed):
                    m.d.comb += m_byte.eq(near[1])
                with m.Else():
                    with m.Switch(self.slot_bytes_log2):
                        for s in range(len(SLOT_BYTES)):
                            with m.Case(s):
                                if slot[s] == 0:
                                    m.d.comb += m_byte.eq(near[0] & w.dx0)
                                elif slot[s] == 1:
                                    m.d.comb += m_byte.eq(near[1])
                                elif slot[s] == 2:
                                    m.d.comb += m_byte.eq(
                                        near[2] & w.dx0 & (self.pack == Pack.TRIPLE)
                                    )
                mask.append(m_byte & w.y_ok & inside[r + 2] & w.valid)
            masked = delay(m, Cat(*mask), timing.ROW_DATA, name=f"mask{r}")
            word = Signal(self.config.width, name=f"row_{r}")
            m.d.comb += word.eq(
                Mux(left, self.data[(r - 1) % n], Mux(right, self.data[(r + 1) % n], self.data[r]))
                ^ neg.replicate(self.config.width)
            )
            q = Signal(self.config.width, name=f"row_{r}_q", reset_less=True)
            for b in range(n_bytes):
                with m.If(masked[b]):
                    m.d.sync += q[8 * b : 8 * b + 8].eq(word[8 * b : 8 * b + 8])
                with m.Else():
                    m.d.sync += q[8 * b : 8 * b + 8].eq(0)
            m.d.comb += self.rows[r].eq(delay(m, q, r, name=f"skew_{r}"))
            words.append(q)
        m.d.comb += self.some.eq(delay(m, Cat(*words).any(), 1, name="some"))
        return m
