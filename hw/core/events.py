"""Row events: a finished tile told row by row, once for the lanes and once for write-back."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.core.words import ADDR, Tag

EXPAND = 4  #: Distance from tau to the row event of row 0 that the lanes take.


def row_event(config: Config, most: int) -> data.StructLayout:
    """Return the struct of a row event: of tiles of ``config.rows`` rows, ``most`` events a tile.

    ``due``: the event happens in this cycle; the other fields are only then of use. ``count``:
    its number in its tile; ``first``: that is 0. ``row``: the row, 0 where the events are time
    steps of one row. ``tag``: the tile's, its address moved on to the event's time step.
    """
    return data.StructLayout(
        {
            "due": unsigned(1),
            "first": unsigned(1),
            "count": range(most),
            "row": range(config.rows),
            "tag": Tag,
        }
    )


class RowEvents(wiring.Component):
    """Makes of one tag the row events of its tile: a row, a time step or a lane each.

    They are made twice, from the same tag: for the lanes at ``EXPAND``, and again for write-back
    when row 0's spikes are complete. The tag is cheaper to keep until then than its events, and
    a tile whose x goes to pixel memory has other events there.

    Latency: 1 cycle from ``tag`` to its first event. Throughput: an event a cycle, with ``slow``
    one in timing.STATE_GAP cycles. A tag that comes before the last event of the one before it
    replaces it.

    Parameters
    ----------
    config : Config
    most : int
        The most events of a tile.

    Members
    -------
    tag : In(Tag)
        Taken where valid.
    last : In(range(most))
        Number of the tile's last event.
    spread : In(1)
        The events are time steps of one row.
    slow : In(1)
        They come timing.STATE_GAP cycles apart.
    step : In(ADDR)
        What ``tag.addr`` grows by from one time step to the next.
    event : Out(row_event(config, most))
        Cycle 1 + count after the tag, or 1 + STATE_GAP * count with ``slow``.
    """

    tag: Any
    last: Signal
    spread: Signal
    slow: Signal
    step: Signal
    event: Any

    latency = 1

    def __init__(self, config: Config, *, most: int):
        self.config, self.most = config, most
        super().__init__(
            {
                "tag": In(Tag),
                "last": In(range(most)),
                "spread": In(1),
                "slow": In(1),
                "step": In(ADDR),
                "event": Out(row_event(config, most)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tag: Any = Signal(Tag)
        active = Signal()
        count = Signal(range(self.most))
        pause = Signal(range(timing.STATE_GAP), reset_less=True)
        due = Signal()
        row = Signal(range(self.config.rows))
        m.d.comb += [
            due.eq(active & (pause == 0)),
            self.event.due.eq(due),
            self.event.first.eq(count == 0),
            self.event.count.eq(count),
            self.event.row.eq(row),
            self.event.tag.eq(tag),
        ]
        m.d.sync += [
            pause.eq(Mux(~self.slow | (pause == timing.STATE_GAP - 1), 0, pause + 1)),
            row.eq(Mux(self.spread, 0, row + 1)),
        ]
        with m.If(due):
            m.d.sync += count.eq(count + 1)
            with m.If(self.spread):
                m.d.sync += tag.addr.eq(tag.addr + self.step)
            with m.If(count == self.last):
                m.d.sync += active.eq(0)
        with m.If(self.tag.valid):
            m.d.sync += [tag.eq(self.tag), active.eq(1), count.eq(0), row.eq(0), pause.eq(0)]
        return m
