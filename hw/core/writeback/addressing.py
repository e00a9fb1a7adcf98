"""Addresses of write-back: where a token of a tile, and its neighbours, lie in row memory."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config
from hw.core.modes import WriteMode
from hw.core.pipe import later
from hw.core.words import ADDR, Tag


def place_layout(config: Config) -> data.StructLayout:
    """Return the struct of a token's place.

    ``bank``, and the address ``centre`` in it; ``left`` and ``right``, addresses of the groups
    beside the token's; ``has_left``, ``has_right``: it has a neighbour in its image row.
    """
    return data.StructLayout(
        {
            "bank": range(config.rows),
            "centre": ADDR,
            "left": ADDR,
            "right": ADDR,
            "has_left": 1,
            "has_right": 1,
        }
    )


class TokenPlace(wiring.Component):
    """Token n lies in bank n mod R; every R tokens the address grows by ``mode.gs``.

    Where columns are split in planes, token n is in bank (n >> 1) mod R, and odd ones
    ``mode.half`` further. A pooled row of a tile, of POOL or of a fused pool, is half its number.

    Latency: 1 cycle from ``row`` and ``now``, which come from one cycle after ``tag`` on.
    Throughput: a row a cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    mode : In(WriteMode), constant while tags are in flight.
    tag : In(Tag), a tile begins. now : In(Tag), the tile of the event, a cycle later on.
    row : In(range(rows)), of the event.
    place : Out(place_layout(config)), of the event. start : Out(1), its tile is the first of its
        image row. Both are registers.
    """

    mode: Any
    tag: Any
    now: Any
    row: Signal
    place: Any
    start: Signal

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "mode": In(WriteMode),
                "tag": In(Tag),
                "now": In(Tag),
                "row": In(range(config.rows)),
                "place": Out(place_layout(config)),
                "start": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        n, mode, tag = self.config.rows, self.mode, self.now
        place: Any = Signal(place_layout(self.config))
        m.d.comb += self.place.eq(later(m, place, name="place"))
        log_r = n.bit_length() - 1
        to_edge = Signal(11)  # columns from the tile's first to the end of the image row
        at_start = Signal()  # the tile is the first of its image row
        with m.If(self.tag.valid):
            m.d.sync += [
                to_edge.eq(mode.img_w - self.tag.x_out),
                at_start.eq(self.tag.x_out == 0),
            ]
        offset = Signal(range(2 * n))
        step = Signal(range(n))
        m.d.comb += [
            self.start.eq(later(m, at_start, name="start")),
            step.eq(Mux(mode.pool | mode.fused, self.row >> 1, self.row)),
            offset.eq(tag.nb[:log_r] + step),
            place.bank.eq(Mux(mode.split, Cat(offset[:log_r], tag.nb[log_r])[1:], offset[:log_r])),
            place.centre.eq(
                tag.addr
                + Mux(mode.split, Mux(offset[0], mode.half, 0), Mux(offset[log_r], mode.gs, 0))
            ),
            place.right.eq(place.centre + mode.gs),
            place.left.eq(place.centre - mode.gs),
            place.has_left.eq(~at_start | (step != 0)),
            place.has_right.eq(step + 1 < to_edge),
        ]
        return m
